-- asknown compile deal --dialect snowflake
-- Written by asknown. Session: time zone UTC.
WITH
"raw.balances" AS (
  SELECT
    *
  FROM main.balances
),
balance AS (
  SELECT
    user_id,
    ts,
    amount
  FROM "raw.balances"
),
given AS (
  SELECT buyer_id, seller_id, event_timestamp FROM spine
),
-- the spine, with its instant in UTC
spine AS (
  SELECT
    ROW_NUMBER() OVER (ORDER BY NULL) AS "ROW",
    CAST(given.event_timestamp AS TIMESTAMPNTZ(6)) AS t,
    given.*
  FROM given
),
-- buyer: the distinct moments, by user_id
buyer__moments AS (
  SELECT DISTINCT
    buyer_id AS user_id,
    t
  FROM spine
  WHERE
    NOT buyer_id IS NULL AND NOT t IS NULL
),
-- one sort of the rows
buyer__match AS (
  SELECT
    m.user_id,
    m.t,
    v.event_time
  FROM buyer__moments AS m
  ASOF JOIN (
    SELECT
      v.user_id,
      CAST(v.ts AS TIMESTAMPNTZ(6)) AS event_time
    FROM balance AS v
    WHERE
      NOT CAST(v.ts AS TIMESTAMPNTZ(6)) IS NULL
      AND EXISTS(
        SELECT
          1
        FROM (
          SELECT
            user_id
          FROM buyer__moments
        ) AS asked
        WHERE
          v.user_id = asked.user_id
      )
  ) AS v MATCH_CONDITION (m.t >= v.event_time)
    ON m.user_id = v.user_id
  WHERE
    NOT v.event_time IS NULL
),
-- each key and event time once
buyer__asked AS (
  SELECT DISTINCT
    user_id,
    event_time
  FROM buyer__match
),
buyer__winners AS (
  SELECT
    m.user_id,
    m.event_time,
    v.amount
  FROM buyer__asked AS m
  JOIN balance AS v
    ON m.user_id = v.user_id AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY m.user_id, m.event_time ORDER BY v.amount DESC NULLS LAST) = 1
),
buyer__rows AS (
  SELECT
    m.user_id,
    m.t,
    v.amount
  FROM buyer__match AS m
  JOIN buyer__winners AS v
    ON m.user_id = v.user_id AND m.event_time = v.event_time
),
-- seller: the distinct moments, by user_id
seller__moments AS (
  SELECT DISTINCT
    seller_id AS user_id,
    t
  FROM spine
  WHERE
    NOT seller_id IS NULL AND NOT t IS NULL
),
-- one sort of the rows
seller__match AS (
  SELECT
    m.user_id,
    m.t,
    v.event_time
  FROM seller__moments AS m
  ASOF JOIN (
    SELECT
      v.user_id,
      CAST(v.ts AS TIMESTAMPNTZ(6)) AS event_time
    FROM balance AS v
    WHERE
      NOT CAST(v.ts AS TIMESTAMPNTZ(6)) IS NULL
      AND EXISTS(
        SELECT
          1
        FROM (
          SELECT
            user_id
          FROM seller__moments
        ) AS asked
        WHERE
          v.user_id = asked.user_id
      )
  ) AS v MATCH_CONDITION (m.t >= v.event_time)
    ON m.user_id = v.user_id
  WHERE
    NOT v.event_time IS NULL
),
-- each key and event time once
seller__asked AS (
  SELECT DISTINCT
    user_id,
    event_time
  FROM seller__match
),
seller__winners AS (
  SELECT
    m.user_id,
    m.event_time,
    v.amount
  FROM seller__asked AS m
  JOIN balance AS v
    ON m.user_id = v.user_id AND m.event_time = CAST(v.ts AS TIMESTAMPNTZ(6))
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY m.user_id, m.event_time ORDER BY v.amount DESC NULLS LAST) = 1
),
seller__rows AS (
  SELECT
    m.user_id,
    m.t,
    v.amount
  FROM seller__match AS m
  JOIN seller__winners AS v
    ON m.user_id = v.user_id AND m.event_time = v.event_time
)
SELECT
  s.buyer_id,
  s.seller_id,
  s.event_timestamp,
  CAST(buyer.amount AS INT) AS buyer__amount,
  CAST(seller.amount AS INT) AS seller__amount
FROM spine AS s
LEFT JOIN buyer__rows AS buyer
  ON s.buyer_id = buyer.user_id AND s.t = buyer.t
LEFT JOIN seller__rows AS seller
  ON s.seller_id = seller.user_id AND s.t = seller.t
ORDER BY
  s."ROW"

-- asknown compile deal --dialect snowflake
-- error[name-clash]: 'seller:amount' and 'buyer:amount' would both be named 'amount'
-- hint: ask for full names: full_feature_names=True, or --full-names on the command line
