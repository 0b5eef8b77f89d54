-- asknown compile odd --dialect redshift
-- Written by asknown. Session: time zone UTC.
WITH
"raw.events" AS (
  SELECT
    *
  FROM "main"."events"
),
"odd" AS (
  SELECT
    u AS "the user",
    ts,
    1 AS "y",
    2 AS "rn",
    3 AS "event_timestamp",
    4 AS "select",
    5 AS "with space",
    6 AS "quote""inside",
    7 AS "it's",
    8 AS "ünïcode",
    9 AS "bucket",
    10 AS "rows",
    11 AS "match",
    12 AS "t",
    13 AS "co:lon"
  FROM "raw.events"
),
"given" AS (
  SELECT "the user", event_timestamp FROM spine
),
-- the spine, with its instant in UTC
"spine" AS (
  SELECT
    DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), "given"."event_timestamp") AS "t_",
    "given".*
  FROM "given"
),
-- odd: the distinct moments, by the user
"odd__moments" AS (
  SELECT DISTINCT
    "the user",
    "t_"
  FROM "spine"
  WHERE
    NOT "the user" IS NULL AND NOT "t_" IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
"odd__match" AS (
  SELECT
    "v"."the user",
    "v"."t_",
    "v"."event_time"
  FROM (
    SELECT
      "the user",
      "t_",
      "place",
      MAX("event_time") OVER (
        PARTITION BY "the user"
        ORDER BY "t_", "place"
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS "event_time"
    FROM (
      SELECT
        "the user",
        "event_time" AS "t_",
        0 AS "place",
        "event_time"
      FROM (
        SELECT
          "v"."the user",
          DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), "v"."ts") AS "event_time"
        FROM "odd" AS "v"
        WHERE
          NOT DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), "v"."ts") IS NULL
      ) AS "v"
      UNION ALL
      SELECT
        "m"."the user",
        "m"."t_",
        1 AS "place",
        NULL AS "event_time"
      FROM "odd__moments" AS "m"
    ) AS "asked"
  ) AS "v"
  WHERE
    "v"."place" = 1 AND NOT "v"."event_time" IS NULL
),
-- each key and event time once
"odd__asked" AS (
  SELECT DISTINCT
    "the user",
    "event_time"
  FROM "odd__match"
),
"odd__winners" AS (
  SELECT
    "m"."the user",
    "m"."event_time",
    "v"."y",
    "v"."rn",
    "v"."event_timestamp",
    "v"."select",
    "v"."with space",
    "v"."quote""inside",
    "v"."it's",
    "v"."ünïcode",
    "v"."bucket",
    "v"."rows",
    "v"."match",
    "v"."t",
    "v"."co:lon"
  FROM "odd__asked" AS "m"
  JOIN "odd" AS "v"
    ON "m"."the user" = "v"."the user"
    AND "m"."event_time" = DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), "v"."ts")
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY "m"."the user", "m"."event_time"
      ORDER BY "v"."y" DESC NULLS LAST, "v"."rn" DESC NULLS LAST, "v"."event_timestamp" DESC NULLS LAST, "v"."select" DESC NULLS LAST, "v"."with space" DESC NULLS LAST, "v"."quote""inside" DESC NULLS LAST, "v"."it's" DESC NULLS LAST, "v"."ünïcode" DESC NULLS LAST, "v"."bucket" DESC NULLS LAST, "v"."rows" DESC NULLS LAST, "v"."match" DESC NULLS LAST, "v"."t" DESC NULLS LAST, "v"."co:lon" DESC NULLS LAST
    ) = 1
),
"odd__rows" AS (
  SELECT
    "m"."the user",
    "m"."t_",
    "v"."y",
    "v"."rn",
    "v"."event_timestamp",
    "v"."select",
    "v"."with space",
    "v"."quote""inside",
    "v"."it's",
    "v"."ünïcode",
    "v"."bucket",
    "v"."rows",
    "v"."match",
    "v"."t",
    "v"."co:lon"
  FROM "odd__match" AS "m"
  JOIN "odd__winners" AS "v"
    ON "m"."the user" = "v"."the user" AND "m"."event_time" = "v"."event_time"
)
SELECT
  "s"."the user",
  "s"."event_timestamp",
  CAST("odd"."y" AS INTEGER) AS "y",
  CAST("odd"."rn" AS INTEGER) AS "rn",
  CAST("odd"."event_timestamp" AS INTEGER) AS "event_timestamp",
  CAST("odd"."select" AS INTEGER) AS "select",
  CAST("odd"."with space" AS INTEGER) AS "with space",
  CAST("odd"."quote""inside" AS INTEGER) AS "quote""inside",
  CAST("odd"."it's" AS INTEGER) AS "it's",
  CAST("odd"."ünïcode" AS INTEGER) AS "ünïcode",
  CAST("odd"."bucket" AS INTEGER) AS "bucket",
  CAST("odd"."rows" AS INTEGER) AS "rows",
  CAST("odd"."match" AS INTEGER) AS "match",
  CAST("odd"."t" AS INTEGER) AS "t",
  CAST("odd"."co:lon" AS INTEGER) AS "co:lon"
FROM "spine" AS "s"
LEFT JOIN "odd__rows" AS "odd"
  ON "s"."the user" = "odd"."the user" AND "s"."t_" = "odd"."t_"

