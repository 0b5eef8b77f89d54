-- asknown compile purchases --dialect redshift
-- Written by asknown. Session: time zone UTC.
WITH
"raw.purchases" AS (
  SELECT
    *
  FROM "main"."purchases"
),
"purchases" AS (
  SELECT
    user_id,
    item_id,
    ts,
    price
  FROM "raw.purchases"
),
"given" AS (
  SELECT user_id, item_id, event_timestamp FROM spine
),
-- the spine, with its instant in UTC
"spine" AS (
  SELECT
    ROW_NUMBER() OVER () AS "row",
    DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), "given"."event_timestamp") AS "t",
    "given".*
  FROM "given"
),
-- purchases: the distinct moments, by user_id, item_id
"purchases__moments" AS (
  SELECT DISTINCT
    "user_id",
    "item_id",
    "t"
  FROM "spine"
  WHERE
    NOT "user_id" IS NULL AND NOT "item_id" IS NULL AND NOT "t" IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
"purchases__match" AS (
  SELECT
    "v"."user_id",
    "v"."item_id",
    "v"."t",
    "v"."event_time"
  FROM (
    SELECT
      "user_id",
      "item_id",
      "t",
      "place",
      MAX("event_time") OVER (
        PARTITION BY "user_id", "item_id"
        ORDER BY "t", "place"
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS "event_time"
    FROM (
      SELECT
        "user_id",
        "item_id",
        "event_time" AS "t",
        0 AS "place",
        "event_time"
      FROM (
        SELECT
          "v"."user_id",
          "v"."item_id",
          DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), "v"."ts") AS "event_time"
        FROM "purchases" AS "v"
        WHERE
          NOT DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), "v"."ts") IS NULL
      ) AS "v"
      UNION ALL
      SELECT
        "m"."user_id",
        "m"."item_id",
        "m"."t",
        1 AS "place",
        NULL AS "event_time"
      FROM "purchases__moments" AS "m"
    ) AS "asked"
  ) AS "v"
  WHERE
    "v"."place" = 1 AND NOT "v"."event_time" IS NULL
),
-- each key and event time once
"purchases__asked" AS (
  SELECT DISTINCT
    "user_id",
    "item_id",
    "event_time"
  FROM "purchases__match"
),
"purchases__winners" AS (
  SELECT
    "m"."user_id",
    "m"."item_id",
    "m"."event_time",
    "v"."price"
  FROM "purchases__asked" AS "m"
  JOIN "purchases" AS "v"
    ON "m"."user_id" = "v"."user_id"
    AND "m"."item_id" = "v"."item_id"
    AND "m"."event_time" = DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), "v"."ts")
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY "m"."user_id", "m"."item_id", "m"."event_time"
      ORDER BY "v"."price" DESC NULLS LAST
    ) = 1
),
"purchases__rows" AS (
  SELECT
    "m"."user_id",
    "m"."item_id",
    "m"."t",
    "v"."price"
  FROM "purchases__match" AS "m"
  JOIN "purchases__winners" AS "v"
    ON "m"."user_id" = "v"."user_id"
    AND "m"."item_id" = "v"."item_id"
    AND "m"."event_time" = "v"."event_time"
)
SELECT
  "s"."user_id",
  "s"."item_id",
  "s"."event_timestamp",
  CAST("purchases"."price" AS INTEGER) AS "price"
FROM "spine" AS "s"
LEFT JOIN "purchases__rows" AS "purchases"
  ON "s"."user_id" = "purchases"."user_id"
  AND "s"."item_id" = "purchases"."item_id"
  AND "s"."t" = "purchases"."t"
ORDER BY
  "s"."row"
