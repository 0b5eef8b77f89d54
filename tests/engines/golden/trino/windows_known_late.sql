-- asknown compile confirmed --dialect trino
-- Written by asknown. Session: time zone UTC.
WITH
"raw.purchases" AS (
  SELECT
    *
  FROM "main"."purchases"
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
-- rows of confirmed, without its trailing windows
"confirmed__events" AS (
  SELECT
    user_id,
    ts,
    confirmed_at,
    amount AS last_amount,
    amount AS "_1"
  FROM "raw.purchases"
),
-- confirmed: the distinct moments, by user_id
"confirmed__moments" AS (
  SELECT DISTINCT
    "user_id",
    "t"
  FROM "spine"
  WHERE
    NOT "user_id" IS NULL AND NOT "t" IS NULL
),
-- rows and moments in one sort: the engine has no as-of join
"confirmed__match" AS (
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
        "known_at" AS "t",
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
          ) AS "event_time",
          GREATEST(
            (
              DATE_DIFF(
                'MILLISECOND',
                CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)),
                DATE_TRUNC('MILLISECOND', CAST("v"."ts" AS TIMESTAMP(6)))
              ) * 1000 + CAST(SUBSTR(CAST(CAST("v"."ts" AS TIMESTAMP(6)) AS VARCHAR), -3) AS BIGINT)
            ),
            (
              DATE_DIFF(
                'MILLISECOND',
                CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)),
                DATE_TRUNC('MILLISECOND', CAST("v"."confirmed_at" AS TIMESTAMP(6)))
              ) * 1000 + CAST(SUBSTR(CAST(CAST("v"."confirmed_at" AS TIMESTAMP(6)) AS VARCHAR), -3) AS BIGINT)
            )
          ) AS "known_at"
        FROM "confirmed__events" AS "v"
        WHERE
          NOT (
            DATE_DIFF(
              'MILLISECOND',
              CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)),
              DATE_TRUNC('MILLISECOND', CAST("v"."ts" AS TIMESTAMP(6)))
            ) * 1000 + CAST(SUBSTR(CAST(CAST("v"."ts" AS TIMESTAMP(6)) AS VARCHAR), -3) AS BIGINT)
          ) IS NULL
          AND NOT (
            DATE_DIFF(
              'MILLISECOND',
              CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)),
              DATE_TRUNC('MILLISECOND', CAST("v"."confirmed_at" AS TIMESTAMP(6)))
            ) * 1000 + CAST(SUBSTR(CAST(CAST("v"."confirmed_at" AS TIMESTAMP(6)) AS VARCHAR), -3) AS BIGINT)
          ) IS NULL
      ) AS "v"
      UNION ALL
      SELECT
        "m"."user_id",
        "m"."t",
        1 AS "place",
        NULL AS "event_time"
      FROM "confirmed__moments" AS "m"
    ) AS "asked"
  ) AS "v"
  WHERE
    "v"."place" = 1
    AND NOT "v"."event_time" IS NULL
    AND "v"."event_time" >= (
      "v"."t" - 3600000000
    )
),
"confirmed__rows" AS (
  SELECT
    "user_id",
    "t",
    "last_amount"
  FROM (
    SELECT
      "m"."user_id",
      "m"."t",
      "v"."last_amount",
      ROW_NUMBER() OVER (
        PARTITION BY "m"."user_id", "m"."t", "m"."event_time"
        ORDER BY (
          DATE_DIFF(
            'MILLISECOND',
            CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)),
            DATE_TRUNC('MILLISECOND', CAST("v"."confirmed_at" AS TIMESTAMP(6)))
          ) * 1000 + CAST(SUBSTR(CAST(CAST("v"."confirmed_at" AS TIMESTAMP(6)) AS VARCHAR), -3) AS BIGINT)
        ) DESC, "v"."last_amount" DESC
      ) AS "_w"
    FROM "confirmed__match" AS "m"
    JOIN "confirmed__events" AS "v"
      ON "m"."user_id" = "v"."user_id"
      AND "m"."event_time" = (
        DATE_DIFF(
          'MILLISECOND',
          CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)),
          DATE_TRUNC('MILLISECOND', CAST("v"."ts" AS TIMESTAMP(6)))
        ) * 1000 + CAST(SUBSTR(CAST(CAST("v"."ts" AS TIMESTAMP(6)) AS VARCHAR), -3) AS BIGINT)
      )
      AND (
        DATE_DIFF(
          'MILLISECOND',
          CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)),
          DATE_TRUNC('MILLISECOND', CAST("v"."confirmed_at" AS TIMESTAMP(6)))
        ) * 1000 + CAST(SUBSTR(CAST(CAST("v"."confirmed_at" AS TIMESTAMP(6)) AS VARCHAR), -3) AS BIGINT)
      ) <= "m"."t"
  ) AS "_t"
  WHERE
    "_w" = 1
),
-- pairs: one frame
"confirmed__windows" AS (
  SELECT
    "m"."user_id",
    "m"."t",
    SUM(CAST("v"."_1" AS DECIMAL(38, 0))) AS "w0"
  FROM (
    SELECT
      "m"."user_id",
      "m"."t",
      "m"."t" - 10800000000 AS "since0",
      "m"."t" / 2700000000 - "buckets"."back" AS "bucket"
    FROM "confirmed__moments" AS "m"
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
        (
          DATE_DIFF(
            'MILLISECOND',
            CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)),
            DATE_TRUNC('MILLISECOND', CAST("v"."confirmed_at" AS TIMESTAMP(6)))
          ) * 1000 + CAST(SUBSTR(CAST(CAST("v"."confirmed_at" AS TIMESTAMP(6)) AS VARCHAR), -3) AS BIGINT)
        ) AS "known_at",
        "v"."_1"
      FROM "confirmed__events" AS "v"
    ) AS "v"
  ) AS "v"
    ON "m"."user_id" = "v"."user_id"
    AND "m"."bucket" = "v"."bucket"
    AND "v"."event_time" <= "m"."t"
    AND "v"."event_time" >= "m"."since0"
    AND "v"."known_at" <= "m"."t"
  GROUP BY
    "m"."user_id",
    "m"."t"
)
SELECT
  "s"."user_id",
  "s"."event_timestamp",
  CAST("confirmed"."last_amount" AS INTEGER) AS "last_amount",
  CAST(CASE
    WHEN NOT "s"."t" IS NULL
    AND CASE
      WHEN NOT "confirmed_windows"."w0" BETWEEN -9223372036854775808 AND 9223372036854775807
      THEN CAST(CASE
        WHEN NOT "confirmed_windows"."w0" BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN 'asknown: feature ''amount_3h'' of ''confirmed'' is a sum of integers beyond 64 bits: declare data_type: decimal(38,0) for it'
      END AS INTEGER) > 0
      ELSE TRUE
    END
    THEN "confirmed_windows"."w0"
  END AS BIGINT) AS "amount_3h"
FROM "spine" AS "s"
LEFT JOIN "confirmed__rows" AS "confirmed"
  ON "s"."user_id" = "confirmed"."user_id" AND "s"."t" = "confirmed"."t"
LEFT JOIN "confirmed__windows" AS "confirmed_windows"
  ON "s"."user_id" = "confirmed_windows"."user_id"
  AND "s"."t" = "confirmed_windows"."t"
