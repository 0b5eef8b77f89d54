-- asknown compile purchases --dialect snowflake
-- Written by asknown. Session: time zone UTC.
WITH
"raw.purchases" AS (
  SELECT
    *
  FROM main.purchases
),
purchases AS (
  SELECT
    user_id,
    item_id,
    ts,
    price
  FROM "raw.purchases"
),
given AS (
  SELECT user_id, item_id, event_timestamp FROM spine
),
-- the spine, with its instant in UTC
spine AS (
  SELECT
    ROW_NUMBER() OVER (ORDER BY NULL) AS "ROW",
    CAST(given.event_timestamp AS TIMESTAMPNTZ(6)) AS t,
    given.*
  FROM given
),
-- purchases: the distinct moments, by user_id, item_id
purchases__moments AS (
  SELECT DISTINCT
    user_id,
    item_id,
    t
  FROM spine
  WHERE
    NOT user_id IS NULL AND NOT item_id IS NULL AND NOT t IS NULL
),
-- one sort of the rows
purchases__match AS (
  SELECT
    m.user_id,
    m.item_id,
    m.t,
    v.event_time
  FROM purchases__moments AS m
  ASOF JOIN (
    SELECT
      v.user_id,
      v.item_id,
      CAST(v.ts AS TIMESTAMPNTZ(6)) AS event_time
    FROM purchases AS v
    WHERE
      NOT CAST(v.ts AS TIMESTAMPNTZ(6)) IS NULL
      AND EXISTS(
        SELECT
          1
        FROM (
          SELECT
            user_id,
            item_id
          FROM purchases__moments
        ) AS asked
        WHERE
          v.user_id = asked.user_id AND v.item_id = asked.item_id
      )
  ) AS v MATCH_CONDITION (m.t >= v.event_time)
    ON m.user_id = v.user_id AND m.item_id = v.item_id
  WHERE
    NOT v.event_time IS NULL
),
-- each key and event time once
purchases__asked AS (
  SELECT DISTINCT
    user_id,
    item_id,
    event_time
  FROM purchases__match
),
purchases__winners AS (
  SELECT
    m.user_id,
    m.item_id,
    m.event_time,
    v.price
  FROM purchases__asked AS m
  JOIN purchases AS v
    ON m.user_id = v.user_id
    AND m.item_id = v.item_id
    AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY m.user_id, m.item_id, m.event_time ORDER BY v.price DESC NULLS LAST) = 1
),
purchases__rows AS (
  SELECT
    m.user_id,
    m.item_id,
    m.t,
    v.price
  FROM purchases__match AS m
  JOIN purchases__winners AS v
    ON m.user_id = v.user_id AND m.item_id = v.item_id AND m.event_time = v.event_time
)
SELECT
  s.user_id,
  s.item_id,
  s.event_timestamp,
  CAST(purchases.price AS INT) AS price
FROM spine AS s
LEFT JOIN purchases__rows AS purchases
  ON s.user_id = purchases.user_id
  AND s.item_id = purchases.item_id
  AND s.t = purchases.t
ORDER BY
  s."ROW"
