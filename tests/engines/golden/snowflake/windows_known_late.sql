-- asknown compile confirmed --dialect snowflake
-- Written by asknown. Session: time zone UTC.
WITH
"raw.purchases" AS (
  SELECT
    *
  FROM main.purchases
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
-- rows of confirmed, without its trailing windows
confirmed__events AS (
  SELECT
    user_id,
    ts,
    confirmed_at,
    amount AS last_amount,
    amount AS _1
  FROM "raw.purchases"
),
-- confirmed: the distinct moments, by user_id
confirmed__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- one sort of the rows
confirmed__match AS (
  SELECT
    m.user_id,
    m.t,
    v.event_time
  FROM confirmed__moments AS m
  ASOF JOIN (
    SELECT
      v.user_id,
      MAX(CAST(v.ts AS TIMESTAMPNTZ(6))) OVER (
        PARTITION BY v.user_id
        ORDER BY GREATEST_IGNORE_NULLS(CAST(v.ts AS TIMESTAMPNTZ(6)), CAST(v.confirmed_at AS TIMESTAMPNTZ(6)))
        RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS event_time,
      GREATEST_IGNORE_NULLS(CAST(v.ts AS TIMESTAMPNTZ(6)), CAST(v.confirmed_at AS TIMESTAMPNTZ(6))) AS known_at
    FROM confirmed__events AS v
    WHERE
      (
        NOT CAST(v.ts AS TIMESTAMPNTZ(6)) IS NULL
        AND NOT CAST(v.confirmed_at AS TIMESTAMPNTZ(6)) IS NULL
      )
      AND EXISTS(
        SELECT
          1
        FROM (
          SELECT
            user_id
          FROM confirmed__moments
        ) AS asked
        WHERE
          v.user_id = asked.user_id
      )
  ) AS v MATCH_CONDITION (m.t >= v.known_at)
    ON m.user_id = v.user_id
  WHERE
    NOT v.event_time IS NULL AND v.event_time >= (
      m.t - INTERVAL '1 HOUR'
    )
),
confirmed__rows AS (
  SELECT
    m.user_id,
    m.t,
    v.last_amount
  FROM confirmed__match AS m
  JOIN confirmed__events AS v
    ON m.user_id = v.user_id
    AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
    AND CAST(v.confirmed_at AS TIMESTAMPNTZ(6)) <= m.t
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY m.user_id, m.t, m.event_time
      ORDER BY CAST(v.confirmed_at AS TIMESTAMPNTZ(6)) DESC NULLS LAST, v.last_amount DESC NULLS LAST
    ) = 1
),
-- pairs: one frame
confirmed__windows AS (
  SELECT
    m.user_id,
    m.t,
    SUM(CAST(v._1 AS DECIMAL(38, 0))) AS w0
  FROM (
    SELECT
      m.user_id,
      m.t,
      m.t - INTERVAL '3 HOUR' AS since0,
      CAST((
        DATE_PART(EPOCH_MICROSECOND, m.t) - DATE_PART(EPOCH_MICROSECOND, m.t) % 2700000000
      ) / 2700000000 AS DECIMAL(38, 0)) - buckets.back AS bucket
    FROM confirmed__moments AS m
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
        DATE_PART(EPOCH_MICROSECOND, v.event_time) - DATE_PART(EPOCH_MICROSECOND, v.event_time) % 2700000000
      ) / 2700000000 AS DECIMAL(38, 0)) AS bucket
    FROM (
      SELECT
        v.user_id,
        CAST(v.ts AS TIMESTAMPNTZ(6)) AS event_time,
        CAST(v.confirmed_at AS TIMESTAMPNTZ(6)) AS known_at,
        v._1
      FROM confirmed__events AS v
    ) AS v
  ) AS v
    ON m.user_id = v.user_id
    AND m.bucket = v.bucket
    AND v.event_time <= m.t
    AND v.event_time >= m.since0
    AND v.known_at <= m.t
  GROUP BY
    m.user_id,
    m.t
)
SELECT
  s.user_id,
  s.event_timestamp,
  CAST(confirmed.last_amount AS INT) AS last_amount,
  CAST(CASE
    WHEN NOT s.t IS NULL
    AND CASE
      WHEN NOT confirmed_windows.w0 BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN CAST(CASE
        WHEN NOT confirmed_windows.w0 BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN 'asknown: feature \'amount_3h\' of \'confirmed\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      END AS INT) > 0
      ELSE TRUE
    END
    THEN confirmed_windows.w0
  END AS BIGINT) AS amount_3h
FROM spine AS s
LEFT JOIN confirmed__rows AS confirmed
  ON s.user_id = confirmed.user_id AND s.t = confirmed.t
LEFT JOIN confirmed__windows AS confirmed_windows
  ON s.user_id = confirmed_windows.user_id AND s.t = confirmed_windows.t
