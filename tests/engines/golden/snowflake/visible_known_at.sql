-- asknown compile balance --dialect snowflake
-- Written by asknown. Session: time zone UTC.
WITH
"raw.balances" AS (
  SELECT
    *
  FROM main.balances
),
balance AS (
  SELECT
    user_id,
    ts,
    seen_at,
    amount
  FROM "raw.balances"
),
given AS (
  SELECT user_id, event_timestamp FROM spine
),
-- the spine, with its instant in UTC
spine AS (
  SELECT
    CAST(given.event_timestamp AS TIMESTAMPNTZ(6)) AS t,
    given.*
  FROM given
),
-- balance: the distinct moments, by user_id
balance__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- one sort of the rows
balance__match AS (
  SELECT
    m.user_id,
    m.t,
    v.event_time
  FROM balance__moments AS m
  ASOF JOIN (
    SELECT
      v.user_id,
      MAX(CAST(v.ts AS TIMESTAMPNTZ(6))) OVER (
        PARTITION BY v.user_id
        ORDER BY GREATEST_IGNORE_NULLS(CAST(v.ts AS TIMESTAMPNTZ(6)), CAST(v.seen_at AS TIMESTAMPNTZ(6)))
        RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS event_time,
      GREATEST_IGNORE_NULLS(CAST(v.ts AS TIMESTAMPNTZ(6)), CAST(v.seen_at AS TIMESTAMPNTZ(6))) AS known_at
    FROM balance AS v
    WHERE
      (
        NOT CAST(v.ts AS TIMESTAMPNTZ(6)) IS NULL
        AND NOT CAST(v.seen_at AS TIMESTAMPNTZ(6)) IS NULL
      )
      AND EXISTS(
        SELECT
          1
        FROM (
          SELECT
            user_id
          FROM balance__moments
        ) AS asked
        WHERE
          v.user_id = asked.user_id
      )
  ) AS v MATCH_CONDITION (m.t >= v.known_at)
    ON m.user_id = v.user_id
  WHERE
    NOT v.event_time IS NULL
),
balance__rows AS (
  SELECT
    m.user_id,
    m.t,
    v.amount
  FROM balance__match AS m
  JOIN balance AS v
    ON m.user_id = v.user_id
    AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
    AND CAST(v.seen_at AS TIMESTAMPNTZ(6)) <= m.t
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY m.user_id, m.t, m.event_time
      ORDER BY CAST(v.seen_at AS TIMESTAMPNTZ(6)) DESC NULLS LAST, v.amount DESC NULLS LAST
    ) = 1
)
SELECT
  s.user_id,
  s.event_timestamp,
  CAST(balance.amount AS INT) AS amount
FROM spine AS s
LEFT JOIN balance__rows AS balance
  ON s.user_id = balance.user_id AND s.t = balance.t
