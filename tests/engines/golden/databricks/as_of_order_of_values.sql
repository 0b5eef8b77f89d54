-- asknown compile floats zeros texts flags lists --dialect databricks
-- Written by asknown. Session: time zone UTC.
WITH
`raw.floats` AS (
  SELECT
    *
  FROM `main`.`floats`
),
`raw.zeros` AS (
  SELECT
    *
  FROM `main`.`zeros`
),
`raw.texts` AS (
  SELECT
    *
  FROM `main`.`texts`
),
`raw.flags` AS (
  SELECT
    *
  FROM `main`.`flags`
),
`raw.lists` AS (
  SELECT
    *
  FROM `main`.`lists`
),
`floats` AS (
  SELECT
    user_id,
    ts,
    value,
    note
  FROM `raw.floats`
),
`zeros` AS (
  SELECT
    user_id,
    ts,
    value,
    note
  FROM `raw.zeros`
),
`texts` AS (
  SELECT
    user_id,
    ts,
    value,
    note
  FROM `raw.texts`
),
`flags` AS (
  SELECT
    user_id,
    ts,
    value,
    note
  FROM `raw.flags`
),
`lists` AS (
  SELECT
    user_id,
    ts,
    value,
    note
  FROM `raw.lists`
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
-- floats: the distinct moments, by user_id
`floats__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`floats__match` AS (
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
        FROM `floats` AS `v`
        WHERE
          NOT `v`.`ts` IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `floats__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`floats__asked` AS (
  SELECT DISTINCT
    `user_id`,
    `event_time`
  FROM `floats__match`
),
`floats__winners` AS (
  SELECT
    `m`.`user_id`,
    `m`.`event_time`,
    `v`.`value`,
    `v`.`note`
  FROM `floats__asked` AS `m`
  JOIN `floats` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`ts`
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY `m`.`user_id`, `m`.`event_time`
      ORDER BY `v`.`value` DESC, NOT (
        `v`.`value` = CAST(0 AS DOUBLE) AND STARTSWITH(CAST(`v`.`value` AS STRING), '-')
      ) DESC, `v`.`note` DESC
    ) = 1
),
`floats__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`value`,
    `v`.`note`
  FROM `floats__match` AS `m`
  JOIN `floats__winners` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`event_time`
),
-- zeros: the distinct moments, by user_id
`zeros__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`zeros__match` AS (
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
        FROM `zeros` AS `v`
        WHERE
          NOT `v`.`ts` IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `zeros__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`zeros__asked` AS (
  SELECT DISTINCT
    `user_id`,
    `event_time`
  FROM `zeros__match`
),
`zeros__winners` AS (
  SELECT
    `m`.`user_id`,
    `m`.`event_time`,
    `v`.`value`,
    `v`.`note`
  FROM `zeros__asked` AS `m`
  JOIN `zeros` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`ts`
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY `m`.`user_id`, `m`.`event_time`
      ORDER BY `v`.`value` DESC, NOT (
        `v`.`value` = CAST(0 AS DOUBLE) AND STARTSWITH(CAST(`v`.`value` AS STRING), '-')
      ) DESC, `v`.`note` DESC
    ) = 1
),
`zeros__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`value`,
    `v`.`note`
  FROM `zeros__match` AS `m`
  JOIN `zeros__winners` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`event_time`
),
-- texts: the distinct moments, by user_id
`texts__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`texts__match` AS (
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
        FROM `texts` AS `v`
        WHERE
          NOT `v`.`ts` IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `texts__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`texts__asked` AS (
  SELECT DISTINCT
    `user_id`,
    `event_time`
  FROM `texts__match`
),
`texts__winners` AS (
  SELECT
    `m`.`user_id`,
    `m`.`event_time`,
    `v`.`value`,
    `v`.`note`
  FROM `texts__asked` AS `m`
  JOIN `texts` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`ts`
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY `m`.`user_id`, `m`.`event_time`
      ORDER BY `v`.`value` DESC, `v`.`note` DESC
    ) = 1
),
`texts__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`value`,
    `v`.`note`
  FROM `texts__match` AS `m`
  JOIN `texts__winners` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`event_time`
),
-- flags: the distinct moments, by user_id
`flags__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`flags__match` AS (
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
        FROM `flags` AS `v`
        WHERE
          NOT `v`.`ts` IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `flags__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`flags__asked` AS (
  SELECT DISTINCT
    `user_id`,
    `event_time`
  FROM `flags__match`
),
`flags__winners` AS (
  SELECT
    `m`.`user_id`,
    `m`.`event_time`,
    `v`.`value`,
    `v`.`note`
  FROM `flags__asked` AS `m`
  JOIN `flags` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`ts`
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY `m`.`user_id`, `m`.`event_time`
      ORDER BY `v`.`value` DESC, `v`.`note` DESC
    ) = 1
),
`flags__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`value`,
    `v`.`note`
  FROM `flags__match` AS `m`
  JOIN `flags__winners` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`event_time`
),
-- lists: the distinct moments, by user_id
`lists__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`lists__match` AS (
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
        FROM `lists` AS `v`
        WHERE
          NOT `v`.`ts` IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `lists__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`lists__asked` AS (
  SELECT DISTINCT
    `user_id`,
    `event_time`
  FROM `lists__match`
),
`lists__winners` AS (
  SELECT
    `m`.`user_id`,
    `m`.`event_time`,
    `v`.`value`,
    `v`.`note`
  FROM `lists__asked` AS `m`
  JOIN `lists` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`ts`
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY `m`.`user_id`, `m`.`event_time`
      ORDER BY TRANSFORM(`v`.`value`, `e` -> STRUCT(`e` IS NULL AS `col1`, `e` AS `e`)) DESC, CAST(`v`.`value` AS STRING) DESC, `v`.`note` DESC
    ) = 1
),
`lists__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`value`,
    `v`.`note`
  FROM `lists__match` AS `m`
  JOIN `lists__winners` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`event_time`
)
SELECT
  `s`.`user_id`,
  `s`.`event_timestamp`,
  CAST(`floats`.`value` AS DOUBLE) AS `floats__value`,
  CAST(`floats`.`note` AS STRING) AS `floats__note`,
  CAST(`zeros`.`value` AS DOUBLE) AS `zeros__value`,
  CAST(`zeros`.`note` AS STRING) AS `zeros__note`,
  CAST(`texts`.`value` AS STRING) AS `texts__value`,
  CAST(`texts`.`note` AS STRING) AS `texts__note`,
  CAST(`flags`.`value` AS BOOLEAN) AS `flags__value`,
  CAST(`flags`.`note` AS STRING) AS `flags__note`,
  CAST(`lists`.`value` AS ARRAY<INT>) AS `lists__value`,
  CAST(`lists`.`note` AS STRING) AS `lists__note`
FROM `spine` AS `s`
LEFT JOIN `floats__rows` AS `floats`
  ON `s`.`user_id` = `floats`.`user_id` AND `s`.`t` = `floats`.`t`
LEFT JOIN `zeros__rows` AS `zeros`
  ON `s`.`user_id` = `zeros`.`user_id` AND `s`.`t` = `zeros`.`t`
LEFT JOIN `texts__rows` AS `texts`
  ON `s`.`user_id` = `texts`.`user_id` AND `s`.`t` = `texts`.`t`
LEFT JOIN `flags__rows` AS `flags`
  ON `s`.`user_id` = `flags`.`user_id` AND `s`.`t` = `flags`.`t`
LEFT JOIN `lists__rows` AS `lists`
  ON `s`.`user_id` = `lists`.`user_id` AND `s`.`t` = `lists`.`t`
