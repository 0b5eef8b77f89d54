-- asknown compile sums wide_sums --dialect snowflake
-- Written by asknown. Session: time zone UTC.
WITH
"raw.payments" AS (
  SELECT
    *
  FROM main.payments
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
-- rows of sums, without its trailing windows
sums__events AS (
  SELECT
    user_id,
    ts,
    cents AS _1,
    late AS _2
  FROM "raw.payments"
),
-- sums: the distinct moments, by user_id
sums__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- bands: each row into its band of age, once for 2 frames
sums__windows AS (
  SELECT
    user_id,
    t,
    SUM(CAST(b0 AS DECIMAL(38, 0))) AS w0,
    SUM(CAST(b1 AS DECIMAL(38, 0))) AS w1,
    SUM(CAST(CASE WHEN band BETWEEN 0 AND 0 THEN b0 END AS DECIMAL(38, 0))) AS w2
  FROM (
    SELECT
      m.user_id,
      m.t,
      CASE WHEN v.event_time >= m.since0 THEN 0 ELSE 1 END AS band,
      SUM(CAST(v._1 AS DECIMAL(38, 0))) AS b0,
      SUM(CAST(v._2 AS INT)) AS b1
    FROM (
      SELECT
        m.user_id,
        m.t,
        m.t - INTERVAL '1 HOUR' AS since0,
        m.t - INTERVAL '3 HOUR' AS since1,
        CAST((
          DATE_PART(EPOCH_MICROSECOND, m.t) - DATE_PART(EPOCH_MICROSECOND, m.t) % 2700000000
        ) / 2700000000 AS DECIMAL(38, 0)) - buckets.back AS bucket
      FROM sums__moments AS m
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
          v._1,
          v._2
        FROM sums__events AS v
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
),
-- rows of wide_sums, without its trailing windows
wide_sums__events AS (
  SELECT
    user_id,
    ts,
    CAST(cents AS DECIMAL(38, 0)) AS huge,
    cents AS _1
  FROM "raw.payments"
),
-- wide_sums: the distinct moments, by user_id
wide_sums__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- one sort of the rows
wide_sums__match AS (
  SELECT
    m.user_id,
    m.t,
    v.event_time
  FROM wide_sums__moments AS m
  ASOF JOIN (
    SELECT
      v.user_id,
      CAST(v.ts AS TIMESTAMPNTZ(6)) AS event_time
    FROM wide_sums__events AS v
    WHERE
      NOT CAST(v.ts AS TIMESTAMPNTZ(6)) IS NULL
      AND EXISTS(
        SELECT
          1
        FROM (
          SELECT
            user_id
          FROM wide_sums__moments
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
wide_sums__asked AS (
  SELECT DISTINCT
    user_id,
    event_time
  FROM wide_sums__match
),
wide_sums__winners AS (
  SELECT
    m.user_id,
    m.event_time,
    v.huge
  FROM wide_sums__asked AS m
  JOIN wide_sums__events AS v
    ON m.user_id = v.user_id AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY m.user_id, m.event_time ORDER BY v.huge DESC NULLS LAST) = 1
),
wide_sums__rows AS (
  SELECT
    m.user_id,
    m.t,
    v.huge
  FROM wide_sums__match AS m
  JOIN wide_sums__winners AS v
    ON m.user_id = v.user_id AND m.event_time = v.event_time
),
-- pairs: one frame
wide_sums__windows AS (
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
    FROM wide_sums__moments AS m
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
        v._1
      FROM wide_sums__events AS v
    ) AS v
  ) AS v
    ON m.user_id = v.user_id
    AND m.bucket = v.bucket
    AND v.event_time <= m.t
    AND v.event_time >= m.since0
  GROUP BY
    m.user_id,
    m.t
)
SELECT
  s.user_id,
  s.event_timestamp,
  CAST(CASE
    WHEN NOT s.t IS NULL
    AND CASE
      WHEN NOT sums_windows.w0 BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN CAST(CASE
        WHEN NOT sums_windows.w0 BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN 'asknown: feature \'total\' of \'sums\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      END AS INT) > 0
      ELSE TRUE
    END
    THEN sums_windows.w0
  END AS BIGINT) AS total,
  CAST(CASE
    WHEN NOT s.t IS NULL
    AND CASE
      WHEN NOT sums_windows.w1 BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN CAST(CASE
        WHEN NOT sums_windows.w1 BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN 'asknown: feature \'late_payments\' of \'sums\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      END AS INT) > 0
      ELSE TRUE
    END
    THEN sums_windows.w1
  END AS BIGINT) AS late_payments,
  CAST(CASE
    WHEN NOT s.t IS NULL
    AND CASE
      WHEN NOT COALESCE(sums_windows.w0, 0) - COALESCE(sums_windows.w2, 0) BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN CAST(CASE
        WHEN NOT COALESCE(sums_windows.w0, 0) - COALESCE(sums_windows.w2, 0) BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN 'asknown: feature \'before\' of \'sums\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      END AS INT) > 0
      ELSE TRUE
    END
    THEN COALESCE(sums_windows.w0, 0) - COALESCE(sums_windows.w2, 0)
  END AS BIGINT) AS before,
  CAST(CASE
    WHEN NOT s.t IS NULL
    AND CASE
      WHEN NOT wide_sums_windows.w0 BETWEEN -99999999999999999999999999999999999999 AND 99999999999999999999999999999999999999
      THEN CAST(CASE
        WHEN NOT wide_sums_windows.w0 BETWEEN -99999999999999999999999999999999999999 AND 99999999999999999999999999999999999999
        THEN 'asknown: feature \'wide_total\' of \'wide_sums\' is a sum of integers beyond 38 digits: cast its input to double'
      END AS INT) > 0
      ELSE TRUE
    END
    THEN wide_sums_windows.w0
  END AS DECIMAL(38, 0)) AS wide_total,
  CAST(CASE WHEN NOT s.t IS NULL THEN CAST(wide_sums_windows.w0 AS DECIMAL(38, 0)) END AS DECIMAL(38, 0)) AS cast_total,
  CAST(wide_sums.huge AS DECIMAL(38, 0)) AS huge
FROM spine AS s
LEFT JOIN sums__windows AS sums_windows
  ON s.user_id = sums_windows.user_id AND s.t = sums_windows.t
LEFT JOIN wide_sums__rows AS wide_sums
  ON s.user_id = wide_sums.user_id AND s.t = wide_sums.t
LEFT JOIN wide_sums__windows AS wide_sums_windows
  ON s.user_id = wide_sums_windows.user_id AND s.t = wide_sums_windows.t
ORDER BY
  s."ROW"

-- asknown compile wide_sums --dialect snowflake
-- Written by asknown. Session: time zone UTC.
WITH
"raw.payments" AS (
  SELECT
    *
  FROM main.payments
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
-- rows of wide_sums, without its trailing windows
wide_sums__events AS (
  SELECT
    user_id,
    ts,
    CAST(cents AS DECIMAL(38, 0)) AS huge,
    cents AS _1
  FROM "raw.payments"
),
-- wide_sums: the distinct moments, by user_id
wide_sums__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- one sort of the rows
wide_sums__match AS (
  SELECT
    m.user_id,
    m.t,
    v.event_time
  FROM wide_sums__moments AS m
  ASOF JOIN (
    SELECT
      v.user_id,
      CAST(v.ts AS TIMESTAMPNTZ(6)) AS event_time
    FROM wide_sums__events AS v
    WHERE
      NOT CAST(v.ts AS TIMESTAMPNTZ(6)) IS NULL
      AND EXISTS(
        SELECT
          1
        FROM (
          SELECT
            user_id
          FROM wide_sums__moments
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
wide_sums__asked AS (
  SELECT DISTINCT
    user_id,
    event_time
  FROM wide_sums__match
),
wide_sums__winners AS (
  SELECT
    m.user_id,
    m.event_time,
    v.huge
  FROM wide_sums__asked AS m
  JOIN wide_sums__events AS v
    ON m.user_id = v.user_id AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY m.user_id, m.event_time ORDER BY v.huge DESC NULLS LAST) = 1
),
wide_sums__rows AS (
  SELECT
    m.user_id,
    m.t,
    v.huge
  FROM wide_sums__match AS m
  JOIN wide_sums__winners AS v
    ON m.user_id = v.user_id AND m.event_time = v.event_time
),
-- pairs: one frame
wide_sums__windows AS (
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
    FROM wide_sums__moments AS m
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
        v._1
      FROM wide_sums__events AS v
    ) AS v
  ) AS v
    ON m.user_id = v.user_id
    AND m.bucket = v.bucket
    AND v.event_time <= m.t
    AND v.event_time >= m.since0
  GROUP BY
    m.user_id,
    m.t
)
SELECT
  s.user_id,
  s.event_timestamp,
  CAST(CASE
    WHEN NOT s.t IS NULL
    AND CASE
      WHEN NOT wide_sums_windows.w0 BETWEEN -99999999999999999999999999999999999999 AND 99999999999999999999999999999999999999
      THEN CAST(CASE
        WHEN NOT wide_sums_windows.w0 BETWEEN -99999999999999999999999999999999999999 AND 99999999999999999999999999999999999999
        THEN 'asknown: feature \'wide_total\' of \'wide_sums\' is a sum of integers beyond 38 digits: cast its input to double'
      END AS INT) > 0
      ELSE TRUE
    END
    THEN wide_sums_windows.w0
  END AS DECIMAL(38, 0)) AS wide_total,
  CAST(CASE WHEN NOT s.t IS NULL THEN CAST(wide_sums_windows.w0 AS DECIMAL(38, 0)) END AS DECIMAL(38, 0)) AS cast_total,
  CAST(wide_sums.huge AS DECIMAL(38, 0)) AS huge
FROM spine AS s
LEFT JOIN wide_sums__rows AS wide_sums
  ON s.user_id = wide_sums.user_id AND s.t = wide_sums.t
LEFT JOIN wide_sums__windows AS wide_sums_windows
  ON s.user_id = wide_sums_windows.user_id AND s.t = wide_sums_windows.t
ORDER BY
  s."ROW"

-- asknown compile sums:before sums:late_payments --dialect snowflake
-- Written by asknown. Session: time zone UTC.
WITH
"raw.payments" AS (
  SELECT
    *
  FROM main.payments
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
-- rows of sums, without its trailing windows
sums__events AS (
  SELECT
    user_id,
    ts,
    cents AS _1,
    late AS _2
  FROM "raw.payments"
),
-- sums: the distinct moments, by user_id
sums__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- bands: each row into its band of age, once for 2 frames
sums__windows AS (
  SELECT
    user_id,
    t,
    SUM(CAST(b0 AS DECIMAL(38, 0))) AS w0,
    SUM(CAST(b1 AS DECIMAL(38, 0))) AS w1,
    SUM(CAST(CASE WHEN band BETWEEN 0 AND 0 THEN b0 END AS DECIMAL(38, 0))) AS w2
  FROM (
    SELECT
      m.user_id,
      m.t,
      CASE WHEN v.event_time >= m.since0 THEN 0 ELSE 1 END AS band,
      SUM(CAST(v._1 AS DECIMAL(38, 0))) AS b0,
      SUM(CAST(v._2 AS INT)) AS b1
    FROM (
      SELECT
        m.user_id,
        m.t,
        m.t - INTERVAL '1 HOUR' AS since0,
        m.t - INTERVAL '3 HOUR' AS since1,
        CAST((
          DATE_PART(EPOCH_MICROSECOND, m.t) - DATE_PART(EPOCH_MICROSECOND, m.t) % 2700000000
        ) / 2700000000 AS DECIMAL(38, 0)) - buckets.back AS bucket
      FROM sums__moments AS m
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
          v._1,
          v._2
        FROM sums__events AS v
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
  CAST(CASE
    WHEN NOT s.t IS NULL
    AND CASE
      WHEN NOT COALESCE(sums_windows.w0, 0) - COALESCE(sums_windows.w2, 0) BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN CAST(CASE
        WHEN NOT COALESCE(sums_windows.w0, 0) - COALESCE(sums_windows.w2, 0) BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN 'asknown: feature \'before\' of \'sums\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      END AS INT) > 0
      ELSE TRUE
    END
    THEN COALESCE(sums_windows.w0, 0) - COALESCE(sums_windows.w2, 0)
  END AS BIGINT) AS before,
  CAST(CASE
    WHEN NOT s.t IS NULL
    AND CASE
      WHEN NOT sums_windows.w1 BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN CAST(CASE
        WHEN NOT sums_windows.w1 BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN 'asknown: feature \'late_payments\' of \'sums\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      END AS INT) > 0
      ELSE TRUE
    END
    THEN sums_windows.w1
  END AS BIGINT) AS late_payments
FROM spine AS s
LEFT JOIN sums__windows AS sums_windows
  ON s.user_id = sums_windows.user_id AND s.t = sums_windows.t
ORDER BY
  s."ROW"

-- asknown compile sums:total --dialect snowflake
-- Written by asknown. Session: time zone UTC.
WITH
"raw.payments" AS (
  SELECT
    *
  FROM main.payments
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
-- rows of sums, without its trailing windows
sums__events AS (
  SELECT
    user_id,
    ts,
    cents AS _1,
    late AS _2
  FROM "raw.payments"
),
-- sums: the distinct moments, by user_id
sums__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- pairs: one frame
sums__windows AS (
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
    FROM sums__moments AS m
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
        v._1
      FROM sums__events AS v
    ) AS v
  ) AS v
    ON m.user_id = v.user_id
    AND m.bucket = v.bucket
    AND v.event_time <= m.t
    AND v.event_time >= m.since0
  GROUP BY
    m.user_id,
    m.t
)
SELECT
  s.user_id,
  s.event_timestamp,
  CAST(CASE
    WHEN NOT s.t IS NULL
    AND CASE
      WHEN NOT sums_windows.w0 BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN CAST(CASE
        WHEN NOT sums_windows.w0 BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN 'asknown: feature \'total\' of \'sums\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      END AS INT) > 0
      ELSE TRUE
    END
    THEN sums_windows.w0
  END AS BIGINT) AS total
FROM spine AS s
LEFT JOIN sums__windows AS sums_windows
  ON s.user_id = sums_windows.user_id AND s.t = sums_windows.t
ORDER BY
  s."ROW"

-- asknown compile sums:total wide_sums --dialect snowflake
-- Written by asknown. Session: time zone UTC.
WITH
"raw.payments" AS (
  SELECT
    *
  FROM main.payments
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
-- rows of sums, without its trailing windows
sums__events AS (
  SELECT
    user_id,
    ts,
    cents AS _1,
    late AS _2
  FROM "raw.payments"
),
-- sums: the distinct moments, by user_id
sums__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- pairs: one frame
sums__windows AS (
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
    FROM sums__moments AS m
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
        v._1
      FROM sums__events AS v
    ) AS v
  ) AS v
    ON m.user_id = v.user_id
    AND m.bucket = v.bucket
    AND v.event_time <= m.t
    AND v.event_time >= m.since0
  GROUP BY
    m.user_id,
    m.t
),
-- rows of wide_sums, without its trailing windows
wide_sums__events AS (
  SELECT
    user_id,
    ts,
    CAST(cents AS DECIMAL(38, 0)) AS huge,
    cents AS _1
  FROM "raw.payments"
),
-- wide_sums: the distinct moments, by user_id
wide_sums__moments AS (
  SELECT DISTINCT
    user_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT t IS NULL
),
-- one sort of the rows
wide_sums__match AS (
  SELECT
    m.user_id,
    m.t,
    v.event_time
  FROM wide_sums__moments AS m
  ASOF JOIN (
    SELECT
      v.user_id,
      CAST(v.ts AS TIMESTAMPNTZ(6)) AS event_time
    FROM wide_sums__events AS v
    WHERE
      NOT CAST(v.ts AS TIMESTAMPNTZ(6)) IS NULL
      AND EXISTS(
        SELECT
          1
        FROM (
          SELECT
            user_id
          FROM wide_sums__moments
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
wide_sums__asked AS (
  SELECT DISTINCT
    user_id,
    event_time
  FROM wide_sums__match
),
wide_sums__winners AS (
  SELECT
    m.user_id,
    m.event_time,
    v.huge
  FROM wide_sums__asked AS m
  JOIN wide_sums__events AS v
    ON m.user_id = v.user_id AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY m.user_id, m.event_time ORDER BY v.huge DESC NULLS LAST) = 1
),
wide_sums__rows AS (
  SELECT
    m.user_id,
    m.t,
    v.huge
  FROM wide_sums__match AS m
  JOIN wide_sums__winners AS v
    ON m.user_id = v.user_id AND m.event_time = v.event_time
),
-- pairs: one frame
wide_sums__windows AS (
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
    FROM wide_sums__moments AS m
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
        v._1
      FROM wide_sums__events AS v
    ) AS v
  ) AS v
    ON m.user_id = v.user_id
    AND m.bucket = v.bucket
    AND v.event_time <= m.t
    AND v.event_time >= m.since0
  GROUP BY
    m.user_id,
    m.t
)
SELECT
  s.user_id,
  s.event_timestamp,
  CAST(CASE
    WHEN NOT s.t IS NULL
    AND CASE
      WHEN NOT sums_windows.w0 BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN CAST(CASE
        WHEN NOT sums_windows.w0 BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN 'asknown: feature \'total\' of \'sums\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      END AS INT) > 0
      ELSE TRUE
    END
    THEN sums_windows.w0
  END AS BIGINT) AS total,
  CAST(CASE
    WHEN NOT s.t IS NULL
    AND CASE
      WHEN NOT wide_sums_windows.w0 BETWEEN -99999999999999999999999999999999999999 AND 99999999999999999999999999999999999999
      THEN CAST(CASE
        WHEN NOT wide_sums_windows.w0 BETWEEN -99999999999999999999999999999999999999 AND 99999999999999999999999999999999999999
        THEN 'asknown: feature \'wide_total\' of \'wide_sums\' is a sum of integers beyond 38 digits: cast its input to double'
      END AS INT) > 0
      ELSE TRUE
    END
    THEN wide_sums_windows.w0
  END AS DECIMAL(38, 0)) AS wide_total,
  CAST(CASE WHEN NOT s.t IS NULL THEN CAST(wide_sums_windows.w0 AS DECIMAL(38, 0)) END AS DECIMAL(38, 0)) AS cast_total,
  CAST(wide_sums.huge AS DECIMAL(38, 0)) AS huge
FROM spine AS s
LEFT JOIN sums__windows AS sums_windows
  ON s.user_id = sums_windows.user_id AND s.t = sums_windows.t
LEFT JOIN wide_sums__rows AS wide_sums
  ON s.user_id = wide_sums.user_id AND s.t = wide_sums.t
LEFT JOIN wide_sums__windows AS wide_sums_windows
  ON s.user_id = wide_sums_windows.user_id AND s.t = wide_sums_windows.t
ORDER BY
  s."ROW"
