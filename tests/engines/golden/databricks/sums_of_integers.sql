-- asknown compile sums wide_sums --dialect databricks
-- Written by asknown. Session: time zone UTC.
WITH
`raw.payments` AS (
  SELECT
    *
  FROM `main`.`payments`
),
`given` AS (
  SELECT user_id, event_timestamp FROM spine
),
-- the spine, with its instant in UTC
`spine` AS (
  SELECT
    MONOTONICALLY_INCREASING_ID() AS `row`,
    `given`.`event_timestamp` AS `t`,
    `given`.*
  FROM `given`
),
-- rows of sums, without its trailing windows
`sums__events` AS (
  SELECT
    user_id,
    ts,
    cents AS `_1`,
    late AS `_2`
  FROM `raw.payments`
),
-- sums: the distinct moments, by user_id
`sums__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- bands: each row into its band of age, once for 2 frames
`sums__windows` AS (
  SELECT
    `user_id`,
    `t`,
    SUM(CAST(`b0` AS DECIMAL(38, 0))) AS `w0`,
    SUM(CAST(`b1` AS DECIMAL(38, 0))) AS `w1`,
    SUM(CAST(`b0` AS DECIMAL(38, 0))) FILTER(WHERE
      `band` BETWEEN 0 AND 0) AS `w2`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      CASE WHEN `v`.`event_time` >= `m`.`since0` THEN 0 ELSE 1 END AS `band`,
      SUM(CAST(`v`.`_1` AS DECIMAL(38, 0))) AS `b0`,
      SUM(CAST(`v`.`_2` AS DECIMAL(38, 0))) AS `b1`
    FROM (
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        `m`.`t` - INTERVAL '1' HOUR AS `since0`,
        `m`.`t` - INTERVAL '3' HOUR AS `since1`,
        UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 2700000000 - `buckets`.`back` AS `bucket`
      FROM `sums__moments` AS `m`
      CROSS JOIN VALUES
        (0),
        (1),
        (2),
        (3),
        (4) AS `buckets`(`back`)
    ) AS `m`
    JOIN (
      SELECT
        *,
        UNIX_MICROS(CAST(`v`.`event_time` AS TIMESTAMP_LTZ)) DIV 2700000000 AS `bucket`
      FROM (
        SELECT
          `v`.`user_id`,
          `v`.`ts` AS `event_time`,
          `v`.`_1`,
          `v`.`_2`
        FROM `sums__events` AS `v`
      ) AS `v`
    ) AS `v`
      ON `m`.`user_id` = `v`.`user_id`
      AND `m`.`bucket` = `v`.`bucket`
      AND `v`.`event_time` <= `m`.`t`
      AND `v`.`event_time` >= `m`.`since1`
    GROUP BY
      `m`.`user_id`,
      `m`.`t`,
      CASE WHEN `v`.`event_time` >= `m`.`since0` THEN 0 ELSE 1 END
  ) AS `bands`
  GROUP BY
    `user_id`,
    `t`
),
-- rows of wide_sums, without its trailing windows
`wide_sums__events` AS (
  SELECT
    user_id,
    ts,
    CAST(cents AS DECIMAL(38, 0)) AS huge,
    cents AS `_1`
  FROM `raw.payments`
),
-- wide_sums: the distinct moments, by user_id
`wide_sums__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`wide_sums__match` AS (
  SELECT
    `v`.`user_id`,
    `v`.`t`,
    `v`.`event_time`
  FROM (
    SELECT
      `user_id`,
      `t`,
      `place`,
      MAX(`event_time`) OVER (
        PARTITION BY `user_id`
        ORDER BY `t` NULLS LAST, `place` NULLS LAST
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS `event_time`
    FROM (
      SELECT
        `user_id`,
        `event_time` AS `t`,
        0 AS `place`,
        `event_time`
      FROM (
        SELECT
          `v`.`user_id`,
          `v`.`ts` AS `event_time`
        FROM `wide_sums__events` AS `v`
        WHERE
          NOT `v`.`ts` IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `wide_sums__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`wide_sums__asked` AS (
  SELECT DISTINCT
    `user_id`,
    `event_time`
  FROM `wide_sums__match`
),
`wide_sums__winners` AS (
  SELECT
    `m`.`user_id`,
    `m`.`event_time`,
    `v`.`huge`
  FROM `wide_sums__asked` AS `m`
  JOIN `wide_sums__events` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`ts`
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY `m`.`user_id`, `m`.`event_time` ORDER BY `v`.`huge` DESC) = 1
),
`wide_sums__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`huge`
  FROM `wide_sums__match` AS `m`
  JOIN `wide_sums__winners` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`event_time`
),
-- pairs: one frame
`wide_sums__windows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    SUM(CAST(`v`.`_1` AS DECIMAL(38, 0))) AS `w0`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - INTERVAL '3' HOUR AS `since0`,
      UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 2700000000 - `buckets`.`back` AS `bucket`
    FROM `wide_sums__moments` AS `m`
    CROSS JOIN VALUES
      (0),
      (1),
      (2),
      (3),
      (4) AS `buckets`(`back`)
  ) AS `m`
  JOIN (
    SELECT
      *,
      UNIX_MICROS(CAST(`v`.`event_time` AS TIMESTAMP_LTZ)) DIV 2700000000 AS `bucket`
    FROM (
      SELECT
        `v`.`user_id`,
        `v`.`ts` AS `event_time`,
        `v`.`_1`
      FROM `wide_sums__events` AS `v`
    ) AS `v`
  ) AS `v`
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`bucket` = `v`.`bucket`
    AND `v`.`event_time` <= `m`.`t`
    AND `v`.`event_time` >= `m`.`since0`
  GROUP BY
    `m`.`user_id`,
    `m`.`t`
)
SELECT
  `s`.`user_id`,
  `s`.`event_timestamp`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    AND CASE
      WHEN NOT `sums_windows`.`w0` BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN RAISE_ERROR(
        'asknown: feature \'total\' of \'sums\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      )
      ELSE TRUE
    END
    THEN `sums_windows`.`w0`
  END AS BIGINT) AS `total`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    AND CASE
      WHEN NOT `sums_windows`.`w1` BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN RAISE_ERROR(
        'asknown: feature \'late_payments\' of \'sums\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      )
      ELSE TRUE
    END
    THEN `sums_windows`.`w1`
  END AS BIGINT) AS `late_payments`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    AND CASE
      WHEN NOT COALESCE(`sums_windows`.`w0`, 0) - COALESCE(`sums_windows`.`w2`, 0) BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN RAISE_ERROR(
        'asknown: feature \'before\' of \'sums\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      )
      ELSE TRUE
    END
    THEN COALESCE(`sums_windows`.`w0`, 0) - COALESCE(`sums_windows`.`w2`, 0)
  END AS BIGINT) AS `before`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    AND CASE
      WHEN NOT `wide_sums_windows`.`w0` BETWEEN -99999999999999999999999999999999999999 AND 99999999999999999999999999999999999999
      THEN RAISE_ERROR(
        'asknown: feature \'wide_total\' of \'wide_sums\' is a sum of integers beyond 38 digits: cast its input to double'
      )
      ELSE TRUE
    END
    THEN `wide_sums_windows`.`w0`
  END AS DECIMAL(38, 0)) AS `wide_total`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    THEN CAST(`wide_sums_windows`.`w0` AS DECIMAL(38, 0))
  END AS DECIMAL(38, 0)) AS `cast_total`,
  CAST(`wide_sums`.`huge` AS DECIMAL(38, 0)) AS `huge`
FROM `spine` AS `s`
LEFT JOIN `sums__windows` AS `sums_windows`
  ON `s`.`user_id` = `sums_windows`.`user_id` AND `s`.`t` = `sums_windows`.`t`
LEFT JOIN `wide_sums__rows` AS `wide_sums`
  ON `s`.`user_id` = `wide_sums`.`user_id` AND `s`.`t` = `wide_sums`.`t`
LEFT JOIN `wide_sums__windows` AS `wide_sums_windows`
  ON `s`.`user_id` = `wide_sums_windows`.`user_id`
  AND `s`.`t` = `wide_sums_windows`.`t`
ORDER BY
  `s`.`row`

-- asknown compile wide_sums --dialect databricks
-- Written by asknown. Session: time zone UTC.
WITH
`raw.payments` AS (
  SELECT
    *
  FROM `main`.`payments`
),
`given` AS (
  SELECT user_id, event_timestamp FROM spine
),
-- the spine, with its instant in UTC
`spine` AS (
  SELECT
    MONOTONICALLY_INCREASING_ID() AS `row`,
    `given`.`event_timestamp` AS `t`,
    `given`.*
  FROM `given`
),
-- rows of wide_sums, without its trailing windows
`wide_sums__events` AS (
  SELECT
    user_id,
    ts,
    CAST(cents AS DECIMAL(38, 0)) AS huge,
    cents AS `_1`
  FROM `raw.payments`
),
-- wide_sums: the distinct moments, by user_id
`wide_sums__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`wide_sums__match` AS (
  SELECT
    `v`.`user_id`,
    `v`.`t`,
    `v`.`event_time`
  FROM (
    SELECT
      `user_id`,
      `t`,
      `place`,
      MAX(`event_time`) OVER (
        PARTITION BY `user_id`
        ORDER BY `t` NULLS LAST, `place` NULLS LAST
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS `event_time`
    FROM (
      SELECT
        `user_id`,
        `event_time` AS `t`,
        0 AS `place`,
        `event_time`
      FROM (
        SELECT
          `v`.`user_id`,
          `v`.`ts` AS `event_time`
        FROM `wide_sums__events` AS `v`
        WHERE
          NOT `v`.`ts` IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `wide_sums__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`wide_sums__asked` AS (
  SELECT DISTINCT
    `user_id`,
    `event_time`
  FROM `wide_sums__match`
),
`wide_sums__winners` AS (
  SELECT
    `m`.`user_id`,
    `m`.`event_time`,
    `v`.`huge`
  FROM `wide_sums__asked` AS `m`
  JOIN `wide_sums__events` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`ts`
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY `m`.`user_id`, `m`.`event_time` ORDER BY `v`.`huge` DESC) = 1
),
`wide_sums__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`huge`
  FROM `wide_sums__match` AS `m`
  JOIN `wide_sums__winners` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`event_time`
),
-- pairs: one frame
`wide_sums__windows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    SUM(CAST(`v`.`_1` AS DECIMAL(38, 0))) AS `w0`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - INTERVAL '3' HOUR AS `since0`,
      UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 2700000000 - `buckets`.`back` AS `bucket`
    FROM `wide_sums__moments` AS `m`
    CROSS JOIN VALUES
      (0),
      (1),
      (2),
      (3),
      (4) AS `buckets`(`back`)
  ) AS `m`
  JOIN (
    SELECT
      *,
      UNIX_MICROS(CAST(`v`.`event_time` AS TIMESTAMP_LTZ)) DIV 2700000000 AS `bucket`
    FROM (
      SELECT
        `v`.`user_id`,
        `v`.`ts` AS `event_time`,
        `v`.`_1`
      FROM `wide_sums__events` AS `v`
    ) AS `v`
  ) AS `v`
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`bucket` = `v`.`bucket`
    AND `v`.`event_time` <= `m`.`t`
    AND `v`.`event_time` >= `m`.`since0`
  GROUP BY
    `m`.`user_id`,
    `m`.`t`
)
SELECT
  `s`.`user_id`,
  `s`.`event_timestamp`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    AND CASE
      WHEN NOT `wide_sums_windows`.`w0` BETWEEN -99999999999999999999999999999999999999 AND 99999999999999999999999999999999999999
      THEN RAISE_ERROR(
        'asknown: feature \'wide_total\' of \'wide_sums\' is a sum of integers beyond 38 digits: cast its input to double'
      )
      ELSE TRUE
    END
    THEN `wide_sums_windows`.`w0`
  END AS DECIMAL(38, 0)) AS `wide_total`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    THEN CAST(`wide_sums_windows`.`w0` AS DECIMAL(38, 0))
  END AS DECIMAL(38, 0)) AS `cast_total`,
  CAST(`wide_sums`.`huge` AS DECIMAL(38, 0)) AS `huge`
FROM `spine` AS `s`
LEFT JOIN `wide_sums__rows` AS `wide_sums`
  ON `s`.`user_id` = `wide_sums`.`user_id` AND `s`.`t` = `wide_sums`.`t`
LEFT JOIN `wide_sums__windows` AS `wide_sums_windows`
  ON `s`.`user_id` = `wide_sums_windows`.`user_id`
  AND `s`.`t` = `wide_sums_windows`.`t`
ORDER BY
  `s`.`row`

-- asknown compile sums:before sums:late_payments --dialect databricks
-- Written by asknown. Session: time zone UTC.
WITH
`raw.payments` AS (
  SELECT
    *
  FROM `main`.`payments`
),
`given` AS (
  SELECT user_id, event_timestamp FROM spine
),
-- the spine, with its instant in UTC
`spine` AS (
  SELECT
    MONOTONICALLY_INCREASING_ID() AS `row`,
    `given`.`event_timestamp` AS `t`,
    `given`.*
  FROM `given`
),
-- rows of sums, without its trailing windows
`sums__events` AS (
  SELECT
    user_id,
    ts,
    cents AS `_1`,
    late AS `_2`
  FROM `raw.payments`
),
-- sums: the distinct moments, by user_id
`sums__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- bands: each row into its band of age, once for 2 frames
`sums__windows` AS (
  SELECT
    `user_id`,
    `t`,
    SUM(CAST(`b0` AS DECIMAL(38, 0))) AS `w0`,
    SUM(CAST(`b1` AS DECIMAL(38, 0))) AS `w1`,
    SUM(CAST(`b0` AS DECIMAL(38, 0))) FILTER(WHERE
      `band` BETWEEN 0 AND 0) AS `w2`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      CASE WHEN `v`.`event_time` >= `m`.`since0` THEN 0 ELSE 1 END AS `band`,
      SUM(CAST(`v`.`_1` AS DECIMAL(38, 0))) AS `b0`,
      SUM(CAST(`v`.`_2` AS DECIMAL(38, 0))) AS `b1`
    FROM (
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        `m`.`t` - INTERVAL '1' HOUR AS `since0`,
        `m`.`t` - INTERVAL '3' HOUR AS `since1`,
        UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 2700000000 - `buckets`.`back` AS `bucket`
      FROM `sums__moments` AS `m`
      CROSS JOIN VALUES
        (0),
        (1),
        (2),
        (3),
        (4) AS `buckets`(`back`)
    ) AS `m`
    JOIN (
      SELECT
        *,
        UNIX_MICROS(CAST(`v`.`event_time` AS TIMESTAMP_LTZ)) DIV 2700000000 AS `bucket`
      FROM (
        SELECT
          `v`.`user_id`,
          `v`.`ts` AS `event_time`,
          `v`.`_1`,
          `v`.`_2`
        FROM `sums__events` AS `v`
      ) AS `v`
    ) AS `v`
      ON `m`.`user_id` = `v`.`user_id`
      AND `m`.`bucket` = `v`.`bucket`
      AND `v`.`event_time` <= `m`.`t`
      AND `v`.`event_time` >= `m`.`since1`
    GROUP BY
      `m`.`user_id`,
      `m`.`t`,
      CASE WHEN `v`.`event_time` >= `m`.`since0` THEN 0 ELSE 1 END
  ) AS `bands`
  GROUP BY
    `user_id`,
    `t`
)
SELECT
  `s`.`user_id`,
  `s`.`event_timestamp`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    AND CASE
      WHEN NOT COALESCE(`sums_windows`.`w0`, 0) - COALESCE(`sums_windows`.`w2`, 0) BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN RAISE_ERROR(
        'asknown: feature \'before\' of \'sums\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      )
      ELSE TRUE
    END
    THEN COALESCE(`sums_windows`.`w0`, 0) - COALESCE(`sums_windows`.`w2`, 0)
  END AS BIGINT) AS `before`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    AND CASE
      WHEN NOT `sums_windows`.`w1` BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN RAISE_ERROR(
        'asknown: feature \'late_payments\' of \'sums\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      )
      ELSE TRUE
    END
    THEN `sums_windows`.`w1`
  END AS BIGINT) AS `late_payments`
FROM `spine` AS `s`
LEFT JOIN `sums__windows` AS `sums_windows`
  ON `s`.`user_id` = `sums_windows`.`user_id` AND `s`.`t` = `sums_windows`.`t`
ORDER BY
  `s`.`row`

-- asknown compile sums:total --dialect databricks
-- Written by asknown. Session: time zone UTC.
WITH
`raw.payments` AS (
  SELECT
    *
  FROM `main`.`payments`
),
`given` AS (
  SELECT user_id, event_timestamp FROM spine
),
-- the spine, with its instant in UTC
`spine` AS (
  SELECT
    MONOTONICALLY_INCREASING_ID() AS `row`,
    `given`.`event_timestamp` AS `t`,
    `given`.*
  FROM `given`
),
-- rows of sums, without its trailing windows
`sums__events` AS (
  SELECT
    user_id,
    ts,
    cents AS `_1`,
    late AS `_2`
  FROM `raw.payments`
),
-- sums: the distinct moments, by user_id
`sums__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- pairs: one frame
`sums__windows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    SUM(CAST(`v`.`_1` AS DECIMAL(38, 0))) AS `w0`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - INTERVAL '3' HOUR AS `since0`,
      UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 2700000000 - `buckets`.`back` AS `bucket`
    FROM `sums__moments` AS `m`
    CROSS JOIN VALUES
      (0),
      (1),
      (2),
      (3),
      (4) AS `buckets`(`back`)
  ) AS `m`
  JOIN (
    SELECT
      *,
      UNIX_MICROS(CAST(`v`.`event_time` AS TIMESTAMP_LTZ)) DIV 2700000000 AS `bucket`
    FROM (
      SELECT
        `v`.`user_id`,
        `v`.`ts` AS `event_time`,
        `v`.`_1`
      FROM `sums__events` AS `v`
    ) AS `v`
  ) AS `v`
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`bucket` = `v`.`bucket`
    AND `v`.`event_time` <= `m`.`t`
    AND `v`.`event_time` >= `m`.`since0`
  GROUP BY
    `m`.`user_id`,
    `m`.`t`
)
SELECT
  `s`.`user_id`,
  `s`.`event_timestamp`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    AND CASE
      WHEN NOT `sums_windows`.`w0` BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN RAISE_ERROR(
        'asknown: feature \'total\' of \'sums\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      )
      ELSE TRUE
    END
    THEN `sums_windows`.`w0`
  END AS BIGINT) AS `total`
FROM `spine` AS `s`
LEFT JOIN `sums__windows` AS `sums_windows`
  ON `s`.`user_id` = `sums_windows`.`user_id` AND `s`.`t` = `sums_windows`.`t`
ORDER BY
  `s`.`row`

-- asknown compile sums:total wide_sums --dialect databricks
-- Written by asknown. Session: time zone UTC.
WITH
`raw.payments` AS (
  SELECT
    *
  FROM `main`.`payments`
),
`given` AS (
  SELECT user_id, event_timestamp FROM spine
),
-- the spine, with its instant in UTC
`spine` AS (
  SELECT
    MONOTONICALLY_INCREASING_ID() AS `row`,
    `given`.`event_timestamp` AS `t`,
    `given`.*
  FROM `given`
),
-- rows of sums, without its trailing windows
`sums__events` AS (
  SELECT
    user_id,
    ts,
    cents AS `_1`,
    late AS `_2`
  FROM `raw.payments`
),
-- sums: the distinct moments, by user_id
`sums__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- pairs: one frame
`sums__windows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    SUM(CAST(`v`.`_1` AS DECIMAL(38, 0))) AS `w0`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - INTERVAL '3' HOUR AS `since0`,
      UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 2700000000 - `buckets`.`back` AS `bucket`
    FROM `sums__moments` AS `m`
    CROSS JOIN VALUES
      (0),
      (1),
      (2),
      (3),
      (4) AS `buckets`(`back`)
  ) AS `m`
  JOIN (
    SELECT
      *,
      UNIX_MICROS(CAST(`v`.`event_time` AS TIMESTAMP_LTZ)) DIV 2700000000 AS `bucket`
    FROM (
      SELECT
        `v`.`user_id`,
        `v`.`ts` AS `event_time`,
        `v`.`_1`
      FROM `sums__events` AS `v`
    ) AS `v`
  ) AS `v`
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`bucket` = `v`.`bucket`
    AND `v`.`event_time` <= `m`.`t`
    AND `v`.`event_time` >= `m`.`since0`
  GROUP BY
    `m`.`user_id`,
    `m`.`t`
),
-- rows of wide_sums, without its trailing windows
`wide_sums__events` AS (
  SELECT
    user_id,
    ts,
    CAST(cents AS DECIMAL(38, 0)) AS huge,
    cents AS `_1`
  FROM `raw.payments`
),
-- wide_sums: the distinct moments, by user_id
`wide_sums__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`wide_sums__match` AS (
  SELECT
    `v`.`user_id`,
    `v`.`t`,
    `v`.`event_time`
  FROM (
    SELECT
      `user_id`,
      `t`,
      `place`,
      MAX(`event_time`) OVER (
        PARTITION BY `user_id`
        ORDER BY `t` NULLS LAST, `place` NULLS LAST
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS `event_time`
    FROM (
      SELECT
        `user_id`,
        `event_time` AS `t`,
        0 AS `place`,
        `event_time`
      FROM (
        SELECT
          `v`.`user_id`,
          `v`.`ts` AS `event_time`
        FROM `wide_sums__events` AS `v`
        WHERE
          NOT `v`.`ts` IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `wide_sums__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`wide_sums__asked` AS (
  SELECT DISTINCT
    `user_id`,
    `event_time`
  FROM `wide_sums__match`
),
`wide_sums__winners` AS (
  SELECT
    `m`.`user_id`,
    `m`.`event_time`,
    `v`.`huge`
  FROM `wide_sums__asked` AS `m`
  JOIN `wide_sums__events` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`ts`
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY `m`.`user_id`, `m`.`event_time` ORDER BY `v`.`huge` DESC) = 1
),
`wide_sums__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`huge`
  FROM `wide_sums__match` AS `m`
  JOIN `wide_sums__winners` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`event_time`
),
-- pairs: one frame
`wide_sums__windows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    SUM(CAST(`v`.`_1` AS DECIMAL(38, 0))) AS `w0`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - INTERVAL '3' HOUR AS `since0`,
      UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 2700000000 - `buckets`.`back` AS `bucket`
    FROM `wide_sums__moments` AS `m`
    CROSS JOIN VALUES
      (0),
      (1),
      (2),
      (3),
      (4) AS `buckets`(`back`)
  ) AS `m`
  JOIN (
    SELECT
      *,
      UNIX_MICROS(CAST(`v`.`event_time` AS TIMESTAMP_LTZ)) DIV 2700000000 AS `bucket`
    FROM (
      SELECT
        `v`.`user_id`,
        `v`.`ts` AS `event_time`,
        `v`.`_1`
      FROM `wide_sums__events` AS `v`
    ) AS `v`
  ) AS `v`
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`bucket` = `v`.`bucket`
    AND `v`.`event_time` <= `m`.`t`
    AND `v`.`event_time` >= `m`.`since0`
  GROUP BY
    `m`.`user_id`,
    `m`.`t`
)
SELECT
  `s`.`user_id`,
  `s`.`event_timestamp`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    AND CASE
      WHEN NOT `sums_windows`.`w0` BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN RAISE_ERROR(
        'asknown: feature \'total\' of \'sums\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      )
      ELSE TRUE
    END
    THEN `sums_windows`.`w0`
  END AS BIGINT) AS `total`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    AND CASE
      WHEN NOT `wide_sums_windows`.`w0` BETWEEN -99999999999999999999999999999999999999 AND 99999999999999999999999999999999999999
      THEN RAISE_ERROR(
        'asknown: feature \'wide_total\' of \'wide_sums\' is a sum of integers beyond 38 digits: cast its input to double'
      )
      ELSE TRUE
    END
    THEN `wide_sums_windows`.`w0`
  END AS DECIMAL(38, 0)) AS `wide_total`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    THEN CAST(`wide_sums_windows`.`w0` AS DECIMAL(38, 0))
  END AS DECIMAL(38, 0)) AS `cast_total`,
  CAST(`wide_sums`.`huge` AS DECIMAL(38, 0)) AS `huge`
FROM `spine` AS `s`
LEFT JOIN `sums__windows` AS `sums_windows`
  ON `s`.`user_id` = `sums_windows`.`user_id` AND `s`.`t` = `sums_windows`.`t`
LEFT JOIN `wide_sums__rows` AS `wide_sums`
  ON `s`.`user_id` = `wide_sums`.`user_id` AND `s`.`t` = `wide_sums`.`t`
LEFT JOIN `wide_sums__windows` AS `wide_sums_windows`
  ON `s`.`user_id` = `wide_sums_windows`.`user_id`
  AND `s`.`t` = `wide_sums_windows`.`t`
ORDER BY
  `s`.`row`
