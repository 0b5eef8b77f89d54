-- asknown compile spending --dialect databricks
-- Written by asknown. Session: time zone UTC.
WITH
`raw.transactions` AS (
  SELECT
    *
  FROM `main`.`transactions`
),
`given` AS (
  SELECT user_id, event_timestamp FROM spine
),
-- the spine, with its instant in UTC
`spine` AS (
  SELECT
    MONOTONICALLY_INCREASING_ID() AS `row`,
    `given`.`event_timestamp` AS `t`,
    `given`.*
  FROM `given`
),
-- rows of spending, without its trailing windows
`spending__events` AS (
  SELECT
    user_id,
    bought_at,
    amount AS `_1`
  FROM `raw.transactions`
),
-- spending: the distinct moments, by user_id
`spending__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- pairs: one frame
`spending__parts` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    COUNT(*) AS `w1`,
    SUM(`v`.`_1a`) AS `p0`,
    SUM(`v`.`_1b`) AS `p1`,
    SUM(`v`.`_1c`) AS `p2`,
    SUM(`v`.`_1e`) AS `p3`,
    SUM(`v`.`_1f`) AS `p4`,
    SUM(`v`.`_1g`) AS `p5`,
    SUM(`v`.`_1h`) AS `p6`,
    SUM(`v`.`_1i`) AS `p7`,
    SUM(`v`.`_1j`) AS `p8`,
    COUNT(`v`.`_1`) AS `p9`,
    SUM(`v`.`_1x`) AS `p10`,
    BOOL_OR(`v`.`_1d`) AS `misfit`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - INTERVAL '7' DAY AS `since0`,
      UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 151200000000 - `buckets`.`back` AS `bucket`
    FROM `spending__moments` AS `m`
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
      UNIX_MICROS(CAST(`v`.`event_time` AS TIMESTAMP_LTZ)) DIV 151200000000 AS `bucket`
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
        END AS `_1d`
      FROM `spending__events` AS `v`
    ) AS `v`
  ) AS `v`
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`bucket` = `v`.`bucket`
    AND `v`.`event_time` <= `m`.`t`
    AND `v`.`event_time` >= `m`.`since0`
  GROUP BY
    `m`.`user_id`,
    `m`.`t`
),
-- exact sums, one per row
`spending__unrounded` AS (
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
    CAST(`v`.`p9` AS DECIMAL(38, 0)) AS `n`,
    CAST(0 AS DECIMAL(38, 0)) AS `m_`
  FROM `spending__parts` AS `v`
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
),
-- and rounded once
`spending__sums` AS (
  SELECT
    `user_id`,
    `t`,
    MAX(`value`) FILTER(WHERE
      `sum` = 0) AS `w0`
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
              FROM `spending__unrounded`
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
`spending__windows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    COALESCE(`m`.`p10`, `v`.`w0`) AS `w0`,
    `m`.`w1`
  FROM `spending__parts` AS `m`
  LEFT JOIN `spending__sums` AS `v`
    ON `m`.`user_id` = `v`.`user_id` AND `m`.`t` = `v`.`t`
  WHERE
    CASE
      WHEN `m`.`misfit`
      THEN RAISE_ERROR(
        'asknown: a number is too large or too small for an exact sum in feature view spending'
      )
      ELSE TRUE
    END
)
SELECT
  `s`.`user_id`,
  `s`.`event_timestamp`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `spending_windows`.`w0` END AS DOUBLE) AS `avg_amount_7d`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN COALESCE(`spending_windows`.`w1`, 0) END AS BIGINT) AS `purchases_7d`
FROM `spine` AS `s`
LEFT JOIN `spending__windows` AS `spending_windows`
  ON `s`.`user_id` = `spending_windows`.`user_id` AND `s`.`t` = `spending_windows`.`t`
ORDER BY
  `s`.`row`
