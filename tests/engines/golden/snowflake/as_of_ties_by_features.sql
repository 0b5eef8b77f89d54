-- asknown compile ties --dialect snowflake
-- Written by asknown. Session: time zone UTC.
WITH
"raw.ties" AS (
  SELECT
    *
  FROM main.ties
),
ties AS (
  SELECT
    user_id,
    ts,
    first,
    second
  FROM "raw.ties"
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
-- ties: the distinct moments, by user_id
ties__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- one sort of the rows
ties__match AS (
  SELECT
    m.user_id,
    m.t,
    v.event_time
  FROM ties__moments AS m
  ASOF JOIN (
    SELECT
      v.user_id,
      CAST(v.ts AS TIMESTAMPNTZ(6)) AS event_time
    FROM ties AS v
    WHERE
      NOT CAST(v.ts AS TIMESTAMPNTZ(6)) IS NULL
      AND EXISTS(
        SELECT
          1
        FROM (
          SELECT
            user_id
          FROM ties__moments
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
ties__asked AS (
  SELECT DISTINCT
    user_id,
    event_time
  FROM ties__match
),
ties__winners AS (
  SELECT
    m.user_id,
    m.event_time,
    v.first,
    v.second
  FROM ties__asked AS m
  JOIN ties AS v
    ON m.user_id = v.user_id AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY m.user_id, m.event_time
      ORDER BY v.first DESC NULLS LAST, v.second DESC NULLS LAST
    ) = 1
),
ties__rows AS (
  SELECT
    m.user_id,
    m.t,
    v.first,
    v.second
  FROM ties__match AS m
  JOIN ties__winners AS v
    ON m.user_id = v.user_id AND m.event_time = v.event_time
)
SELECT
  s.user_id,
  s.event_timestamp,
  CAST(ties.first AS INT) AS first,
  CAST(ties.second AS INT) AS second
FROM spine AS s
LEFT JOIN ties__rows AS ties
  ON s.user_id = ties.user_id AND s.t = ties.t

-- asknown compile ties:second --dialect snowflake
-- Written by asknown. Session: time zone UTC.
WITH
"raw.ties" AS (
  SELECT
    *
  FROM main.ties
),
ties AS (
  SELECT
    user_id,
    ts,
    first,
    second
  FROM "raw.ties"
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
-- ties: the distinct moments, by user_id
ties__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- one sort of the rows
ties__match AS (
  SELECT
    m.user_id,
    m.t,
    v.event_time
  FROM ties__moments AS m
  ASOF JOIN (
    SELECT
      v.user_id,
      CAST(v.ts AS TIMESTAMPNTZ(6)) AS event_time
    FROM ties AS v
    WHERE
      NOT CAST(v.ts AS TIMESTAMPNTZ(6)) IS NULL
      AND EXISTS(
        SELECT
          1
        FROM (
          SELECT
            user_id
          FROM ties__moments
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
ties__asked AS (
  SELECT DISTINCT
    user_id,
    event_time
  FROM ties__match
),
ties__best AS (
  SELECT
    m.user_id,
    m.event_time,
    COUNT(*) OVER (PARTITION BY m.user_id, m.event_time) AS ties
  FROM ties__asked AS m
  JOIN ties AS v
    ON m.user_id = v.user_id AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY m.user_id, m.event_time ORDER BY NULL) = 1
),
-- ties in every time are broken by the select's columns
ties__winners AS (
  SELECT
    m.user_id,
    m.event_time,
    v.second
  FROM (
    SELECT
      *
    FROM ties__best
    WHERE
      ties = 1
  ) AS m
  JOIN ties AS v
    ON m.user_id = v.user_id AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
  UNION ALL
  SELECT
    user_id,
    event_time,
    second
  FROM (
    SELECT
      m.user_id,
      m.event_time,
      v.second
    FROM (
      SELECT
        *
      FROM ties__best
      WHERE
        ties > 1
    ) AS m
    JOIN ties AS v
      ON m.user_id = v.user_id AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
    QUALIFY
      ROW_NUMBER() OVER (
        PARTITION BY m.user_id, m.event_time
        ORDER BY v.first DESC NULLS LAST, v.second DESC NULLS LAST
      ) = 1
  ) AS m
),
ties__rows AS (
  SELECT
    m.user_id,
    m.t,
    v.second
  FROM ties__match AS m
  JOIN ties__winners AS v
    ON m.user_id = v.user_id AND m.event_time = v.event_time
)
SELECT
  s.user_id,
  s.event_timestamp,
  CAST(ties.second AS INT) AS second
FROM spine AS s
LEFT JOIN ties__rows AS ties
  ON s.user_id = ties.user_id AND s.t = ties.t
