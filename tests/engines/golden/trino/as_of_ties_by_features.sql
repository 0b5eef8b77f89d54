-- asknown compile ties --dialect trino
-- Written by asknown. Session: time zone UTC.
WITH
"raw.ties" AS (
  SELECT
    *
  FROM "main"."ties"
),
"ties" AS (
  SELECT
    user_id,
    ts,
    first,
    second
  FROM "raw.ties"
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
-- ties: the distinct moments, by user_id
"ties__moments" AS (
  SELECT DISTINCT
    "user_id",
    "t"
  FROM "spine"
  WHERE
    NOT "user_id" IS NULL AND NOT "t" IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
"ties__match" AS (
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
        FROM "ties" AS "v"
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
      FROM "ties__moments" AS "m"
    ) AS "asked"
  ) AS "v"
  WHERE
    "v"."place" = 1 AND NOT "v"."event_time" IS NULL
),
-- each key and event time once
"ties__asked" AS (
  SELECT DISTINCT
    "user_id",
    "event_time"
  FROM "ties__match"
),
"ties__winners" AS (
  SELECT
    "user_id",
    "event_time",
    "first",
    "second"
  FROM (
    SELECT
      "m"."user_id",
      "m"."event_time",
      "v"."first",
      "v"."second",
      ROW_NUMBER() OVER (
        PARTITION BY "m"."user_id", "m"."event_time"
        ORDER BY "v"."first" DESC, "v"."second" DESC
      ) AS "_w"
    FROM "ties__asked" AS "m"
    JOIN "ties" AS "v"
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
"ties__rows" AS (
  SELECT
    "m"."user_id",
    "m"."t",
    "v"."first",
    "v"."second"
  FROM "ties__match" AS "m"
  JOIN "ties__winners" AS "v"
    ON "m"."user_id" = "v"."user_id" AND "m"."event_time" = "v"."event_time"
)
SELECT
  "s"."user_id",
  "s"."event_timestamp",
  CAST("ties"."first" AS INTEGER) AS "first",
  CAST("ties"."second" AS INTEGER) AS "second"
FROM "spine" AS "s"
LEFT JOIN "ties__rows" AS "ties"
  ON "s"."user_id" = "ties"."user_id" AND "s"."t" = "ties"."t"

-- asknown compile ties:second --dialect trino
-- Written by asknown. Session: time zone UTC.
WITH
"raw.ties" AS (
  SELECT
    *
  FROM "main"."ties"
),
"ties" AS (
  SELECT
    user_id,
    ts,
    first,
    second
  FROM "raw.ties"
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
-- ties: the distinct moments, by user_id
"ties__moments" AS (
  SELECT DISTINCT
    "user_id",
    "t"
  FROM "spine"
  WHERE
    NOT "user_id" IS NULL AND NOT "t" IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
"ties__match" AS (
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
        FROM "ties" AS "v"
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
      FROM "ties__moments" AS "m"
    ) AS "asked"
  ) AS "v"
  WHERE
    "v"."place" = 1 AND NOT "v"."event_time" IS NULL
),
-- each key and event time once
"ties__asked" AS (
  SELECT DISTINCT
    "user_id",
    "event_time"
  FROM "ties__match"
),
"ties__best" AS (
  SELECT
    "user_id",
    "event_time",
    "ties"
  FROM (
    SELECT
      "m"."user_id",
      "m"."event_time",
      COUNT(*) OVER (PARTITION BY "m"."user_id", "m"."event_time") AS "ties",
      ROW_NUMBER() OVER (PARTITION BY "m"."user_id", "m"."event_time") AS "_w"
    FROM "ties__asked" AS "m"
    JOIN "ties" AS "v"
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
-- ties in every time are broken by the select's columns
"ties__winners" AS (
  SELECT
    "m"."user_id",
    "m"."event_time",
    "v"."second"
  FROM (
    SELECT
      *
    FROM "ties__best"
    WHERE
      "ties" = 1
  ) AS "m"
  JOIN "ties" AS "v"
    ON "m"."user_id" = "v"."user_id"
    AND "m"."event_time" = (
      DATE_DIFF(
        'MILLISECOND',
        CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)),
        DATE_TRUNC('MILLISECOND', CAST("v"."ts" AS TIMESTAMP(6)))
      ) * 1000 + CAST(SUBSTR(CAST(CAST("v"."ts" AS TIMESTAMP(6)) AS VARCHAR), -3) AS BIGINT)
    )
  UNION ALL
  SELECT
    "user_id",
    "event_time",
    "second"
  FROM (
    SELECT
      "user_id",
      "event_time",
      "second"
    FROM (
      SELECT
        "m"."user_id",
        "m"."event_time",
        "v"."second",
        ROW_NUMBER() OVER (
          PARTITION BY "m"."user_id", "m"."event_time"
          ORDER BY "v"."first" DESC, "v"."second" DESC
        ) AS "_w"
      FROM (
        SELECT
          *
        FROM "ties__best"
        WHERE
          "ties" > 1
      ) AS "m"
      JOIN "ties" AS "v"
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
  ) AS "m"
),
"ties__rows" AS (
  SELECT
    "m"."user_id",
    "m"."t",
    "v"."second"
  FROM "ties__match" AS "m"
  JOIN "ties__winners" AS "v"
    ON "m"."user_id" = "v"."user_id" AND "m"."event_time" = "v"."event_time"
)
SELECT
  "s"."user_id",
  "s"."event_timestamp",
  CAST("ties"."second" AS INTEGER) AS "second"
FROM "spine" AS "s"
LEFT JOIN "ties__rows" AS "ties"
  ON "s"."user_id" = "ties"."user_id" AND "s"."t" = "ties"."t"
