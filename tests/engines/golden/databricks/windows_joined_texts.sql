-- asknown compile pages --dialect databricks
-- Written by asknown. Session: time zone UTC.
WITH
`raw.visits` AS (
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
    `given`.`event_timestamp` AS `t`,
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
  FROM `raw.visits`
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
    COUNT(*) FILTER(WHERE
      `v`.`_1`) AS `w0`,
    COUNT(*) FILTER(WHERE
      `v`.`_2`) AS `w1`,
    TRY_ELEMENT_AT(
      TRANSFORM(
        FILTER(
          ARRAY(
            SORT_ARRAY(
              COLLECT_LIST(STRUCT(STRUCT(`v`.`event_time`, `v`.`_3`) AS `k`, `v`.`_3` AS `x`)) FILTER(WHERE
                NOT `v`.`_3` IS NULL)
            )
          ),
          `l` -> SIZE(l) > 0
        ),
        `l` -> ARRAY_JOIN(TRANSFORM(l, `e` -> `e`.`x`), ' > ')
      ),
      1
    ) AS `w2`,
    TRY_ELEMENT_AT(
      TRANSFORM(
        FILTER(
          ARRAY(
            SORT_ARRAY(
              COLLECT_LIST(STRUCT(STRUCT(`v`.`event_time`, `v`.`_3`) AS `k`, `v`.`_3` AS `x`)) FILTER(WHERE
                `v`.`event_time` >= (
                  `m`.`t` - INTERVAL '1' HOUR
                )
                AND `v`.`_4`
                AND NOT `v`.`_3` IS NULL)
            )
          ),
          `l` -> SIZE(l) > 0
        ),
        `l` -> ARRAY_JOIN(TRANSFORM(l, `e` -> `e`.`x`), ',')
      ),
      1
    ) AS `w3`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - INTERVAL '1' HOUR AS `since0`,
      `m`.`t` - INTERVAL '3' HOUR AS `since1`,
      UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 2700000000 - `buckets`.`back` AS `bucket`
    FROM `pages__moments` AS `m`
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
      THEN RAISE_ERROR(
        'asknown: feature \'long_visits\' of \'pages\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      )
      ELSE TRUE
    END
    THEN COALESCE(`pages_windows`.`w0`, 0)
  END AS BIGINT) AS `long_visits`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    AND CASE
      WHEN NOT COALESCE(`pages_windows`.`w1`, 0) BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN RAISE_ERROR(
        'asknown: feature \'long_carts\' of \'pages\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      )
      ELSE TRUE
    END
    THEN COALESCE(`pages_windows`.`w1`, 0)
  END AS BIGINT) AS `long_carts`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `pages_windows`.`w2` END AS STRING) AS `path`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN COALESCE(`pages_windows`.`w3`, '-') END AS STRING) AS `unmeasured`
FROM `spine` AS `s`
LEFT JOIN `pages__windows` AS `pages_windows`
  ON `s`.`user_id` = `pages_windows`.`user_id` AND `s`.`t` = `pages_windows`.`t`
