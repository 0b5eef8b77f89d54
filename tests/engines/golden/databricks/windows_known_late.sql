-- asknown compile confirmed --dialect databricks
-- Written by asknown. Session: time zone UTC.
WITH
`raw.purchases` AS (
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
    `given`.`event_timestamp` AS `t`,
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
  FROM `raw.purchases`
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
        ORDER BY `t` NULLS LAST, `place` NULLS LAST
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
          `v`.`ts` AS `event_time`,
          GREATEST(`v`.`ts`, `v`.`confirmed_at`) AS `known_at`
        FROM `confirmed__events` AS `v`
        WHERE
          NOT `v`.`ts` IS NULL AND NOT `v`.`confirmed_at` IS NULL
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
      `v`.`t` - INTERVAL '1' HOUR
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
    AND `m`.`event_time` = `v`.`ts`
    AND `v`.`confirmed_at` <= `m`.`t`
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY `m`.`user_id`, `m`.`t`, `m`.`event_time`
      ORDER BY `v`.`confirmed_at` DESC, `v`.`last_amount` DESC
    ) = 1
),
-- pairs: one frame
`confirmed__windows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    SUM(CAST(`v`.`_1` AS DECIMAL(38, 0))) AS `w0`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - INTERVAL '3' HOUR AS `since0`,
      UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 2700000000 - `buckets`.`back` AS `bucket`
    FROM `confirmed__moments` AS `m`
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
        `v`.`confirmed_at` AS `known_at`,
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
  CAST(`confirmed`.`last_amount` AS INT) AS `last_amount`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    AND CASE
      WHEN NOT `confirmed_windows`.`w0` BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN RAISE_ERROR(
        'asknown: feature \'amount_3h\' of \'confirmed\' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      )
      ELSE TRUE
    END
    THEN `confirmed_windows`.`w0`
  END AS BIGINT) AS `amount_3h`
FROM `spine` AS `s`
LEFT JOIN `confirmed__rows` AS `confirmed`
  ON `s`.`user_id` = `confirmed`.`user_id` AND `s`.`t` = `confirmed`.`t`
LEFT JOIN `confirmed__windows` AS `confirmed_windows`
  ON `s`.`user_id` = `confirmed_windows`.`user_id`
  AND `s`.`t` = `confirmed_windows`.`t`
