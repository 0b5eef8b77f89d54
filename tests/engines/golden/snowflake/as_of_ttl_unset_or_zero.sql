-- asknown compile unset zero --dialect snowflake
-- Written by asknown. Session: time zone UTC.
WITH
"raw.balances" AS (
  SELECT
    *
  FROM main.balances
),
unset AS (
  SELECT
    user_id,
    ts,
    amount
  FROM "raw.balances"
),
zero AS (
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
    ROW_NUMBER() OVER (ORDER BY NULL) AS "ROW",
    CAST(given.event_timestamp AS TIMESTAMPNTZ(6)) AS t,
    given.*
  FROM given
),
-- unset: the distinct moments, by user_id
unset__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- one sort of the rows
unset__match AS (
  SELECT
    m.user_id,
    m.t,
    v.event_time
  FROM unset__moments AS m
  ASOF JOIN (
    SELECT
      v.user_id,
      CAST(v.ts AS TIMESTAMPNTZ(6)) AS event_time
    FROM unset AS v
    WHERE
      NOT CAST(v.ts AS TIMESTAMPNTZ(6)) IS NULL
      AND EXISTS(
        SELECT
          1
        FROM (
          SELECT
            user_id
          FROM unset__moments
        ) AS asked
        WHERE
          v.user_id = asked.user_id
      )
  ) AS v MATCH_CONDITION (m.t >= v.event_time)
    ON m.user_id = v.user_id
  WHERE
    NOT v.event_time IS NULL
),
-- each key and event time once
unset__asked AS (
  SELECT DISTINCT
    user_id,
    event_time
  FROM unset__match
),
unset__winners AS (
  SELECT
    m.user_id,
    m.event_time,
    v.amount
  FROM unset__asked AS m
  JOIN unset AS v
    ON m.user_id = v.user_id AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY m.user_id, m.event_time ORDER BY v.amount DESC NULLS LAST) = 1
),
unset__rows AS (
  SELECT
    m.user_id,
    m.t,
    v.amount
  FROM unset__match AS m
  JOIN unset__winners AS v
    ON m.user_id = v.user_id AND m.event_time = v.event_time
),
-- zero: the distinct moments, by user_id
zero__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- one sort of the rows
zero__match AS (
  SELECT
    m.user_id,
    m.t,
    v.event_time
  FROM zero__moments AS m
  ASOF JOIN (
    SELECT
      v.user_id,
      CAST(v.ts AS TIMESTAMPNTZ(6)) AS event_time
    FROM zero AS v
    WHERE
      NOT CAST(v.ts AS TIMESTAMPNTZ(6)) IS NULL
      AND EXISTS(
        SELECT
          1
        FROM (
          SELECT
            user_id
          FROM zero__moments
        ) AS asked
        WHERE
          v.user_id = asked.user_id
      )
  ) AS v MATCH_CONDITION (m.t >= v.event_time)
    ON m.user_id = v.user_id
  WHERE
    NOT v.event_time IS NULL
),
-- each key and event time once
zero__asked AS (
  SELECT DISTINCT
    user_id,
    event_time
  FROM zero__match
),
zero__winners AS (
  SELECT
    m.user_id,
    m.event_time,
    v.amount
  FROM zero__asked AS m
  JOIN zero AS v
    ON m.user_id = v.user_id AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY m.user_id, m.event_time ORDER BY v.amount DESC NULLS LAST) = 1
),
zero__rows AS (
  SELECT
    m.user_id,
    m.t,
    v.amount
  FROM zero__match AS m
  JOIN zero__winners AS v
    ON m.user_id = v.user_id AND m.event_time = v.event_time
)
SELECT
  s.user_id,
  s.event_timestamp,
  CAST(unset.amount AS INT) AS unset__amount,
  CAST(zero.amount AS INT) AS zero__amount
FROM spine AS s
LEFT JOIN unset__rows AS unset
  ON s.user_id = unset.user_id AND s.t = unset.t
LEFT JOIN zero__rows AS zero
  ON s.user_id = zero.user_id AND s.t = zero.t
ORDER BY
  s."ROW"