-- asknown compile odd:event_timestamp odd:with space odd:co:lon --dialect redshift
-- Written by asknown. Session: time zone UTC.
WITH
"raw.events" AS (
  SELECT
    *
  FROM "main"."events"
),
"odd" AS (
  SELECT
    u AS "the user",
    ts,
    1 AS "y",
    2 AS "rn",
    3 AS "event_timestamp",
    4 AS "select",
    5 AS "with space",
    6 AS "quote""inside",
    7 AS "it's",
    8 AS "ünïcode",
    9 AS "bucket",
    10 AS "rows",
    11 AS "match",
    12 AS "t",
    13 AS "co:lon"
  FROM "raw.events"
),
"given" AS (
  SELECT "the user", event_timestamp FROM spine
),
-- the spine, with its instant in UTC
"spine" AS (
  SELECT
    DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), "given"."event_timestamp") AS "t",
    "given".*
  FROM "given"
),
-- odd: the distinct moments, by the user
"odd__moments" AS (
  SELECT DISTINCT
    "the user",
    "t" AS "t_"
  FROM "spine"
  WHERE
    NOT "the user" IS NULL AND NOT "t" IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
"odd__match" AS (
  SELECT
    "v"."the user",
    "v"."t_",
    "v"."event_time"
  FROM (
    SELECT
      "the user",
      "t_",
      "place",
      MAX("event_time") OVER (
        PARTITION BY "the user"
        ORDER BY "t_", "place"
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS "event_time"
    FROM (
      SELECT
        "the user",
        "event_time" AS "t_",
        0 AS "place",
        "event_time"
      FROM (
        SELECT
          "v"."the user",
          DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), "v"."ts") AS "event_time"
        FROM "odd" AS "v"
        WHERE
          NOT DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), "v"."ts") IS NULL
      ) AS "v"
      UNION ALL
      SELECT
        "m"."the user",
        "m"."t_",
        1 AS "place",
        NULL AS "event_time"
      FROM "odd__moments" AS "m"
    ) AS "asked"
  ) AS "v"
  WHERE
    "v"."place" = 1 AND NOT "v"."event_time" IS NULL
),
-- each key and event time once
"odd__asked" AS (
  SELECT DISTINCT
    "the user",
    "event_time"
  FROM "odd__match"
),
"odd__best" AS (
  SELECT
    "m"."the user",
    "m"."event_time",
    COUNT(*) OVER (PARTITION BY "m"."the user", "m"."event_time") AS "ties"
  FROM "odd__asked" AS "m"
  JOIN "odd" AS "v"
    ON "m"."the user" = "v"."the user"
    AND "m"."event_time" = DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), "v"."ts")
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY "m"."the user", "m"."event_time") = 1
),
-- ties in every time are broken by the select's columns
"odd__winners" AS (
  SELECT
    "m"."the user",
    "m"."event_time",
    "v"."event_timestamp",
    "v"."with space",
    "v"."co:lon"
  FROM (
    SELECT
      *
    FROM "odd__best"
    WHERE
      "ties" = 1
  ) AS "m"
  JOIN "odd" AS "v"
    ON "m"."the user" = "v"."the user"
    AND "m"."event_time" = DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), "v"."ts")
  UNION ALL
  SELECT
    "the user",
    "event_time",
    "event_timestamp",
    "with space",
    "co:lon"
  FROM (
    SELECT
      "m"."the user",
      "m"."event_time",
      "v"."event_timestamp",
      "v"."with space",
      "v"."co:lon"
    FROM (
      SELECT
        *
      FROM "odd__best"
      WHERE
        "ties" > 1
    ) AS "m"
    JOIN "odd" AS "v"
      ON "m"."the user" = "v"."the user"
      AND "m"."event_time" = DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), "v"."ts")
    QUALIFY
      ROW_NUMBER() OVER (
        PARTITION BY "m"."the user", "m"."event_time"
        ORDER BY "v"."y" DESC NULLS LAST, "v"."rn" DESC NULLS LAST, "v"."event_timestamp" DESC NULLS LAST, "v"."select" DESC NULLS LAST, "v"."with space" DESC NULLS LAST, "v"."quote""inside" DESC NULLS LAST, "v"."it's" DESC NULLS LAST, "v"."ünïcode" DESC NULLS LAST, "v"."bucket" DESC NULLS LAST, "v"."rows" DESC NULLS LAST, "v"."match" DESC NULLS LAST, "v"."t" DESC NULLS LAST, "v"."co:lon" DESC NULLS LAST
      ) = 1
  ) AS "m"
),
"odd__rows" AS (
  SELECT
    "m"."the user",
    "m"."t_",
    "v"."event_timestamp",
    "v"."with space",
    "v"."co:lon"
  FROM "odd__match" AS "m"
  JOIN "odd__winners" AS "v"
    ON "m"."the user" = "v"."the user" AND "m"."event_time" = "v"."event_time"
)
SELECT
  "s"."the user",
  "s"."event_timestamp",
  CAST("odd"."event_timestamp" AS INTEGER) AS "event_timestamp",
  CAST("odd"."with space" AS INTEGER) AS "with space",
  CAST("odd"."co:lon" AS INTEGER) AS "co:lon"
FROM "spine" AS "s"
LEFT JOIN "odd__rows" AS "odd"
  ON "s"."the user" = "odd"."the user" AND "s"."t" = "odd"."t_"
