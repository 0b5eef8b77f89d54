-- asknown compile pages --dialect bigquery
-- Written by asknown. Session: time zone UTC.
WITH
`raw-visits` AS (
  SELECT
    *
  FROM `main`.`visits`
),
`given` AS (
  SELECT user_id, event_timestamp FROM spine
),
-- the spine, with its instant in UTC
`spine` AS (
  SELECT
    UNIX_MICROS(TIMESTAMP(`given`.`event_timestamp`, 'UTC')) AS `t`,
    `given`.*
  FROM `given`
),
-- rows of pages, without its trailing windows
`pages__events` AS (
  SELECT
    user_id,
    ts,
    seconds > 10 AS `_1`,
    page = 'cart' AND seconds > 10 AS `_2`,
    page AS `_3`,
    seconds IS NULL AS `_4`
  FROM `raw-visits`
),
-- pages: the distinct moments, by user_id
`pages__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- pairs: every value is needed
`pages__windows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    COUNT(CASE WHEN `v`.`_1` THEN 1 END) AS `w0`,
    COUNT(CASE WHEN `v`.`_2` THEN 1 END) AS `w1`,
    STRING_AGG(
      CASE WHEN NOT `v`.`_3` IS NULL THEN `v`.`_3` END, ' > '
      ORDER BY
        `v`.`event_time`,
        `v`.`_3` ASC
    ) AS `w2`,
    STRING_AGG(

        CASE
          WHEN `v`.`event_time` >= (
            `m`.`t` - 3600000000
          )
          AND `v`.`_4`
          AND NOT `v`.`_3` IS NULL
          THEN `v`.`_3`
        END,
        ','

      ORDER BY
        `v`.`event_time`,
        `v`.`_3` ASC
    ) AS `w3`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - 3600000000 AS `since0`,
      `m`.`t` - 10800000000 AS `since1`,
      DIV(`m`.`t`, 2700000000) - `buckets`.`back` AS `bucket`
    FROM `pages__moments` AS `m`
    CROSS JOIN (
      SELECT
        0 AS `back`
      UNION ALL
      SELECT
        1 AS `back`
      UNION ALL
      SELECT
        2 AS `back`
      UNION ALL
      SELECT
        3 AS `back`
      UNION ALL
      SELECT
        4 AS `back`
    ) AS `buckets`
  ) AS `m`
  JOIN (
    SELECT
      *,
      DIV(`v`.`event_time`, 2700000000) AS `bucket`
    FROM (
      SELECT
        `v`.`user_id`,
        UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC')) AS `event_time`,
        `v`.`_1`,
        `v`.`_2`,
        `v`.`_3`,
        `v`.`_4`
      FROM `pages__events` AS `v`
    ) AS `v`
  ) AS `v`
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`bucket` = `v`.`bucket`
    AND `v`.`event_time` <= `m`.`t`
    AND `v`.`event_time` >= `m`.`since1`
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
      WHEN NOT COALESCE(`pages_windows`.`w0`, 0) BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN ERROR(
        'asknown: feature \'long_visits\' of \'pages\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      )
      ELSE TRUE
    END
    THEN COALESCE(`pages_windows`.`w0`, 0)
  END AS INT64) AS `long_visits`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    AND CASE
      WHEN NOT COALESCE(`pages_windows`.`w1`, 0) BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN ERROR(
        'asknown: feature \'long_carts\' of \'pages\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      )
      ELSE TRUE
    END
    THEN COALESCE(`pages_windows`.`w1`, 0)
  END AS INT64) AS `long_carts`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `pages_windows`.`w2` END AS STRING) AS `path`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN COALESCE(`pages_windows`.`w3`, '-') END AS STRING) AS `unmeasured`
FROM `spine` AS `s`
LEFT JOIN `pages__windows` AS `pages_windows`
  ON `s`.`user_id` = `pages_windows`.`user_id` AND `s`.`t` = `pages_windows`.`t`
