-- asknown compile readings --dialect snowflake
-- Written by asknown. Session: time zone UTC.
WITH
"raw.readings" AS (
  SELECT
    user_id,
    CONVERT_TIMEZONE('America/New_York', 'UTC', local_time) AS local_time,
    reading
  FROM main.readings
),
readings AS (
  SELECT
    user_id,
    local_time,
    reading
  FROM "raw.readings"
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
-- readings: the distinct moments, by user_id
readings__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- one sort of the rows
readings__match AS (
  SELECT
    m.user_id,
    m.t,
    v.event_time
  FROM readings__moments AS m
  ASOF JOIN (
    SELECT
      v.user_id,
      CAST(v.local_time AS TIMESTAMPNTZ(6)) AS event_time
    FROM readings AS v
    WHERE
      NOT CAST(v.local_time AS TIMESTAMPNTZ(6)) IS NULL
      AND EXISTS(
        SELECT
          1
        FROM (
          SELECT
            user_id
          FROM readings__moments
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
readings__asked AS (
  SELECT DISTINCT
    user_id,
    event_time
  FROM readings__match
),
readings__winners AS (
  SELECT
    m.user_id,
    m.event_time,
    v.reading
  FROM readings__asked AS m
  JOIN readings AS v
    ON m.user_id = v.user_id AND m.event_time = CAST(v.local_time AS TIMESTAMPNTZ(6))
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY m.user_id, m.event_time ORDER BY v.reading DESC NULLS LAST) = 1
),
readings__rows AS (
  SELECT
    m.user_id,
    m.t,
    v.reading
  FROM readings__match AS m
  JOIN readings__winners AS v
    ON m.user_id = v.user_id AND m.event_time = v.event_time
)
SELECT
  s.user_id,
  s.event_timestamp,
  CAST(readings.reading AS INT) AS reading
FROM spine AS s
LEFT JOIN readings__rows AS readings
  ON s.user_id = readings.user_id AND s.t = readings.t
