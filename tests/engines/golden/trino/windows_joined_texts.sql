-- asknown compile pages --dialect trino
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
-- rows of pages, without its trailing windows
"pages__events" AS (
  SELECT
    user_id,
    ts,
    seconds > 10 AS "_1",
    page = 'cart' AND seconds > 10 AS "_2",
    page AS "_3",
    seconds IS NULL AS "_4"
  FROM "raw.visits"
),
-- pages: the distinct moments, by user_id
"pages__moments" AS (
  SELECT DISTINCT
    "user_id",
    "t"
  FROM "spine"
  WHERE
    NOT "user_id" IS NULL AND NOT "t" IS NULL
),
-- pairs: every value is needed
"pages__windows" AS (
  SELECT
    "m"."user_id",
    "m"."t",
    COUNT(*) FILTER(WHERE
      "v"."_1") AS "w0",
    COUNT(*) FILTER(WHERE
      "v"."_2") AS "w1",
    ARRAY_JOIN(
      ARRAY_AGG("v"."_3" ORDER BY "v"."event_time" NULLS FIRST, "v"."_3" ASC NULLS FIRST) FILTER(WHERE
        NOT "v"."_3" IS NULL),
      ' > '
    ) AS "w2",
    ARRAY_JOIN(
      ARRAY_AGG("v"."_3" ORDER BY "v"."event_time" NULLS FIRST, "v"."_3" ASC NULLS FIRST) FILTER(WHERE
        "v"."event_time" >= (
          "m"."t" - 3600000000
        )
        AND "v"."_4"
        AND NOT "v"."_3" IS NULL),
      ','
    ) AS "w3"
  FROM (
    SELECT
      "m"."user_id",
      "m"."t",
      "m"."t" - 3600000000 AS "since0",
      "m"."t" - 10800000000 AS "since1",
      "m"."t" / 2700000000 - "buckets"."back" AS "bucket"
    FROM "pages__moments" AS "m"
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
        "v"."_2",
        "v"."_3",
        "v"."_4"
      FROM "pages__events" AS "v"
    ) AS "v"
  ) AS "v"
    ON "m"."user_id" = "v"."user_id"
    AND "m"."bucket" = "v"."bucket"
    AND "v"."event_time" <= "m"."t"
    AND "v"."event_time" >= "m"."since1"
  GROUP BY
    "m"."user_id",
    "m"."t"
)
SELECT
  "s"."user_id",
  "s"."event_timestamp",
  CAST(CASE
    WHEN NOT "s"."t" IS NULL
    AND CASE
      WHEN NOT COALESCE("pages_windows"."w0", 0) BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN CAST(CASE
        WHEN NOT COALESCE("pages_windows"."w0", 0) BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN 'asknown: feature ''long_visits'' of ''pages'' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      END AS INTEGER) > 0
      ELSE TRUE
    END
    THEN COALESCE("pages_windows"."w0", 0)
  END AS BIGINT) AS "long_visits",
  CAST(CASE
    WHEN NOT "s"."t" IS NULL
    AND CASE
      WHEN NOT COALESCE("pages_windows"."w1", 0) BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN CAST(CASE
        WHEN NOT COALESCE("pages_windows"."w1", 0) BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN 'asknown: feature ''long_carts'' of ''pages'' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      END AS INTEGER) > 0
      ELSE TRUE
    END
    THEN COALESCE("pages_windows"."w1", 0)
  END AS BIGINT) AS "long_carts",
  CAST(CASE WHEN NOT "s"."t" IS NULL THEN "pages_windows"."w2" END AS VARCHAR) AS "path",
  CAST(CASE WHEN NOT "s"."t" IS NULL THEN COALESCE("pages_windows"."w3", '-') END AS VARCHAR) AS "unmeasured"
FROM "spine" AS "s"
LEFT JOIN "pages__windows" AS "pages_windows"
  ON "s"."user_id" = "pages_windows"."user_id" AND "s"."t" = "pages_windows"."t"
