-- asknown compile rates balance --dialect databricks
-- Written by asknown. Session: time zone UTC.
WITH
`raw.rates` AS (
  SELECT
    *
  FROM `main`.`rates`
),
`raw.balances` AS (
  SELECT
    *
  FROM `main`.`balances`
),
`rates` AS (
  SELECT
    ts,
    rate
  FROM `raw.rates`
),
`balance` AS (
  SELECT
    user_id,
    ts,
    amount
  FROM `raw.balances`
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
-- rates: the distinct moments, by no key
`rates__moments` AS (
  SELECT DISTINCT
    `t`
  FROM `spine`
  WHERE
    NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`rates__match` AS (
  SELECT
    `v`.`t`,
    `v`.`event_time`
  FROM (
    SELECT
      `t`,
      `place`,
      MAX(`event_time`) OVER (
        ORDER BY `t` NULLS LAST, `place` NULLS LAST
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS `event_time`
    FROM (
      SELECT
        `event_time` AS `t`,
        0 AS `place`,
        `event_time`
      FROM (
        SELECT
          `v`.`ts` AS `event_time`
        FROM `rates` AS `v`
        WHERE
          NOT `v`.`ts` IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `rates__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`rates__asked` AS (
  SELECT DISTINCT
    `event_time`
  FROM `rates__match`
),
`rates__winners` AS (
  SELECT
    `m`.`event_time`,
    `v`.`rate`
  FROM `rates__asked` AS `m`
  JOIN `rates` AS `v`
    ON `m`.`event_time` = `v`.`ts`
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY `m`.`event_time` ORDER BY `v`.`rate` DESC) = 1
),
`rates__rows` AS (
  SELECT
    `m`.`t`,
    `v`.`rate`
  FROM `rates__match` AS `m`
  JOIN `rates__winners` AS `v`
    ON `m`.`event_time` = `v`.`event_time`
),
-- balance: the distinct moments, by user_id
`balance__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`balance__match` AS (
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
        FROM `balance` AS `v`
        WHERE
          NOT `v`.`ts` IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `balance__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`balance__asked` AS (
  SELECT DISTINCT
    `user_id`,
    `event_time`
  FROM `balance__match`
),
`balance__winners` AS (
  SELECT
    `m`.`user_id`,
    `m`.`event_time`,
    `v`.`amount`
  FROM `balance__asked` AS `m`
  JOIN `balance` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`ts`
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY `m`.`user_id`, `m`.`event_time` ORDER BY `v`.`amount` DESC) = 1
),
`balance__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`amount`
  FROM `balance__match` AS `m`
  JOIN `balance__winners` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`event_time`
)
SELECT
  `s`.`user_id`,
  `s`.`event_timestamp`,
  CAST(`rates`.`rate` AS INT) AS `rate`,
  CAST(`balance`.`amount` AS INT) AS `amount`
FROM `spine` AS `s`
LEFT JOIN `rates__rows` AS `rates`
  ON `s`.`t` = `rates`.`t`
LEFT JOIN `balance__rows` AS `balance`
  ON `s`.`user_id` = `balance`.`user_id` AND `s`.`t` = `balance`.`t`
