-- asknown compile balance --dialect trino
-- Written by asknown. Session: time zone UTC.
WITH
"raw.balances" AS (
  SELECT
    *
  FROM "main"."balances"
),
"balance" AS (
  SELECT
    user_id,
    ts,
    amount
  FROM "raw.balances"
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
-- balance: the distinct moments, by user_id
"balance__moments" AS (
  SELECT DISTINCT
    "user_id",
    "t"
  FROM "spine"
  WHERE
    NOT "user_id" IS NULL AND NOT "t" IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
"balance__match" AS (
  SELECT
    "v"."user_id",
    "v"."t",
    "v"."event_time"
  FROM (
    SELECT
      "user_id",
      "t",
      "place",
      MAX("event_time") OVER (
        PARTITION BY "user_id"
        ORDER BY "t", "place"
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS "event_time"
    FROM (
      SELECT
        "user_id",
        "event_time" AS "t",
        0 AS "place",
        "event_time"
      FROM (
        SELECT
          "v"."user_id",
          (
            DATE_DIFF(
              'MILLISECOND',
              CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)),
              DATE_TRUNC('MILLISECOND', CAST("v"."ts" AS TIMESTAMP(6)))
            ) * 1000 + CAST(SUBSTR(CAST(CAST("v"."ts" AS TIMESTAMP(6)) AS VARCHAR), -3) AS BIGINT)
          ) AS "event_time"
        FROM "balance" AS "v"
        WHERE
          NOT (
            DATE_DIFF(
              'MILLISECOND',
              CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)),
              DATE_TRUNC('MILLISECOND', CAST("v"."ts" AS TIMESTAMP(6)))
            ) * 1000 + CAST(SUBSTR(CAST(CAST("v"."ts" AS TIMESTAMP(6)) AS VARCHAR), -3) AS BIGINT)
          ) IS NULL
      ) AS "v"
      UNION ALL
      SELECT
        "m"."user_id",
        "m"."t",
        1 AS "place",
        NULL AS "event_time"
      FROM "balance__moments" AS "m"
    ) AS "asked"
  ) AS "v"
  WHERE
    "v"."place" = 1
    AND NOT "v"."event_time" IS NULL
    AND "v"."event_time" >= (
      "v"."t" - 7200000000
    )
),
-- each key and event time once
"balance__asked" AS (
  SELECT DISTINCT
    "user_id",
    "event_time"
  FROM "balance__match"
),
"balance__winners" AS (
  SELECT
    "user_id",
    "event_time",
    "amount"
  FROM (
    SELECT
      "m"."user_id",
      "m"."event_time",
      "v"."amount",
      ROW_NUMBER() OVER (PARTITION BY "m"."user_id", "m"."event_time" ORDER BY "v"."amount" DESC) AS "_w"
    FROM "balance__asked" AS "m"
    JOIN "balance" AS "v"
      ON "m"."user_id" = "v"."user_id"
      AND "m"."event_time" = (
        DATE_DIFF(
          'MILLISECOND',
          CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)),
          DATE_TRUNC('MILLISECOND', CAST("v"."ts" AS TIMESTAMP(6)))
        ) * 1000 + CAST(SUBSTR(CAST(CAST("v"."ts" AS TIMESTAMP(6)) AS VARCHAR), -3) AS BIGINT)
      )
  ) AS "_t"
  WHERE
    "_w" = 1
),
"balance__rows" AS (
  SELECT
    "m"."user_id",
    "m"."t",
    "v"."amount"
  FROM "balance__match" AS "m"
  JOIN "balance__winners" AS "v"
    ON "m"."user_id" = "v"."user_id" AND "m"."event_time" = "v"."event_time"
)
SELECT
  "s"."user_id",
  "s"."event_timestamp",
  CAST("balance"."amount" AS INTEGER) AS "amount"
FROM "spine" AS "s"
LEFT JOIN "balance__rows" AS "balance"
  ON "s"."user_id" = "balance"."user_id" AND "s"."t" = "balance"."t"
