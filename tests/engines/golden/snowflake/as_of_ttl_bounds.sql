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
      CAST(v.ts AS TIMESTAMPNTZ(6)) AS event_time
    FROM balance AS v
    WHERE
      NOT CAST(v.ts AS TIMESTAMPNTZ(6)) IS NULL
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
  ) AS v MATCH_CONDITION (m.t >= v.event_time)
    ON m.user_id = v.user_id
  WHERE
    NOT v.event_time IS NULL AND v.event_time >= (
      m.t - INTERVAL '2 HOUR'
    )
),
-- each key and event time once
balance__asked AS (
  SELECT DISTINCT
    user_id,
    event_time
  FROM balance__match
),
balance__winners AS (
  SELECT
    m.user_id,
    m.event_time,
    v.amount
  FROM balance__asked AS m
  JOIN balance AS v
    ON m.user_id = v.user_id AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY m.user_id, m.event_time ORDER BY v.amount DESC NULLS LAST) = 1
),
balance__rows AS (
  SELECT
    m.user_id,
    m.t,
    v.amount
  FROM balance__match AS m
  JOIN balance__winners AS v
    ON m.user_id = v.user_id AND m.event_time = v.event_time
)
SELECT
  s.user_id,
  s.event_timestamp,
  CAST(balance.amount AS INT) AS amount
FROM spine AS s
LEFT JOIN balance__rows AS balance
  ON s.user_id = balance.user_id AND s.t = balance.t
