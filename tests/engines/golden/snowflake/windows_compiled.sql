-- asknown compile visits --dialect snowflake
-- Written by asknown. Session: time zone UTC.
WITH
"raw.visits" AS (
  SELECT
    *
  FROM main.visits
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
-- rows of visits, without its trailing windows
visits__events AS (
  SELECT
    user_id,
    ts,
    pages AS _1
  FROM "raw.visits"
),
-- visits: the distinct moments, by user_id
visits__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- bands: each row into its band of age, once for 2 frames
visits__windows AS (
  SELECT
    user_id,
    t,
    SUM(CAST(CASE WHEN band BETWEEN 0 AND 0 THEN b0 END AS DECIMAL(38, 0))) AS w0,
    MAX(b1) AS w1
  FROM (
    SELECT
      m.user_id,
      m.t,
      CASE WHEN v.event_time >= m.since0 THEN 0 ELSE 1 END AS band,
      COUNT(*) AS b0,
      MAX(v._1) AS b1
    FROM (
      SELECT
        m.user_id,
        m.t,
        m.t - INTERVAL '1 HOUR' AS since0,
        m.t - INTERVAL '1 DAY' AS since1,
        CAST((
          DATE_PART(EPOCH_MICROSECOND, m.t) - DATE_PART(EPOCH_MICROSECOND, m.t) % 21600000000
        ) / 21600000000 AS DECIMAL(38, 0)) - buckets.back AS bucket
      FROM visits__moments AS m
      CROSS JOIN (
        SELECT
          0 AS back
        UNION ALL
        SELECT
          1 AS back
        UNION ALL
        SELECT
          2 AS back
        UNION ALL
        SELECT
          3 AS back
        UNION ALL
        SELECT
          4 AS back
      ) AS buckets
    ) AS m
    JOIN (
      SELECT
        *,
        CAST((
          DATE_PART(EPOCH_MICROSECOND, v.event_time) - DATE_PART(EPOCH_MICROSECOND, v.event_time) % 21600000000
        ) / 21600000000 AS DECIMAL(38, 0)) AS bucket
      FROM (
        SELECT
          v.user_id,
          CAST(v.ts AS TIMESTAMPNTZ(6)) AS event_time,
          v._1
        FROM visits__events AS v
      ) AS v
    ) AS v
      ON m.user_id = v.user_id
      AND m.bucket = v.bucket
      AND v.event_time <= m.t
      AND v.event_time >= m.since1
    GROUP BY
      m.user_id,
      m.t,
      CASE WHEN v.event_time >= m.since0 THEN 0 ELSE 1 END
  ) AS bands
  GROUP BY
    user_id,
    t
)
SELECT
  s.user_id,
  s.event_timestamp,
  CAST(CASE WHEN NOT s.t IS NULL THEN COALESCE(visits_windows.w0, 0) END AS BIGINT) AS visits_1h,
  CAST(CASE WHEN NOT s.t IS NULL THEN visits_windows.w1 END AS INT) AS pages_1d
FROM spine AS s
LEFT JOIN visits__windows AS visits_windows
  ON s.user_id = visits_windows.user_id AND s.t = visits_windows.t
ORDER BY
  s."ROW"
