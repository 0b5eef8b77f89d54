-- asknown compile readings --dialect bigquery
-- Written by asknown. Session: time zone UTC.
WITH
`raw-readings` AS (
  SELECT
    `user_id`,
    DATETIME(TIMESTAMP(`local_time`, 'America/New_York'), 'UTC') AS `local_time`,
    `reading`
  FROM `main`.`readings`
),
`readings` AS (
  SELECT
    user_id,
    local_time,
    reading
  FROM `raw-readings`
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
-- readings: the distinct moments, by user_id
`readings__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`readings__match` AS (
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
        ORDER BY `t`, `place`
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
          UNIX_MICROS(TIMESTAMP(`v`.`local_time`, 'UTC')) AS `event_time`
        FROM `readings` AS `v`
        WHERE
          NOT UNIX_MICROS(TIMESTAMP(`v`.`local_time`, 'UTC')) IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `readings__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`readings__asked` AS (
  SELECT DISTINCT
    `user_id`,
    `event_time`
  FROM `readings__match`
),
`readings__winners` AS (
  SELECT
    `m`.`user_id`,
    `m`.`event_time`,
    `v`.`reading`
  FROM `readings__asked` AS `m`
  JOIN `readings` AS `v`
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`event_time` = UNIX_MICROS(TIMESTAMP(`v`.`local_time`, 'UTC'))
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY `m`.`user_id`, `m`.`event_time` ORDER BY `v`.`reading` DESC) = 1
),
`readings__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`reading`
  FROM `readings__match` AS `m`
  JOIN `readings__winners` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`event_time`
)
SELECT
  `s`.`user_id`,
  `s`.`event_timestamp`,
  CAST(`readings`.`reading` AS INT64) AS `reading`
FROM `spine` AS `s`
LEFT JOIN `readings__rows` AS `readings`
  ON `s`.`user_id` = `readings`.`user_id` AND `s`.`t` = `readings`.`t`
