-- asknown compile ends --dialect databricks
-- Written by asknown. Session: time zone UTC.
WITH
`raw.events` AS (
  SELECT
    *
  FROM `main`.`events`
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
-- rows of ends, without its trailing windows
`ends__events` AS (
  SELECT
    user_id,
    ts,
    x AS `_1`
  FROM `raw.events`
),
-- ends: the distinct moments, by user_id
`ends__moments` AS (
  SELECT DISTINCT
    `user_id`,
    `t`
  FROM `spine`
  WHERE
    NOT `user_id` IS NULL AND NOT `t` IS NULL
),
-- pairs: every value is needed
`ends__windows` AS (
  SELECT
    `m`.`user_id`,
    `m`.`t`,
    TRY_ELEMENT_AT(
      TRANSFORM(
        FILTER(
          ARRAY(
            SORT_ARRAY(
              COLLECT_LIST(STRUCT(STRUCT(`v`.`event_time`, `v`.`_1`) AS `k`, `v`.`_1` AS `x`)) FILTER(WHERE
                `v`.`event_time` >= (
                  `m`.`t` - INTERVAL '2' HOUR
                ) AND NOT `v`.`_1` IS NULL)
            )
          ),
          `l` -> SIZE(l) > 0
        ),
        `l` -> TRANSFORM(l, `e` -> `e`.`x`)
      ),
      1
    ) AS `w0`,
    TRY_ELEMENT_AT(
      TRANSFORM(
        FILTER(
          ARRAY(
            SORT_ARRAY(
              COLLECT_LIST(STRUCT(STRUCT(`v`.`event_time`, `v`.`_1`) AS `k`, `v`.`_1` AS `x`)) FILTER(WHERE
                `v`.`event_time` >= (
                  `m`.`t` - INTERVAL '2' HOUR
                )
                AND `v`.`event_time` <= (
                  `m`.`t` - INTERVAL '1' MICROSECOND
                )
                AND NOT `v`.`_1` IS NULL)
            )
          ),
          `l` -> SIZE(l) > 0
        ),
        `l` -> TRANSFORM(l, `e` -> `e`.`x`)
      ),
      1
    ) AS `w1`,
    TRY_ELEMENT_AT(
      TRANSFORM(
        FILTER(
          ARRAY(
            SORT_ARRAY(
              COLLECT_LIST(STRUCT(STRUCT(`v`.`event_time`, `v`.`_1`) AS `k`, `v`.`_1` AS `x`)) FILTER(WHERE
                `v`.`event_time` >= (
                  `m`.`t` - INTERVAL '7199999999' MICROSECOND
                )
                AND NOT `v`.`_1` IS NULL)
            )
          ),
          `l` -> SIZE(l) > 0
        ),
        `l` -> TRANSFORM(l, `e` -> `e`.`x`)
      ),
      1
    ) AS `w2`,
    TRY_ELEMENT_AT(
      TRANSFORM(
        FILTER(
          ARRAY(
            SORT_ARRAY(
              COLLECT_LIST(STRUCT(STRUCT(`v`.`event_time`, `v`.`_1`) AS `k`, `v`.`_1` AS `x`)) FILTER(WHERE
                `v`.`event_time` <= (
                  `m`.`t` - INTERVAL '1' HOUR
                ) AND NOT `v`.`_1` IS NULL)
            )
          ),
          `l` -> SIZE(l) > 0
        ),
        `l` -> TRANSFORM(l, `e` -> `e`.`x`)
      ),
      1
    ) AS `w3`
  FROM (
    SELECT
      `m`.`user_id`,
      `m`.`t`,
      `m`.`t` - INTERVAL '0' DAY AS `since0`,
      `m`.`t` - INTERVAL '3599999999' MICROSECOND AS `since1`,
      `m`.`t` - INTERVAL '7199999999' MICROSECOND AS `since2`,
      `m`.`t` - INTERVAL '2' HOUR AS `since3`,
      `m`.`t` - INTERVAL '3' HOUR AS `since4`,
      UNIX_MICROS(CAST(`m`.`t` AS TIMESTAMP_LTZ)) DIV 2700000000 - `buckets`.`back` AS `bucket`
    FROM `ends__moments` AS `m`
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
        `v`.`_1`
      FROM `ends__events` AS `v`
    ) AS `v`
  ) AS `v`
    ON `m`.`user_id` = `v`.`user_id`
    AND `m`.`bucket` = `v`.`bucket`
    AND `v`.`event_time` <= `m`.`t`
    AND `v`.`event_time` >= `m`.`since4`
  GROUP BY
    `m`.`user_id`,
    `m`.`t`
)
SELECT
  `s`.`user_id`,
  `s`.`event_timestamp`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `ends_windows`.`w0` END AS ARRAY<STRING>) AS `both`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `ends_windows`.`w1` END AS ARRAY<STRING>) AS `without_the_present`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `ends_windows`.`w2` END AS ARRAY<STRING>) AS `without_the_far_end`,
  CAST(CASE WHEN NOT `s`.`t` IS NULL THEN `ends_windows`.`w3` END AS ARRAY<STRING>) AS `an_hour_ago`
FROM `spine` AS `s`
LEFT JOIN `ends__windows` AS `ends_windows`
  ON `s`.`user_id` = `ends_windows`.`user_id` AND `s`.`t` = `ends_windows`.`t`
