-- asknown compile balance late --dialect bigquery
-- Written by asknown. Session: time zone UTC.
WITH
`raw-balances` AS (
  SELECT
    *
  FROM `main`.`balances`
),
`raw-late` AS (
  SELECT
    *
  FROM `main`.`late`
),
`balance` AS (
  SELECT
    user_id,
    ts,
    amount
  FROM `raw-balances`
),
`late` AS (
  SELECT
    user_id,
    ts,
    seen_at,
    score
  FROM `raw-late`
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
      FROM `balance__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1
    AND NOT `v`.`event_time` IS NULL
    AND `v`.`event_time` >= (
      `v`.`t` - 7200000000
    )
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
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`event_time` = UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC'))
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
),
-- late: the distinct moments, by user_id
`late__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`late__match` AS (
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
        `known_at` AS `t`,
        0 AS `place`,
        `event_time`
      FROM (
        SELECT
          `v`.`user_id`,
          UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC')) AS `event_time`,
          GREATEST(
            UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC')),
            UNIX_MICROS(TIMESTAMP(`v`.`seen_at`, 'UTC'))
          ) AS `known_at`
        FROM `late` AS `v`
        WHERE
          NOT UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC')) IS NULL
          AND NOT UNIX_MICROS(TIMESTAMP(`v`.`seen_at`, 'UTC')) IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `late__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
`late__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`score`
  FROM `late__match` AS `m`
  JOIN `late` AS `v`
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`event_time` = UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC'))
    AND UNIX_MICROS(TIMESTAMP(`v`.`seen_at`, 'UTC')) <= `m`.`t`
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY `m`.`user_id`, `m`.`t`, `m`.`event_time`
      ORDER BY UNIX_MICROS(TIMESTAMP(`v`.`seen_at`, 'UTC')) DESC, IS_NAN(`v`.`score`) DESC, `v`.`score` DESC, NOT (
        `v`.`score` = 0 AND IEEE_DIVIDE(1, `v`.`score`) < 0
      ) DESC
    ) = 1
)
SELECT
  `s`.`user_id`,
  `s`.`event_timestamp`,
  CAST(`balance`.`amount` AS INT64) AS `amount`,
  CAST(`late`.`score` AS FLOAT64) AS `score`
FROM `spine` AS `s`
LEFT JOIN `balance__rows` AS `balance`
  ON `s`.`user_id` = `balance`.`user_id` AND `s`.`t` = `balance`.`t`
LEFT JOIN `late__rows` AS `late`
  ON `s`.`user_id` = `late`.`user_id` AND `s`.`t` = `late`.`t`
