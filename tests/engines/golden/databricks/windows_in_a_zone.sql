-- asknown compile nights --dialect databricks
-- Written by asknown. Session: time zone UTC.
WITH
`raw.events` AS (
  SELECT
    `user_id`,
    TRANSFORM(
      TRANSFORM(
        ARRAY(CONVERT_TIMEZONE('America/New_York', 'UTC', `ts`)),
        `e` -> STRUCT(
          `e` AS `e`,
          `ts` - (
            CONVERT_TIMEZONE('UTC', 'America/New_York', `e` + INTERVAL '3' HOUR) - (
              `e` + INTERVAL '3' HOUR
            )
          ) AS `l`
        )
      ),
      `s` -> CASE
        WHEN CONVERT_TIMEZONE('UTC', 'America/New_York', `s`.`l`) = `ts`
        THEN GREATEST(`s`.`e`, `s`.`l`)
        ELSE `s`.`e`
      END
    )[0] AS `ts`
  FROM `main`.`events`
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
-- rows of nights, without its trailing windows
`nights__events` AS (
  SELECT
    user_id,
    ts
  FROM `raw.events`
),
-- nights: the distinct moments, by user_id
`nights__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- pairs: one frame
`nights__windows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    COUNT(*) AS `w0`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - INTERVAL '1' DAY AS `since0`,
      UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 21600000000 - `buckets`.`back` AS `bucket`
    FROM `nights__moments` AS `m`
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
      UNIX_MICROS(CAST(`v`.`event_time` AS TIMESTAMP_LTZ)) DIV 21600000000 AS `bucket`
    FROM (
      SELECT
        `v`.`user_id`,
        `v`.`ts` AS `event_time`
      FROM `nights__events` AS `v`
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
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN COALESCE(`nights_windows`.`w0`, 0) END AS BIGINT) AS `n_24h`
FROM `spine` AS `s`
LEFT JOIN `nights__windows` AS `nights_windows`
  ON `s`.`user_id` = `nights_windows`.`user_id` AND `s`.`t` = `nights_windows`.`t`
