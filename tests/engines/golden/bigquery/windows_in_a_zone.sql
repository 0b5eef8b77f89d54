-- asknown compile nights --dialect bigquery
-- Written by asknown. Session: time zone UTC.
WITH
`raw-events` AS (
  SELECT
    `user_id`,
    DATETIME(TIMESTAMP(`ts`, 'America/New_York'), 'UTC') AS `ts`
  FROM `main`.`events`
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
-- rows of nights, without its trailing windows
`nights__events` AS (
  SELECT
    user_id,
    ts
  FROM `raw-events`
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
      `m`.`t` - 86400000000 AS `since0`,
      DIV(`m`.`t`, 21600000000) - `buckets`.`back` AS `bucket`
    FROM `nights__moments` AS `m`
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
      DIV(`v`.`event_time`, 21600000000) AS `bucket`
    FROM (
      SELECT
        `v`.`user_id`,
        UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC')) AS `event_time`
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
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN COALESCE(`nights_windows`.`w0`, 0) END AS INT64) AS `n_24h`
FROM `spine` AS `s`
LEFT JOIN `nights__windows` AS `nights_windows`
  ON `s`.`user_id` = `nights_windows`.`user_id` AND `s`.`t` = `nights_windows`.`t`
