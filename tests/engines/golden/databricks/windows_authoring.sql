-- asknown compile written --dialect databricks
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
-- rows of written, without its trailing windows
`written__events` AS (
  SELECT
    user_id,
    bought_at,
    amount,
    amount AS `_1`,
    NOT refunded AS `_2`,
    shop AS `_3`,
    refunded AS `_4`
  FROM `raw.purchases`
),
-- written: the distinct moments, by user_id
`written__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
`written__match` AS (
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
          `v`.`bought_at` AS `event_time`
        FROM `written__events` AS `v`
        WHERE
          NOT `v`.`bought_at` IS NULL
      ) AS `v`
      UNION ALL
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        1 AS `place`,
        NULL AS `event_time`
      FROM `written__moments` AS `m`
    ) AS `asked`
  ) AS `v`
  WHERE
    `v`.`place` = 1 AND NOT `v`.`event_time` IS NULL
),
-- each key and event time once
`written__asked` AS (
  SELECT DISTINCT
    `user_id`,
    `event_time`
  FROM `written__match`
),
`written__winners` AS (
  SELECT
    `m`.`user_id`,
    `m`.`event_time`,
    `v`.`amount`,
    `v`.`_1`
  FROM `written__asked` AS `m`
  JOIN `written__events` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`bought_at`
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY `m`.`user_id`, `m`.`event_time`
      ORDER BY `v`.`amount` DESC, NOT (
        `v`.`amount` = CAST(0 AS DOUBLE)
        AND STARTSWITH(CAST(`v`.`amount` AS STRING), '-')
      ) DESC, `v`.`_1` DESC, NOT (
        `v`.`_1` = CAST(0 AS DOUBLE) AND STARTSWITH(CAST(`v`.`_1` AS STRING), '-')
      ) DESC
    ) = 1
),
`written__rows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    `v`.`amount`,
    `v`.`_1`
  FROM `written__match` AS `m`
  JOIN `written__winners` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`event_time` = `v`.`event_time`
),
-- bands: each row into its band of age, once for 4 frames
`written__parts` AS (
  SELECT
    `user_id`,
    `t`,
    MAX(CASE WHEN `b22` = CAST(0 AS DOUBLE) THEN CAST(0 AS DOUBLE) ELSE `b22` END) FILTER(WHERE
      `band` BETWEEN 0 AND 1) AS `w2`,
    MAX(CASE WHEN `b22` = CAST(0 AS DOUBLE) THEN CAST(0 AS DOUBLE) ELSE `b22` END) AS `w4`,
    SUM(CAST(`b24` AS DECIMAL(38, 0))) FILTER(WHERE
      `band` BETWEEN 0 AND 2) AS `w7`,
    SUM(CAST(`b25` AS DECIMAL(38, 0))) FILTER(WHERE
      `band` BETWEEN 0 AND 2) AS `w8`,
    SUM(`b0`) FILTER(WHERE
      `band` BETWEEN 0 AND 2) AS `p0`,
    SUM(`b1`) FILTER(WHERE
      `band` BETWEEN 0 AND 2) AS `p1`,
    SUM(`b2`) FILTER(WHERE
      `band` BETWEEN 0 AND 2) AS `p2`,
    SUM(`b3`) FILTER(WHERE
      `band` BETWEEN 0 AND 2) AS `p3`,
    SUM(`b4`) FILTER(WHERE
      `band` BETWEEN 0 AND 2) AS `p4`,
    SUM(`b5`) FILTER(WHERE
      `band` BETWEEN 0 AND 2) AS `p5`,
    SUM(`b6`) FILTER(WHERE
      `band` BETWEEN 0 AND 2) AS `p6`,
    SUM(`b7`) FILTER(WHERE
      `band` BETWEEN 0 AND 2) AS `p7`,
    SUM(`b8`) FILTER(WHERE
      `band` BETWEEN 0 AND 2) AS `p8`,
    SUM(`b9`) FILTER(WHERE
      `band` BETWEEN 0 AND 2) AS `p9`,
    SUM(`b11`) FILTER(WHERE
      `band` BETWEEN 0 AND 1) AS `p10`,
    SUM(`b12`) FILTER(WHERE
      `band` BETWEEN 0 AND 1) AS `p11`,
    SUM(`b13`) FILTER(WHERE
      `band` BETWEEN 0 AND 1) AS `p12`,
    SUM(`b14`) FILTER(WHERE
      `band` BETWEEN 0 AND 1) AS `p13`,
    SUM(`b15`) FILTER(WHERE
      `band` BETWEEN 0 AND 1) AS `p14`,
    SUM(`b16`) FILTER(WHERE
      `band` BETWEEN 0 AND 1) AS `p15`,
    SUM(`b17`) FILTER(WHERE
      `band` BETWEEN 0 AND 1) AS `p16`,
    SUM(`b18`) FILTER(WHERE
      `band` BETWEEN 0 AND 1) AS `p17`,
    SUM(`b19`) FILTER(WHERE
      `band` BETWEEN 0 AND 1) AS `p18`,
    SUM(`b20`) FILTER(WHERE
      `band` BETWEEN 0 AND 1) AS `p19`,
    SUM(`b11`) AS `p20`,
    SUM(`b12`) AS `p21`,
    SUM(`b13`) AS `p22`,
    SUM(`b14`) AS `p23`,
    SUM(`b15`) AS `p24`,
    SUM(`b16`) AS `p25`,
    SUM(`b17`) AS `p26`,
    SUM(`b18`) AS `p27`,
    SUM(`b19`) AS `p28`,
    SUM(`b20`) AS `p29`,
    SUM(`b0`) FILTER(WHERE
      `band` BETWEEN 1 AND 3) AS `p30`,
    SUM(`b1`) FILTER(WHERE
      `band` BETWEEN 1 AND 3) AS `p31`,
    SUM(`b2`) FILTER(WHERE
      `band` BETWEEN 1 AND 3) AS `p32`,
    SUM(`b3`) FILTER(WHERE
      `band` BETWEEN 1 AND 3) AS `p33`,
    SUM(`b4`) FILTER(WHERE
      `band` BETWEEN 1 AND 3) AS `p34`,
    SUM(`b5`) FILTER(WHERE
      `band` BETWEEN 1 AND 3) AS `p35`,
    SUM(`b6`) FILTER(WHERE
      `band` BETWEEN 1 AND 3) AS `p36`,
    SUM(`b7`) FILTER(WHERE
      `band` BETWEEN 1 AND 3) AS `p37`,
    SUM(`b8`) FILTER(WHERE
      `band` BETWEEN 1 AND 3) AS `p38`,
    SUM(CAST(`b23` AS DECIMAL(38, 0))) FILTER(WHERE
      `band` BETWEEN 1 AND 3) AS `p39`,
    SUM(`b9`) FILTER(WHERE
      `band` BETWEEN 1 AND 3) AS `p40`,
    SUM(`b0`) AS `p41`,
    SUM(`b1`) AS `p42`,
    SUM(`b2`) AS `p43`,
    SUM(`b3`) AS `p44`,
    SUM(`b4`) AS `p45`,
    SUM(`b5`) AS `p46`,
    SUM(`b6`) AS `p47`,
    SUM(`b7`) AS `p48`,
    SUM(`b8`) AS `p49`,
    SUM(CAST(`b23` AS DECIMAL(38, 0))) AS `p50`,
    SUM(`b9`) AS `p51`,
    BOOL_OR(`b10`) FILTER(WHERE
      `band` BETWEEN 0 AND 2)
    OR BOOL_OR(`b21`) FILTER(WHERE
      `band` BETWEEN 0 AND 1)
    OR BOOL_OR(`b21`)
    OR BOOL_OR(`b10`) FILTER(WHERE
      `band` BETWEEN 1 AND 3)
    OR BOOL_OR(`b10`) AS `misfit`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      CASE
        WHEN `v`.`event_time` >= `m`.`since0`
        THEN 0
        WHEN `v`.`event_time` >= `m`.`since1`
        THEN 1
        WHEN `v`.`event_time` >= `m`.`since2`
        THEN 2
        ELSE 3
      END AS `band`,
      SUM(`v`.`_1a`) AS `b0`,
      SUM(`v`.`_1b`) AS `b1`,
      SUM(`v`.`_1c`) AS `b2`,
      SUM(`v`.`_1e`) AS `b3`,
      SUM(`v`.`_1f`) AS `b4`,
      SUM(`v`.`_1g`) AS `b5`,
      SUM(`v`.`_1h`) AS `b6`,
      SUM(`v`.`_1i`) AS `b7`,
      SUM(`v`.`_1j`) AS `b8`,
      SUM(`v`.`_1x`) AS `b9`,
      BOOL_OR(`v`.`_1d`) AS `b10`,
      SUM(`v`.`_1a`) FILTER(WHERE
        `v`.`_2`) AS `b11`,
      SUM(`v`.`_1b`) FILTER(WHERE
        `v`.`_2`) AS `b12`,
      SUM(`v`.`_1c`) FILTER(WHERE
        `v`.`_2`) AS `b13`,
      SUM(`v`.`_1e`) FILTER(WHERE
        `v`.`_2`) AS `b14`,
      SUM(`v`.`_1f`) FILTER(WHERE
        `v`.`_2`) AS `b15`,
      SUM(`v`.`_1g`) FILTER(WHERE
        `v`.`_2`) AS `b16`,
      SUM(`v`.`_1h`) FILTER(WHERE
        `v`.`_2`) AS `b17`,
      SUM(`v`.`_1i`) FILTER(WHERE
        `v`.`_2`) AS `b18`,
      SUM(`v`.`_1j`) FILTER(WHERE
        `v`.`_2`) AS `b19`,
      SUM(`v`.`_1x`) FILTER(WHERE
        `v`.`_2`) AS `b20`,
      BOOL_OR(`v`.`_1d`) FILTER(WHERE
        `v`.`_2`) AS `b21`,
      MAX(CASE WHEN `v`.`_1` = CAST(0 AS DOUBLE) THEN CAST(0 AS DOUBLE) ELSE `v`.`_1` END) FILTER(WHERE
        `v`.`_2`) AS `b22`,
      COUNT(`v`.`_1`) AS `b23`,
      COUNT(*) FILTER(WHERE
        `v`.`_4`) AS `b24`,
      COUNT(*) AS `b25`
    FROM (
      SELECT
        `m`.`user_id`,
        `m`.`t`,
        `m`.`t` - INTERVAL '3599999999' MICROSECOND AS `since0`,
        `m`.`t` - INTERVAL '1' HOUR AS `since1`,
        `m`.`t` - INTERVAL '2' HOUR AS `since2`,
        `m`.`t` - INTERVAL '3' HOUR AS `since3`,
        UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 2700000000 - `buckets`.`back` AS `bucket`
      FROM `written__moments` AS `m`
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
          `v`.`bought_at` AS `event_time`,
          `v`.`_1`,
          CASE
            WHEN CAST(`v`.`_1` AS DOUBLE) = CAST(0 AS DOUBLE)
            OR ABS(CAST(`v`.`_1` AS DOUBLE)) BETWEEN CAST(5.605193857299268e-45 AS DOUBLE) AND CAST(3.1691265005705735e+29 AS DOUBLE)
            THEN CAST(RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(2.117582368135751e-22 AS DOUBLE)) AS BIGINT)
          END AS `_1a`,
          CASE
            WHEN CAST(`v`.`_1` AS DOUBLE) = CAST(0 AS DOUBLE)
            OR ABS(CAST(`v`.`_1` AS DOUBLE)) BETWEEN CAST(5.605193857299268e-45 AS DOUBLE) AND CAST(3.1691265005705735e+29 AS DOUBLE)
            THEN CAST(RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(1.4551915228366852e-11 AS DOUBLE)) - CAST(68719476736.0 AS DOUBLE) * RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(2.117582368135751e-22 AS DOUBLE)) AS BIGINT)
          END AS `_1b`,
          CASE
            WHEN CAST(`v`.`_1` AS DOUBLE) = CAST(0 AS DOUBLE)
            OR ABS(CAST(`v`.`_1` AS DOUBLE)) BETWEEN CAST(5.605193857299268e-45 AS DOUBLE) AND CAST(3.1691265005705735e+29 AS DOUBLE)
            THEN CAST(RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(1.0 AS DOUBLE)) - CAST(68719476736.0 AS DOUBLE) * RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(1.4551915228366852e-11 AS DOUBLE)) AS BIGINT)
          END AS `_1c`,
          CASE
            WHEN CAST(`v`.`_1` AS DOUBLE) = CAST(0 AS DOUBLE)
            OR ABS(CAST(`v`.`_1` AS DOUBLE)) BETWEEN CAST(5.605193857299268e-45 AS DOUBLE) AND CAST(3.1691265005705735e+29 AS DOUBLE)
            THEN CAST(RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(68719476736.0 AS DOUBLE)) - CAST(68719476736.0 AS DOUBLE) * RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(1.0 AS DOUBLE)) AS BIGINT)
          END AS `_1e`,
          CASE
            WHEN CAST(`v`.`_1` AS DOUBLE) = CAST(0 AS DOUBLE)
            OR ABS(CAST(`v`.`_1` AS DOUBLE)) BETWEEN CAST(5.605193857299268e-45 AS DOUBLE) AND CAST(3.1691265005705735e+29 AS DOUBLE)
            THEN CAST(RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(4.722366482869645e+21 AS DOUBLE)) - CAST(68719476736.0 AS DOUBLE) * RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(68719476736.0 AS DOUBLE)) AS BIGINT)
          END AS `_1f`,
          CASE
            WHEN CAST(`v`.`_1` AS DOUBLE) = CAST(0 AS DOUBLE)
            OR ABS(CAST(`v`.`_1` AS DOUBLE)) BETWEEN CAST(5.605193857299268e-45 AS DOUBLE) AND CAST(3.1691265005705735e+29 AS DOUBLE)
            THEN CAST(RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(3.2451855365842673e+32 AS DOUBLE)) - CAST(68719476736.0 AS DOUBLE) * RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(4.722366482869645e+21 AS DOUBLE)) AS BIGINT)
          END AS `_1g`,
          CASE
            WHEN CAST(`v`.`_1` AS DOUBLE) = CAST(0 AS DOUBLE)
            OR ABS(CAST(`v`.`_1` AS DOUBLE)) BETWEEN CAST(5.605193857299268e-45 AS DOUBLE) AND CAST(3.1691265005705735e+29 AS DOUBLE)
            THEN CAST(RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(2.2300745198530623e+43 AS DOUBLE)) - CAST(68719476736.0 AS DOUBLE) * RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(3.2451855365842673e+32 AS DOUBLE)) AS BIGINT)
          END AS `_1h`,
          CASE
            WHEN CAST(`v`.`_1` AS DOUBLE) = CAST(0 AS DOUBLE)
            OR ABS(CAST(`v`.`_1` AS DOUBLE)) BETWEEN CAST(5.605193857299268e-45 AS DOUBLE) AND CAST(3.1691265005705735e+29 AS DOUBLE)
            THEN CAST(RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(1.532495540865889e+54 AS DOUBLE)) - CAST(68719476736.0 AS DOUBLE) * RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(2.2300745198530623e+43 AS DOUBLE)) AS BIGINT)
          END AS `_1i`,
          CASE
            WHEN CAST(`v`.`_1` AS DOUBLE) = CAST(0 AS DOUBLE)
            OR ABS(CAST(`v`.`_1` AS DOUBLE)) BETWEEN CAST(5.605193857299268e-45 AS DOUBLE) AND CAST(3.1691265005705735e+29 AS DOUBLE)
            THEN CAST(RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(1.0531229166855719e+65 AS DOUBLE)) - CAST(68719476736.0 AS DOUBLE) * RINT(CAST(`v`.`_1` AS DOUBLE) * CAST(1.532495540865889e+54 AS DOUBLE)) AS BIGINT)
          END AS `_1j`,
          CASE
            WHEN ISNAN(CAST(`v`.`_1` AS DOUBLE))
            OR ABS(CAST(`v`.`_1` AS DOUBLE)) = CAST('Infinity' AS DOUBLE)
            THEN CAST(`v`.`_1` AS DOUBLE)
          END AS `_1x`,
          CASE
            WHEN NOT (
              ISNAN(CAST(`v`.`_1` AS DOUBLE))
              OR ABS(CAST(`v`.`_1` AS DOUBLE)) = CAST('Infinity' AS DOUBLE)
            )
            AND NOT (
              CAST(`v`.`_1` AS DOUBLE) = CAST(0 AS DOUBLE)
              OR ABS(CAST(`v`.`_1` AS DOUBLE)) BETWEEN CAST(5.605193857299268e-45 AS DOUBLE) AND CAST(3.1691265005705735e+29 AS DOUBLE)
            )
            THEN TRUE
          END AS `_1d`,
          `v`.`_2`,
          `v`.`_4`
        FROM `written__events` AS `v`
      ) AS `v`
    ) AS `v`
      ON `m`.`user_id` = `v`.`user_id`
      AND `m`.`bucket` = `v`.`bucket`
      AND `v`.`event_time` <= `m`.`t`
      AND `v`.`event_time` >= `m`.`since3`
    GROUP BY
      `m`.`user_id`,
      `m`.`t`,
      CASE
        WHEN `v`.`event_time` >= `m`.`since0`
        THEN 0
        WHEN `v`.`event_time` >= `m`.`since1`
        THEN 1
        WHEN `v`.`event_time` >= `m`.`since2`
        THEN 2
        ELSE 3
      END
  ) AS `bands`
  GROUP BY
    `user_id`,
    `t`
),
-- exact sums, one per row
`written__unrounded` AS (
  SELECT
    `v`.`user_id`,
    `v`.`t`,
    0 AS `sum`,
    `v`.`p0` AS `a`,
    `v`.`p1` AS `b`,
    `v`.`p2` AS `c`,
    `v`.`p3` AS `e`,
    `v`.`p4` AS `f`,
    `v`.`p5` AS `g`,
    `v`.`p6` AS `h`,
    `v`.`p7` AS `i`,
    `v`.`p8` AS `j`,
    CAST(1 AS DECIMAL(38, 0)) AS `n`,
    CAST(0 AS DECIMAL(38, 0)) AS `m_`
  FROM `written__parts` AS `v`
  WHERE
    NOT `v`.`p0` IS NULL
    OR NOT `v`.`p1` IS NULL
    OR NOT `v`.`p2` IS NULL
    OR NOT `v`.`p3` IS NULL
    OR NOT `v`.`p4` IS NULL
    OR NOT `v`.`p5` IS NULL
    OR NOT `v`.`p6` IS NULL
    OR NOT `v`.`p7` IS NULL
    OR NOT `v`.`p8` IS NULL
  UNION ALL
  SELECT
    `v`.`user_id`,
    `v`.`t`,
    1 AS `sum`,
    `v`.`p10` AS `a`,
    `v`.`p11` AS `b`,
    `v`.`p12` AS `c`,
    `v`.`p13` AS `e`,
    `v`.`p14` AS `f`,
    `v`.`p15` AS `g`,
    `v`.`p16` AS `h`,
    `v`.`p17` AS `i`,
    `v`.`p18` AS `j`,
    CAST(1 AS DECIMAL(38, 0)) AS `n`,
    CAST(0 AS DECIMAL(38, 0)) AS `m_`
  FROM `written__parts` AS `v`
  WHERE
    NOT `v`.`p10` IS NULL
    OR NOT `v`.`p11` IS NULL
    OR NOT `v`.`p12` IS NULL
    OR NOT `v`.`p13` IS NULL
    OR NOT `v`.`p14` IS NULL
    OR NOT `v`.`p15` IS NULL
    OR NOT `v`.`p16` IS NULL
    OR NOT `v`.`p17` IS NULL
    OR NOT `v`.`p18` IS NULL
  UNION ALL
  SELECT
    `v`.`user_id`,
    `v`.`t`,
    3 AS `sum`,
    `v`.`p20` AS `a`,
    `v`.`p21` AS `b`,
    `v`.`p22` AS `c`,
    `v`.`p23` AS `e`,
    `v`.`p24` AS `f`,
    `v`.`p25` AS `g`,
    `v`.`p26` AS `h`,
    `v`.`p27` AS `i`,
    `v`.`p28` AS `j`,
    CAST(1 AS DECIMAL(38, 0)) AS `n`,
    CAST(0 AS DECIMAL(38, 0)) AS `m_`
  FROM `written__parts` AS `v`
  WHERE
    NOT `v`.`p20` IS NULL
    OR NOT `v`.`p21` IS NULL
    OR NOT `v`.`p22` IS NULL
    OR NOT `v`.`p23` IS NULL
    OR NOT `v`.`p24` IS NULL
    OR NOT `v`.`p25` IS NULL
    OR NOT `v`.`p26` IS NULL
    OR NOT `v`.`p27` IS NULL
    OR NOT `v`.`p28` IS NULL
  UNION ALL
  SELECT
    `v`.`user_id`,
    `v`.`t`,
    5 AS `sum`,
    `v`.`p30` AS `a`,
    `v`.`p31` AS `b`,
    `v`.`p32` AS `c`,
    `v`.`p33` AS `e`,
    `v`.`p34` AS `f`,
    `v`.`p35` AS `g`,
    `v`.`p36` AS `h`,
    `v`.`p37` AS `i`,
    `v`.`p38` AS `j`,
    CAST(`v`.`p39` AS DECIMAL(38, 0)) AS `n`,
    CAST(0 AS DECIMAL(38, 0)) AS `m_`
  FROM `written__parts` AS `v`
  WHERE
    NOT `v`.`p30` IS NULL
    OR NOT `v`.`p31` IS NULL
    OR NOT `v`.`p32` IS NULL
    OR NOT `v`.`p33` IS NULL
    OR NOT `v`.`p34` IS NULL
    OR NOT `v`.`p35` IS NULL
    OR NOT `v`.`p36` IS NULL
    OR NOT `v`.`p37` IS NULL
    OR NOT `v`.`p38` IS NULL
  UNION ALL
  SELECT
    `v`.`user_id`,
    `v`.`t`,
    9 AS `sum`,
    `v`.`p41` AS `a`,
    `v`.`p42` AS `b`,
    `v`.`p43` AS `c`,
    `v`.`p44` AS `e`,
    `v`.`p45` AS `f`,
    `v`.`p46` AS `g`,
    `v`.`p47` AS `h`,
    `v`.`p48` AS `i`,
    `v`.`p49` AS `j`,
    CAST(`v`.`p50` AS DECIMAL(38, 0)) AS `n`,
    CAST(0 AS DECIMAL(38, 0)) AS `m_`
  FROM `written__parts` AS `v`
  WHERE
    NOT `v`.`p41` IS NULL
    OR NOT `v`.`p42` IS NULL
    OR NOT `v`.`p43` IS NULL
    OR NOT `v`.`p44` IS NULL
    OR NOT `v`.`p45` IS NULL
    OR NOT `v`.`p46` IS NULL
    OR NOT `v`.`p47` IS NULL
    OR NOT `v`.`p48` IS NULL
    OR NOT `v`.`p49` IS NULL
),
-- and rounded once
`written__sums` AS (
  SELECT
    `user_id`,
    `t`,
    MAX(`value`) FILTER(WHERE
      `sum` = 0) AS `w0`,
    MAX(`value`) FILTER(WHERE
      `sum` = 1) AS `w1`,
    MAX(`value`) FILTER(WHERE
      `sum` = 3) AS `w3`,
    MAX(`value`) FILTER(WHERE
      `sum` = 5) AS `w5`,
    MAX(`value`) FILTER(WHERE
      `sum` = 9) AS `w9`
  FROM (
    SELECT
      `user_id`,
      `t`,
      `sum`,
      CAST(CONCAT(
        '0x',
        LPAD(HEX(`e0`), 9, '0'),
        LPAD(HEX(`e1`), 9, '0'),
        LPAD(HEX(`e2`), 9, '0'),
        LPAD(HEX(`e3`), 9, '0'),
        LPAD(HEX(`e4`), 9, '0'),
        LPAD(HEX(`e5`), 9, '0'),
        LPAD(HEX(`e6`), 9, '0'),
        LPAD(HEX(`e7`), 9, '0'),
        LPAD(HEX(`e8`), 9, '0'),
        LPAD(HEX(`e9`), 9, '0'),
        LPAD(HEX(`e10`), 9, '0'),
        LPAD(HEX(`e11`), 9, '0'),
        CASE WHEN `more` THEN '1' ELSE '0' END,
        'p-292'
      ) AS DOUBLE) * `z` AS `value`
    FROM (
      SELECT
        `user_id`,
        `t`,
        `sum`,
        `z`,
        `e0` DIV `n` AS `e0`,
        (
          SHIFTLEFT((
            `e0` % `n`
          ), 36) + `e1`
        ) DIV `n` AS `e1`,
        (
          SHIFTLEFT((
            (
              SHIFTLEFT((
                `e0` % `n`
              ), 36) + `e1`
            ) % `n`
          ), 36) + `e2`
        ) DIV `n` AS `e2`,
        (
          SHIFTLEFT(
            (
              (
                SHIFTLEFT((
                  (
                    SHIFTLEFT((
                      `e0` % `n`
                    ), 36) + `e1`
                  ) % `n`
                ), 36) + `e2`
              ) % `n`
            ),
            36
          ) + `e3`
        ) DIV `n` AS `e3`,
        (
          SHIFTLEFT(
            (
              (
                SHIFTLEFT(
                  (
                    (
                      SHIFTLEFT((
                        (
                          SHIFTLEFT((
                            `e0` % `n`
                          ), 36) + `e1`
                        ) % `n`
                      ), 36) + `e2`
                    ) % `n`
                  ),
                  36
                ) + `e3`
              ) % `n`
            ),
            36
          ) + `e4`
        ) DIV `n` AS `e4`,
        (
          SHIFTLEFT(
            (
              (
                SHIFTLEFT(
                  (
                    (
                      SHIFTLEFT(
                        (
                          (
                            SHIFTLEFT((
                              (
                                SHIFTLEFT((
                                  `e0` % `n`
                                ), 36) + `e1`
                              ) % `n`
                            ), 36) + `e2`
                          ) % `n`
                        ),
                        36
                      ) + `e3`
                    ) % `n`
                  ),
                  36
                ) + `e4`
              ) % `n`
            ),
            36
          ) + `e5`
        ) DIV `n` AS `e5`,
        (
          SHIFTLEFT(
            (
              (
                SHIFTLEFT(
                  (
                    (
                      SHIFTLEFT(
                        (
                          (
                            SHIFTLEFT(
                              (
                                (
                                  SHIFTLEFT((
                                    (
                                      SHIFTLEFT((
                                        `e0` % `n`
                                      ), 36) + `e1`
                                    ) % `n`
                                  ), 36) + `e2`
                                ) % `n`
                              ),
                              36
                            ) + `e3`
                          ) % `n`
                        ),
                        36
                      ) + `e4`
                    ) % `n`
                  ),
                  36
                ) + `e5`
              ) % `n`
            ),
            36
          ) + `e6`
        ) DIV `n` AS `e6`,
        (
          SHIFTLEFT(
            (
              (
                SHIFTLEFT(
                  (
                    (
                      SHIFTLEFT(
                        (
                          (
                            SHIFTLEFT(
                              (
                                (
                                  SHIFTLEFT(
                                    (
                                      (
                                        SHIFTLEFT((
                                          (
                                            SHIFTLEFT((
                                              `e0` % `n`
                                            ), 36) + `e1`
                                          ) % `n`
                                        ), 36) + `e2`
                                      ) % `n`
                                    ),
                                    36
                                  ) + `e3`
                                ) % `n`
                              ),
                              36
                            ) + `e4`
                          ) % `n`
                        ),
                        36
                      ) + `e5`
                    ) % `n`
                  ),
                  36
                ) + `e6`
              ) % `n`
            ),
            36
          ) + `e7`
        ) DIV `n` AS `e7`,
        (
          SHIFTLEFT(
            (
              (
                SHIFTLEFT(
                  (
                    (
                      SHIFTLEFT(
                        (
                          (
                            SHIFTLEFT(
                              (
                                (
                                  SHIFTLEFT(
                                    (
                                      (
                                        SHIFTLEFT(
                                          (
                                            (
                                              SHIFTLEFT((
                                                (
                                                  SHIFTLEFT((
                                                    `e0` % `n`
                                                  ), 36) + `e1`
                                                ) % `n`
                                              ), 36) + `e2`
                                            ) % `n`
                                          ),
                                          36
                                        ) + `e3`
                                      ) % `n`
                                    ),
                                    36
                                  ) + `e4`
                                ) % `n`
                              ),
                              36
                            ) + `e5`
                          ) % `n`
                        ),
                        36
                      ) + `e6`
                    ) % `n`
                  ),
                  36
                ) + `e7`
              ) % `n`
            ),
            36
          ) + `e8`
        ) DIV `n` AS `e8`,
        (
          SHIFTLEFT(
            (
              (
                SHIFTLEFT(
                  (
                    (
                      SHIFTLEFT(
                        (
                          (
                            SHIFTLEFT(
                              (
                                (
                                  SHIFTLEFT(
                                    (
                                      (
                                        SHIFTLEFT(
                                          (
                                            (
                                              SHIFTLEFT(
                                                (
                                                  (
                                                    SHIFTLEFT((
                                                      (
                                                        SHIFTLEFT((
                                                          `e0` % `n`
                                                        ), 36) + `e1`
                                                      ) % `n`
                                                    ), 36) + `e2`
                                                  ) % `n`
                                                ),
                                                36
                                              ) + `e3`
                                            ) % `n`
                                          ),
                                          36
                                        ) + `e4`
                                      ) % `n`
                                    ),
                                    36
                                  ) + `e5`
                                ) % `n`
                              ),
                              36
                            ) + `e6`
                          ) % `n`
                        ),
                        36
                      ) + `e7`
                    ) % `n`
                  ),
                  36
                ) + `e8`
              ) % `n`
            ),
            36
          ) + `e9`
        ) DIV `n` AS `e9`,
        (
          SHIFTLEFT(
            (
              (
                SHIFTLEFT(
                  (
                    (
                      SHIFTLEFT(
                        (
                          (
                            SHIFTLEFT(
                              (
                                (
                                  SHIFTLEFT(
                                    (
                                      (
                                        SHIFTLEFT(
                                          (
                                            (
                                              SHIFTLEFT(
                                                (
                                                  (
                                                    SHIFTLEFT(
                                                      (
                                                        (
                                                          SHIFTLEFT((
                                                            (
                                                              SHIFTLEFT((
                                                                `e0` % `n`
                                                              ), 36) + `e1`
                                                            ) % `n`
                                                          ), 36) + `e2`
                                                        ) % `n`
                                                      ),
                                                      36
                                                    ) + `e3`
                                                  ) % `n`
                                                ),
                                                36
                                              ) + `e4`
                                            ) % `n`
                                          ),
                                          36
                                        ) + `e5`
                                      ) % `n`
                                    ),
                                    36
                                  ) + `e6`
                                ) % `n`
                              ),
                              36
                            ) + `e7`
                          ) % `n`
                        ),
                        36
                      ) + `e8`
                    ) % `n`
                  ),
                  36
                ) + `e9`
              ) % `n`
            ),
            36
          ) + `e10`
        ) DIV `n` AS `e10`,
        (
          SHIFTLEFT(
            (
              (
                SHIFTLEFT(
                  (
                    (
                      SHIFTLEFT(
                        (
                          (
                            SHIFTLEFT(
                              (
                                (
                                  SHIFTLEFT(
                                    (
                                      (
                                        SHIFTLEFT(
                                          (
                                            (
                                              SHIFTLEFT(
                                                (
                                                  (
                                                    SHIFTLEFT(
                                                      (
                                                        (
                                                          SHIFTLEFT(
                                                            (
                                                              (
                                                                SHIFTLEFT((
                                                                  (
                                                                    SHIFTLEFT((
                                                                      `e0` % `n`
                                                                    ), 36) + `e1`
                                                                  ) % `n`
                                                                ), 36) + `e2`
                                                              ) % `n`
                                                            ),
                                                            36
                                                          ) + `e3`
                                                        ) % `n`
                                                      ),
                                                      36
                                                    ) + `e4`
                                                  ) % `n`
                                                ),
                                                36
                                              ) + `e5`
                                            ) % `n`
                                          ),
                                          36
                                        ) + `e6`
                                      ) % `n`
                                    ),
                                    36
                                  ) + `e7`
                                ) % `n`
                              ),
                              36
                            ) + `e8`
                          ) % `n`
                        ),
                        36
                      ) + `e9`
                    ) % `n`
                  ),
                  36
                ) + `e10`
              ) % `n`
            ),
            36
          ) + `e11`
        ) DIV `n` AS `e11`,
        `more`
        OR (
          (
            SHIFTLEFT(
              (
                (
                  SHIFTLEFT(
                    (
                      (
                        SHIFTLEFT(
                          (
                            (
                              SHIFTLEFT(
                                (
                                  (
                                    SHIFTLEFT(
                                      (
                                        (
                                          SHIFTLEFT(
                                            (
                                              (
                                                SHIFTLEFT(
                                                  (
                                                    (
                                                      SHIFTLEFT(
                                                        (
                                                          (
                                                            SHIFTLEFT(
                                                              (
                                                                (
                                                                  SHIFTLEFT((
                                                                    (
                                                                      SHIFTLEFT((
                                                                        `e0` % `n`
                                                                      ), 36) + `e1`
                                                                    ) % `n`
                                                                  ), 36) + `e2`
                                                                ) % `n`
                                                              ),
                                                              36
                                                            ) + `e3`
                                                          ) % `n`
                                                        ),
                                                        36
                                                      ) + `e4`
                                                    ) % `n`
                                                  ),
                                                  36
                                                ) + `e5`
                                              ) % `n`
                                            ),
                                            36
                                          ) + `e6`
                                        ) % `n`
                                      ),
                                      36
                                    ) + `e7`
                                  ) % `n`
                                ),
                                36
                              ) + `e8`
                            ) % `n`
                          ),
                          36
                        ) + `e9`
                      ) % `n`
                    ),
                    36
                  ) + `e10`
                ) % `n`
              ),
              36
            ) + `e11`
          ) % `n`
        ) <> 0 AS `more`,
        `n`,
        `m_`
      FROM (
        SELECT
          `user_id`,
          `t`,
          `sum`,
          `z`,
          (
            `z` * `j`
          ) & 68719476735 AS `e9`,
          (
            `z` * `i` + SHIFTRIGHT((
              `z` * `j`
            ), 36)
          ) & 68719476735 AS `e8`,
          (
            `z` * `h` + SHIFTRIGHT((
              `z` * `i` + SHIFTRIGHT((
                `z` * `j`
              ), 36)
            ), 36)
          ) & 68719476735 AS `e7`,
          (
            `z` * `g` + SHIFTRIGHT(
              (
                `z` * `h` + SHIFTRIGHT((
                  `z` * `i` + SHIFTRIGHT((
                    `z` * `j`
                  ), 36)
                ), 36)
              ),
              36
            )
          ) & 68719476735 AS `e6`,
          (
            `z` * `f` + SHIFTRIGHT(
              (
                `z` * `g` + SHIFTRIGHT(
                  (
                    `z` * `h` + SHIFTRIGHT((
                      `z` * `i` + SHIFTRIGHT((
                        `z` * `j`
                      ), 36)
                    ), 36)
                  ),
                  36
                )
              ),
              36
            )
          ) & 68719476735 AS `e5`,
          (
            `z` * `e` + SHIFTRIGHT(
              (
                `z` * `f` + SHIFTRIGHT(
                  (
                    `z` * `g` + SHIFTRIGHT(
                      (
                        `z` * `h` + SHIFTRIGHT((
                          `z` * `i` + SHIFTRIGHT((
                            `z` * `j`
                          ), 36)
                        ), 36)
                      ),
                      36
                    )
                  ),
                  36
                )
              ),
              36
            )
          ) & 68719476735 AS `e4`,
          (
            `z` * `c` + SHIFTRIGHT(
              (
                `z` * `e` + SHIFTRIGHT(
                  (
                    `z` * `f` + SHIFTRIGHT(
                      (
                        `z` * `g` + SHIFTRIGHT(
                          (
                            `z` * `h` + SHIFTRIGHT((
                              `z` * `i` + SHIFTRIGHT((
                                `z` * `j`
                              ), 36)
                            ), 36)
                          ),
                          36
                        )
                      ),
                      36
                    )
                  ),
                  36
                )
              ),
              36
            )
          ) & 68719476735 AS `e3`,
          (
            `z` * `b` + SHIFTRIGHT(
              (
                `z` * `c` + SHIFTRIGHT(
                  (
                    `z` * `e` + SHIFTRIGHT(
                      (
                        `z` * `f` + SHIFTRIGHT(
                          (
                            `z` * `g` + SHIFTRIGHT(
                              (
                                `z` * `h` + SHIFTRIGHT((
                                  `z` * `i` + SHIFTRIGHT((
                                    `z` * `j`
                                  ), 36)
                                ), 36)
                              ),
                              36
                            )
                          ),
                          36
                        )
                      ),
                      36
                    )
                  ),
                  36
                )
              ),
              36
            )
          ) & 68719476735 AS `e2`,
          (
            `z` * `a` + SHIFTRIGHT(
              (
                `z` * `b` + SHIFTRIGHT(
                  (
                    `z` * `c` + SHIFTRIGHT(
                      (
                        `z` * `e` + SHIFTRIGHT(
                          (
                            `z` * `f` + SHIFTRIGHT(
                              (
                                `z` * `g` + SHIFTRIGHT(
                                  (
                                    `z` * `h` + SHIFTRIGHT((
                                      `z` * `i` + SHIFTRIGHT((
                                        `z` * `j`
                                      ), 36)
                                    ), 36)
                                  ),
                                  36
                                )
                              ),
                              36
                            )
                          ),
                          36
                        )
                      ),
                      36
                    )
                  ),
                  36
                )
              ),
              36
            )
          ) & 68719476735 AS `e1`,
          SHIFTRIGHT(
            (
              `z` * `a` + SHIFTRIGHT(
                (
                  `z` * `b` + SHIFTRIGHT(
                    (
                      `z` * `c` + SHIFTRIGHT(
                        (
                          `z` * `e` + SHIFTRIGHT(
                            (
                              `z` * `f` + SHIFTRIGHT(
                                (
                                  `z` * `g` + SHIFTRIGHT(
                                    (
                                      `z` * `h` + SHIFTRIGHT((
                                        `z` * `i` + SHIFTRIGHT((
                                          `z` * `j`
                                        ), 36)
                                      ), 36)
                                    ),
                                    36
                                  )
                                ),
                                36
                              )
                            ),
                            36
                          )
                        ),
                        36
                      )
                    ),
                    36
                  )
                ),
                36
              )
            ),
            36
          ) & 68719476735 AS `e0`,
          CAST(0 AS BIGINT) AS `e10`,
          CAST(0 AS BIGINT) AS `e11`,
          FALSE AS `more`,
          `n`,
          `m_`
        FROM (
          SELECT
            `user_id`,
            `t`,
            `sum`,
            CASE
              WHEN SHIFTRIGHT(
                (
                  `a` + SHIFTRIGHT(
                    (
                      `b` + SHIFTRIGHT(
                        (
                          `c` + SHIFTRIGHT(
                            (
                              `e` + SHIFTRIGHT(
                                (
                                  `f` + SHIFTRIGHT(
                                    (
                                      `g` + SHIFTRIGHT((
                                        `h` + SHIFTRIGHT((
                                          `i` + SHIFTRIGHT((
                                            `j`
                                          ), 36)
                                        ), 36)
                                      ), 36)
                                    ),
                                    36
                                  )
                                ),
                                36
                              )
                            ),
                            36
                          )
                        ),
                        36
                      )
                    ),
                    36
                  )
                ),
                36
              ) < 0
              THEN -1
              ELSE 1
            END AS `z`,
            `a`,
            `b`,
            `c`,
            `e`,
            `f`,
            `g`,
            `h`,
            `i`,
            `j`,
            `n`,
            `m_`
          FROM (
            SELECT
              `user_id`,
              `t`,
              `sum`,
              COALESCE(
                CASE
                  WHEN ABS(`c`) < 4611686018427387904 OR `c` IS NULL
                  THEN CAST(`c` AS BIGINT)
                  ELSE CAST(CAST(`c` AS DECIMAL(38, 0)) % 68719476736 AS BIGINT)
                END,
                0
              ) AS `c`,
              COALESCE(CAST(`b` AS BIGINT), 0) + CASE
                WHEN ABS(`c`) < 4611686018427387904 OR `c` IS NULL
                THEN 0
                ELSE CAST((
                  (
                    CAST(`c` AS DECIMAL(38, 0)) - CAST(`c` AS DECIMAL(38, 0)) % 68719476736
                  ) / 68719476736
                ) % 68719476736 AS BIGINT)
              END AS `b`,
              COALESCE(CAST(`a` AS BIGINT), 0) + CASE
                WHEN ABS(`c`) < 4611686018427387904 OR `c` IS NULL
                THEN 0
                ELSE CAST((
                  CAST(`c` AS DECIMAL(38, 0)) - CAST(`c` AS DECIMAL(38, 0)) % 4722366482869645213696
                ) / 4722366482869645213696 AS BIGINT)
              END AS `a`,
              COALESCE(CAST(`e` AS BIGINT), 0) AS `e`,
              COALESCE(CAST(`f` AS BIGINT), 0) AS `f`,
              COALESCE(CAST(`g` AS BIGINT), 0) AS `g`,
              COALESCE(CAST(`h` AS BIGINT), 0) AS `h`,
              COALESCE(CAST(`i` AS BIGINT), 0) AS `i`,
              COALESCE(CAST(`j` AS BIGINT), 0) AS `j`,
              CAST(`n` AS BIGINT) AS `n`,
              CAST(`m_` AS BIGINT) AS `m_`
            FROM (
              SELECT
                *
              FROM `written__unrounded`
            ) AS `sums`
          ) AS `sums`
        ) AS `sums`
      ) AS `sums`
    ) AS `sums`
  ) AS `sums`
  GROUP BY
    `user_id`,
    `t`
),
`written__windows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    COALESCE(`m`.`p9`, `v`.`w0`) AS `w0`,
    COALESCE(`m`.`p19`, `v`.`w1`) AS `w1`,
    `m`.`w2`,
    COALESCE(`m`.`p29`, `v`.`w3`) AS `w3`,
    `m`.`w4`,
    COALESCE(`m`.`p40`, `v`.`w5`) AS `w5`,
    `m`.`w7`,
    `m`.`w8`,
    COALESCE(`m`.`p51`, `v`.`w9`) AS `w9`
  FROM `written__parts` AS `m`
  LEFT JOIN `written__sums` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`t` = `v`.`t`
  WHERE
    CASE
      WHEN `m`.`misfit`
      THEN RAISE_ERROR(
        'asknown: a number is too large or too small for an exact sum in feature view written'
      )
      ELSE TRUE
    END
),
-- pairs: every value is needed
`written__windows_` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    COUNT(DISTINCT `v`.`_3`) AS `w6`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - INTERVAL '2' HOUR AS `since0`,
      UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 1800000000 - `buckets`.`back` AS `bucket`
    FROM `written__moments` AS `m`
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
      UNIX_MICROS(CAST(`v`.`event_time` AS TIMESTAMP_LTZ)) DIV 1800000000 AS `bucket`
    FROM (
      SELECT
        `v`.`user_id`,
        `v`.`bought_at` AS `event_time`,
        `v`.`_3`
      FROM `written__events` AS `v`
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
  CAST(`written`.`amount` AS DOUBLE) AS `amount`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `written_windows`.`w0` END AS DOUBLE) AS `with_the_macro`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `written_windows`.`w1` END AS DOUBLE) AS `sum_amount_1h`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `written_windows`.`w2` END AS DOUBLE) AS `max_amount_1h`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `written_windows`.`w3` END AS DOUBLE) AS `sum_amount_3h`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `written_windows`.`w4` END AS DOUBLE) AS `max_amount_3h`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `written_windows`.`w0` END AS DOUBLE) AS `in_plain_sql`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `written_windows`.`w0` END AS DOUBLE) AS `with_a_name`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `written_windows`.`w5` END AS DOUBLE) AS `on_a_name`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN COALESCE(`written_windows_`.`w6`, 0) END AS BIGINT) AS `shops`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    THEN CAST(COALESCE(`written_windows`.`w7`, 0) AS DOUBLE) / CAST(NULLIF(COALESCE(`written_windows`.`w8`, 0), 0) AS DOUBLE)
  END AS DOUBLE) AS `refunded_share`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN COALESCE(`written_windows`.`w0`, 0) END AS DOUBLE) AS `or_nothing`,
  CAST(CASE
    WHEN NOT `s`.`t` IS NULL
    THEN CASE WHEN COALESCE(`written_windows`.`w8`, 0) > 1 THEN 'often' ELSE 'seldom' END
  END AS STRING) AS `how_often`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `written`.`_1` - `written_windows`.`w9` END AS DOUBLE) AS `above_average`
FROM `spine` AS `s`
LEFT JOIN `written__rows` AS `written`
  ON `s`.`user_id` = `written`.`user_id` AND `s`.`t` = `written`.`t`
LEFT JOIN `written__windows` AS `written_windows`
  ON `s`.`user_id` = `written_windows`.`user_id` AND `s`.`t` = `written_windows`.`t`
LEFT JOIN `written__windows_` AS `written_windows_`
  ON `s`.`user_id` = `written_windows_`.`user_id` AND `s`.`t` = `written_windows_`.`t`
