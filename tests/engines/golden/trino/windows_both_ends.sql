-- asknown compile ends --dialect trino
-- Written by asknown. Session: time zone UTC.
WITH
"raw.events" AS (
  SELECT
    *
  FROM "main"."events"
),
"given" AS (
  SELECT user_id, event_timestamp FROM spine
),
-- the spine, with its instant in UTC
"spine" AS (
  SELECT
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
-- rows of ends, without its trailing windows
"ends__events" AS (
  SELECT
    user_id,
    ts,
    x AS "_1"
  FROM "raw.events"
),
-- ends: the distinct moments, by user_id
"ends__moments" AS (
  SELECT DISTINCT
    "user_id",
    "t"
  FROM "spine"
  WHERE
    NOT "user_id" IS NULL AND NOT "t" IS NULL
),
-- pairs: every value is needed
"ends__windows" AS (
  SELECT
    "m"."user_id",
    "m"."t",
    ARRAY_AGG("v"."_1" ORDER BY "v"."event_time" NULLS FIRST, "v"."_1" ASC NULLS FIRST) FILTER(WHERE
      "v"."event_time" >= (
        "m"."t" - 7200000000
      ) AND NOT "v"."_1" IS NULL) AS "w0",
    ARRAY_AGG("v"."_1" ORDER BY "v"."event_time" NULLS FIRST, "v"."_1" ASC NULLS FIRST) FILTER(WHERE
      "v"."event_time" >= (
        "m"."t" - 7200000000
      )
      AND "v"."event_time" <= (
        "m"."t" - 1
      )
      AND NOT "v"."_1" IS NULL) AS "w1",
    ARRAY_AGG("v"."_1" ORDER BY "v"."event_time" NULLS FIRST, "v"."_1" ASC NULLS FIRST) FILTER(WHERE
      "v"."event_time" >= (
        "m"."t" - 7199999999
      ) AND NOT "v"."_1" IS NULL) AS "w2",
    ARRAY_AGG("v"."_1" ORDER BY "v"."event_time" NULLS FIRST, "v"."_1" ASC NULLS FIRST) FILTER(WHERE
      "v"."event_time" <= (
        "m"."t" - 3600000000
      ) AND NOT "v"."_1" IS NULL) AS "w3"
  FROM (
    SELECT
      "m"."user_id",
      "m"."t",
      "m"."t" - 0 AS "since0",
      "m"."t" - 3599999999 AS "since1",
      "m"."t" - 7199999999 AS "since2",
      "m"."t" - 7200000000 AS "since3",
      "m"."t" - 10800000000 AS "since4",
      "m"."t" / 2700000000 - "buckets"."back" AS "bucket"
    FROM "ends__moments" AS "m"
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
        "v"."_1"
      FROM "ends__events" AS "v"
    ) AS "v"
  ) AS "v"
    ON "m"."user_id" = "v"."user_id"
    AND "m"."bucket" = "v"."bucket"
    AND "v"."event_time" <= "m"."t"
    AND "v"."event_time" >= "m"."since4"
  GROUP BY
    "m"."user_id",
    "m"."t"
)
SELECT
  "s"."user_id",
  "s"."event_timestamp",
  CAST(CASE WHEN NOT "s"."t" IS NULL THEN "ends_windows"."w0" END AS ARRAY(VARCHAR)) AS "both",
  CAST(CASE WHEN NOT "s"."t" IS NULL THEN "ends_windows"."w1" END AS ARRAY(VARCHAR)) AS "without_the_present",
  CAST(CASE WHEN NOT "s"."t" IS NULL THEN "ends_windows"."w2" END AS ARRAY(VARCHAR)) AS "without_the_far_end",
  CAST(CASE WHEN NOT "s"."t" IS NULL THEN "ends_windows"."w3" END AS ARRAY(VARCHAR)) AS "an_hour_ago"
FROM "spine" AS "s"
LEFT JOIN "ends__windows" AS "ends_windows"
  ON "s"."user_id" = "ends_windows"."user_id" AND "s"."t" = "ends_windows"."t"
