-- asknown compile lists --dialect trino
-- Written by asknown. Session: time zone UTC.
WITH
"raw.visits" AS (
  SELECT
    *
  FROM "main"."visits"
),
"given" AS (
  SELECT user_id, event_timestamp FROM spine
),
-- the spine, with its instant in UTC
"spine" AS (
  SELECT
    ROW_NUMBER() OVER () AS "row",
    (
      DATE_DIFF(
        'MILLISECOND',
        CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)),
        DATE_TRUNC('MILLISECOND', CAST("given"."event_timestamp" AS TIMESTAMP(6)))
      ) * 1000 + CAST(SUBSTR(CAST(CAST("given"."event_timestamp" AS TIMESTAMP(6)) AS VARCHAR), -3) AS BIGINT)
    ) AS "t",
    "given".*
  FROM "given"
),
-- rows of lists, without its trailing windows
"lists__events" AS (
  SELECT
    user_id,
    ts,
    page AS "_1",
    seconds AS "_2",
    page <> 'shop' AS "_3"
  FROM "raw.visits"
),
-- lists: the distinct moments, by user_id
"lists__moments" AS (
  SELECT DISTINCT
    "user_id",
    "t"
  FROM "spine"
  WHERE
    NOT "user_id" IS NULL AND NOT "t" IS NULL
),
-- pairs: every value is needed
"lists__windows" AS (
  SELECT
    "m"."user_id",
    "m"."t",
    ARRAY_AGG(DISTINCT "v"."_1" ORDER BY "v"."_1") FILTER(WHERE
      NOT "v"."_1" IS NULL) AS "w0",
    ARRAY_AGG(DISTINCT "v"."_2" ORDER BY "v"."_2") FILTER(WHERE
      "v"."_3" AND NOT "v"."_2" IS NULL) AS "w1"
  FROM (
    SELECT
      "m"."user_id",
      "m"."t",
      "m"."t" - 10800000000 AS "since0",
      "m"."t" / 2700000000 - "buckets"."back" AS "bucket"
    FROM "lists__moments" AS "m"
    CROSS JOIN (
      SELECT
        0 AS "back"
      UNION ALL
      SELECT
        1 AS "back"
      UNION ALL
      SELECT
        2 AS "back"
      UNION ALL
      SELECT
        3 AS "back"
      UNION ALL
      SELECT
        4 AS "back"
    ) AS "buckets"
  ) AS "m"
  JOIN (
    SELECT
      *,
      "v"."event_time" / 2700000000 AS "bucket"
    FROM (
      SELECT
        "v"."user_id",
        (
          DATE_DIFF(
            'MILLISECOND',
            CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)),
            DATE_TRUNC('MILLISECOND', CAST("v"."ts" AS TIMESTAMP(6)))
          ) * 1000 + CAST(SUBSTR(CAST(CAST("v"."ts" AS TIMESTAMP(6)) AS VARCHAR), -3) AS BIGINT)
        ) AS "event_time",
        "v"."_1",
        "v"."_3",
        "v"."_2"
      FROM "lists__events" AS "v"
    ) AS "v"
  ) AS "v"
    ON "m"."user_id" = "v"."user_id"
    AND "m"."bucket" = "v"."bucket"
    AND "v"."event_time" <= "m"."t"
    AND "v"."event_time" >= "m"."since0"
  GROUP BY
    "m"."user_id",
    "m"."t"
)
SELECT
  "s"."user_id",
  "s"."event_timestamp",
  CAST(CASE WHEN NOT "s"."t" IS NULL THEN "lists_windows"."w0" END AS ARRAY(VARCHAR)) AS "pages",
  CAST(CASE WHEN NOT "s"."t" IS NULL THEN "lists_windows"."w1" END AS ARRAY(BIGINT)) AS "lengths"
FROM "spine" AS "s"
LEFT JOIN "lists__windows" AS "lists_windows"
  ON "s"."user_id" = "lists_windows"."user_id" AND "s"."t" = "lists_windows"."t"
ORDER BY
  "s"."row"
