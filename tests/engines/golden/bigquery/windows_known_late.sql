-- asknown compile confirmed --dialect bigquery
-- Written by asknown. Session: time zone UTC.
WITH
`raw-purchases` AS (
  SELECT
    *
  FROM `main`.`purchases`
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
-- rows of confirmed, without its trailing windows
`confirmed__events` AS (
  SELECT
    user_id,
    ts,
    confirmed_at,
    amount AS last_amount,
    amount AS `_1`
  FROM `raw-purchases`
),
-- confirmed: the distinct moments, by user_id
`confirmed__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`confirmed__match` AS (
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
            UNIX_MICROS(TIMESTAMP(`v`.`confirmed_at`, 'UTC'))
          ) AS `known_at`
        FROM `confirmed__events` AS `v`
        WHERE
          NOT UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC')) IS NULL
          AND NOT UNIX_MICROS(TIMESTAMP(`v`.`confirmed_at`, 'UTC')) IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `confirmed__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1
    AND NOT `v`.`event_time` IS NULL
    AND `v`.`event_time` >= (
      `v`.`t` - 3600000000
    )
),
`confirmed__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`last_amount`
  FROM `confirmed__match` AS `m`
  JOIN `confirmed__events` AS `v`
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`event_time` = UNIX_MICROS(TIMESTAMP(`v`.`ts`, 'UTC'))
    AND UNIX_MICROS(TIMESTAMP(`v`.`confirmed_at`, 'UTC')) <= `m`.`t`
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY `m`.`user_id`, `m`.`t`, `m`.`event_time`
      ORDER BY UNIX_MICROS(TIMESTAMP(`v`.`confirmed_at`, 'UTC')) DESC, `v`.`last_amount` DESC
    ) = 1
),
-- pairs: one frame
`confirmed__windows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    SUM(CAST(`v`.`_1` AS BIGNUMERIC)) AS `w0`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - 10800000000 AS `since0`,
      DIV(`m`.`t`, 2700000000) - `buckets`.`back` AS `bucket`
    FROM `confirmed__moments` AS `m`
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
        UNIX_MICROS(TIMESTAMP(`v`.`confirmed_at`, 'UTC')) AS `known_at`,
        `v`.`_1`
      FROM `confirmed__events` AS `v`
    ) AS `v`
  ) AS `v`
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`bucket` = `v`.`bucket`
    AND `v`.`event_time` <= `m`.`t`
    AND `v`.`event_time` >= `m`.`since0`
    AND `v`.`known_at` <= `m`.`t`
  GROUP BY
    `m`.`user_id`,
    `m`.`t`
)
SELECT
  `s`.`user_id`,
  `s`.`event_timestamp`,
  CAST(`confirmed`.`last_amount` AS INT64) AS `last_amount`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    AND CASE
      WHEN NOT `confirmed_windows`.`w0` BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN ERROR(
        'asknown: feature \'amount_3h\' of \'confirmed\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      )
      ELSE TRUE
    END
    THEN `confirmed_windows`.`w0`
  END AS INT64) AS `amount_3h`
FROM `spine` AS `s`
LEFT JOIN `confirmed__rows` AS `confirmed`
  ON `s`.`user_id` = `confirmed`.`user_id` AND `s`.`t` = `confirmed`.`t`
LEFT JOIN `confirmed__windows` AS `confirmed_windows`
  ON `s`.`user_id` = `confirmed_windows`.`user_id`
  AND `s`.`t` = `confirmed_windows`.`t`
