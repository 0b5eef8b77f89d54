-- asknown compile lists --dialect databricks
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
    MONOTONICALLY_INCREASING_ID() AS `row`,
    `given`.`event_timestamp` AS `t`,
    `given`.*
  FROM `given`
),
-- rows of lists, without its trailing windows
`lists__events` AS (
  SELECT
    user_id,
    ts,
    page AS `_1`,
    seconds AS `_2`,
    page <> 'shop' AS `_3`
  FROM `raw.visits`
),
-- lists: the distinct moments, by user_id
`lists__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- pairs: every value is needed
`lists__windows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    TRY_ELEMENT_AT(
      TRANSFORM(
        FILTER(
          ARRAY(
            SORT_ARRAY(ARRAY_DISTINCT(COLLECT_LIST(`v`.`_1`) FILTER(WHERE
              NOT `v`.`_1` IS NULL)))
          ),
          `l` -> SIZE(l) > 0
        ),
        `l` -> `l`
      ),
      1
    ) AS `w0`,
    TRY_ELEMENT_AT(
      TRANSFORM(
        FILTER(
          ARRAY(
            SORT_ARRAY(
              ARRAY_DISTINCT(COLLECT_LIST(`v`.`_2`) FILTER(WHERE
                `v`.`_3` AND NOT `v`.`_2` IS NULL))
            )
          ),
          `l` -> SIZE(l) > 0
        ),
        `l` -> `l`
      ),
      1
    ) AS `w1`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - INTERVAL '3' HOUR AS `since0`,
      UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 2700000000 - `buckets`.`back` AS `bucket`
    FROM `lists__moments` AS `m`
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
        `v`.`_3`,
        `v`.`_2`
      FROM `lists__events` AS `v`
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
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `lists_windows`.`w0` END AS ARRAY<STRING>) AS `pages`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `lists_windows`.`w1` END AS ARRAY<BIGINT>) AS `lengths`
FROM `spine` AS `s`
LEFT JOIN `lists__windows` AS `lists_windows`
  ON `s`.`user_id` = `lists_windows`.`user_id` AND `s`.`t` = `lists_windows`.`t`
ORDER BY
  `s`.`row`
