-- asknown compile deal --dialect bigquery
-- Written by asknown. Session: time zone UTC.
WITH
`raw-balances` AS (
  SELECT
    *
  FROM `main`.`balances`
),
`balance` AS (
  SELECT
    user_id,
    ts,
    amount
  FROM `raw-balances`
),
`given` AS (
  SELECT buyer_id, seller_id, event_timestamp FROM spine
),
-- the spine, with its instant in UTC
`spine` AS (
  SELECT
    ROW_NUMBER() OVER () AS `row`,
    UNIX_MICROS(TIMESTAMP(`given`.`event_timestamp`, 'UTC')) AS `t`,
    `given`.*
  FROM `given`
),
-- buyer: the distinct moments, by user_id
`buyer__moments` AS (
  SELECT DISTINCT
    `buyer_id` AS `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `buyer_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`buyer__match` AS (
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
          UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC')) AS `event_time`
        FROM `balance` AS `v`
        WHERE
          NOT UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC')) IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `buyer__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`buyer__asked` AS (
  SELECT DISTINCT
    `user_id`,
    `event_time`
  FROM `buyer__match`
),
`buyer__winners` AS (
  SELECT
    `m`.`user_id`,
    `m`.`event_time`,
    `v`.`amount`
  FROM `buyer__asked` AS `m`
  JOIN `balance` AS `v`
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`event_time` = UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC'))
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY `m`.`user_id`, `m`.`event_time` ORDER BY `v`.`amount` DESC) = 1
),
`buyer__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`amount`
  FROM `buyer__match` AS `m`
  JOIN `buyer__winners` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`event_time`
),
-- seller: the distinct moments, by user_id
`seller__moments` AS (
  SELECT DISTINCT
    `seller_id` AS `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `seller_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`seller__match` AS (
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
          UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC')) AS `event_time`
        FROM `balance` AS `v`
        WHERE
          NOT UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC')) IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `seller__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`seller__asked` AS (
  SELECT DISTINCT
    `user_id`,
    `event_time`
  FROM `seller__match`
),
`seller__winners` AS (
  SELECT
    `m`.`user_id`,
    `m`.`event_time`,
    `v`.`amount`
  FROM `seller__asked` AS `m`
  JOIN `balance` AS `v`
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`event_time` = UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC'))
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY `m`.`user_id`, `m`.`event_time` ORDER BY `v`.`amount` DESC) = 1
),
`seller__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`amount`
  FROM `seller__match` AS `m`
  JOIN `seller__winners` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`event_time`
)
SELECT
  `s`.`buyer_id`,
  `s`.`seller_id`,
  `s`.`event_timestamp`,
  CAST(`buyer`.`amount` AS INT64) AS `buyer__amount`,
  CAST(`seller`.`amount` AS INT64) AS `seller__amount`
FROM `spine` AS `s`
LEFT JOIN `buyer__rows` AS `buyer`
  ON `s`.`buyer_id` = `buyer`.`user_id` AND `s`.`t` = `buyer`.`t`
LEFT JOIN `seller__rows` AS `seller`
  ON `s`.`seller_id` = `seller`.`user_id` AND `s`.`t` = `seller`.`t`
ORDER BY
  `s`.`row`

-- asknown compile deal --dialect bigquery
-- error[name-clash]: 'seller:amount' and 'buyer:amount' would both be named 'amount'
-- hint: ask for full names: full_feature_names=True, or --full-names on the command line
