-- asknown compile kinds --dialect databricks
-- Written by asknown. Session: time zone UTC.
WITH
`raw.events` AS (
  SELECT
    *
  FROM `main`.`events`
),
`kinds` AS (
  SELECT
    user_id,
    ts,
    CAST(7 AS INT) AS small,
    CAST(9007199254740993 AS BIGINT) AS big,
    CAST(0.1 AS DOUBLE) AS ratio,
    CAST(12.50 AS DECIMAL(10, 2)) AS price,
    'text' AS word,
    '' AS nothing,
    TRUE AS flag,
    CAST(CAST(CAST(CASE
      WHEN REGEXP_LIKE('2024-02-29', '^\\s*\\d{4,6}-\\d{1,2}-\\d{1,2}')
      THEN '2024-02-29'
      WHEN NOT '2024-02-29' IS NULL
      THEN CONCAT('asknown: no timestamp reads as ', '2024-02-29')
    END AS TIMESTAMP_LTZ) AS TIMESTAMP_NTZ) AS DATE) AS day,
    CAST(CAST(CASE
      WHEN REGEXP_LIKE('2024-02-29 12:34:56.000001', '^\\s*\\d{4,6}-\\d{1,2}-\\d{1,2}')
      THEN '2024-02-29 12:34:56.000001'
      WHEN NOT '2024-02-29 12:34:56.000001' IS NULL
      THEN CONCAT('asknown: no timestamp reads as ', '2024-02-29 12:34:56.000001')
    END AS TIMESTAMP_LTZ) AS TIMESTAMP_NTZ) AS moment,
    CAST(CAST(CAST(CASE
      WHEN REGEXP_LIKE('2024-02-29 12:34:56+00', '^\\s*\\d{4,6}-\\d{1,2}-\\d{1,2}')
      THEN '2024-02-29 12:34:56+00'
      WHEN NOT '2024-02-29 12:34:56+00' IS NULL
      THEN CONCAT('asknown: no timestamp reads as ', '2024-02-29 12:34:56+00')
    END AS TIMESTAMP_LTZ) AS TIMESTAMP_NTZ) AS TIMESTAMP_LTZ) AS instant,
    ARRAY(1, NULL, 3) AS numbers
  FROM `raw.events`
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
-- kinds: the distinct moments, by user_id
`kinds__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`kinds__match` AS (
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
        FROM `kinds` AS `v`
        WHERE
          NOT `v`.`ts` IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `kinds__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`kinds__asked` AS (
  SELECT DISTINCT
    `user_id`,
    `event_time`
  FROM `kinds__match`
),
`kinds__winners` AS (
  SELECT
    `m`.`user_id`,
    `m`.`event_time`,
    `v`.`small`,
    `v`.`big`,
    `v`.`ratio`,
    `v`.`price`,
    `v`.`word`,
    `v`.`nothing`,
    `v`.`flag`,
    `v`.`day`,
    `v`.`moment`,
    `v`.`instant`,
    `v`.`numbers`
  FROM `kinds__asked` AS `m`
  JOIN `kinds` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`ts`
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY `m`.`user_id`, `m`.`event_time`
      ORDER BY `v`.`small` DESC, `v`.`big` DESC, `v`.`ratio` DESC, NOT (
        `v`.`ratio` = CAST(0 AS DOUBLE) AND STARTSWITH(CAST(`v`.`ratio` AS STRING), '-')
      ) DESC, `v`.`price` DESC, `v`.`word` DESC, `v`.`nothing` DESC, `v`.`flag` DESC, `v`.`day` DESC, `v`.`moment` DESC, `v`.`instant` DESC, TRANSFORM(`v`.`numbers`, `e` -> STRUCT(`e` IS NULL AS `col1`, `e` AS `e`)) DESC, CAST(`v`.`numbers` AS STRING) DESC
    ) = 1
),
`kinds__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`small`,
    `v`.`big`,
    `v`.`ratio`,
    `v`.`price`,
    `v`.`word`,
    `v`.`nothing`,
    `v`.`flag`,
    `v`.`day`,
    `v`.`moment`,
    `v`.`instant`,
    `v`.`numbers`
  FROM `kinds__match` AS `m`
  JOIN `kinds__winners` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`event_time`
)
SELECT
  `s`.`user_id`,
  `s`.`event_timestamp`,
  CAST(`kinds`.`small` AS INT) AS `small`,
  CAST(`kinds`.`big` AS BIGINT) AS `big`,
  CAST(`kinds`.`ratio` AS DOUBLE) AS `ratio`,
  CAST(`kinds`.`price` AS DECIMAL(10, 2)) AS `price`,
  CAST(`kinds`.`word` AS STRING) AS `word`,
  CAST(`kinds`.`nothing` AS STRING) AS `nothing`,
  CAST(`kinds`.`flag` AS BOOLEAN) AS `flag`,
  CAST(`kinds`.`day` AS DATE) AS `day`,
  CAST(`kinds`.`moment` AS TIMESTAMP_NTZ) AS `moment`,
  CAST(`kinds`.`instant` AS TIMESTAMP_LTZ) AS `instant`,
  CAST(`kinds`.`numbers` AS ARRAY<INT>) AS `numbers`
FROM `spine` AS `s`
LEFT JOIN `kinds__rows` AS `kinds`
  ON `s`.`user_id` = `kinds`.`user_id` AND `s`.`t` = `kinds`.`t`
