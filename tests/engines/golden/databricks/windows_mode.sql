-- asknown compile favourites --dialect databricks
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
-- rows of favourites, without its trailing windows
`favourites__events` AS (
  SELECT
    user_id,
    ts,
    page AS `_1`,
    seconds AS `_2`,
    page <> 'cart' AS `_3`
  FROM `raw.visits`
),
-- favourites: the distinct moments, by user_id
`favourites__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- pairs: every value is needed
`favourites__windows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    MODE(`v`.`_1`, TRUE) FILTER(WHERE
      NOT `v`.`_1` IS NULL) AS `w0`,
    MODE(`v`.`_2`, TRUE) FILTER(WHERE
      `v`.`_3` AND NOT `v`.`_2` IS NULL) AS `w1`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - INTERVAL '3' HOUR AS `since0`,
      UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 2700000000 - `buckets`.`back` AS `bucket`
    FROM `favourites__moments` AS `m`
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
      FROM `favourites__events` AS `v`
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
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `favourites_windows`.`w0` END AS STRING) AS `page`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `favourites_windows`.`w1` END AS BIGINT) AS `seconds`
FROM `spine` AS `s`
LEFT JOIN `favourites__windows` AS `favourites_windows`
  ON `s`.`user_id` = `favourites_windows`.`user_id`
  AND `s`.`t` = `favourites_windows`.`t`
ORDER BY
  `s`.`row`
