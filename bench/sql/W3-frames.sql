-- tables: spine, transactions
-- Spine and payments in one table, and frames over it: sums as floats add up.
CREATE MACRO part(x) AS x;
CREATE MACRO total(h) AS h;
CREATE MACRO mean(h, n) AS h / n;

CREATE TEMP TABLE windows AS
SELECT * FROM (
    SELECT user_id, t, asked,
        sum(amount) OVER w1 AS s1, count(amount) OVER w1 AS n1, max(amount) OVER w1 AS x1,
        sum(amount) OVER w7 AS s7, count(amount) OVER w7 AS n7, max(amount) OVER w7 AS x7,
        sum(amount) OVER w30 AS s30, count(amount) OVER w30 AS n30, max(amount) OVER w30 AS x30
    FROM (
        SELECT user_id, ts AS t, epoch_us(ts) AS us, amount, FALSE AS asked
        FROM transactions SEMI JOIN spine USING (user_id)
        WHERE ts >= (SELECT min(event_timestamp) - INTERVAL 30 DAYS FROM spine)
        UNION ALL
        SELECT DISTINCT user_id, event_timestamp, epoch_us(event_timestamp), NULL, TRUE FROM spine
    )
    WINDOW
        w1 AS (PARTITION BY user_id ORDER BY us RANGE BETWEEN 86400000000 PRECEDING AND CURRENT ROW),
        w7 AS (PARTITION BY user_id ORDER BY us RANGE BETWEEN 604800000000 PRECEDING AND CURRENT ROW),
        w30 AS (PARTITION BY user_id ORDER BY us RANGE BETWEEN 2592000000000 PRECEDING AND CURRENT ROW)
)
WHERE asked;

SELECT s.*,
    total(w.s1) AS sum_amount_1d, mean(w.s1, nullif(w.n1, 0)) AS avg_amount_1d,
    CAST(coalesce(w.n1, 0) AS BIGINT) AS count_amount_1d, w.x1 AS max_amount_1d,
    total(w.s7) AS sum_amount_7d, mean(w.s7, nullif(w.n7, 0)) AS avg_amount_7d,
    CAST(coalesce(w.n7, 0) AS BIGINT) AS count_amount_7d, w.x7 AS max_amount_7d,
    total(w.s30) AS sum_amount_30d, mean(w.s30, nullif(w.n30, 0)) AS avg_amount_30d,
    CAST(coalesce(w.n30, 0) AS BIGINT) AS count_amount_30d, w.x30 AS max_amount_30d
FROM spine s
LEFT JOIN windows w ON w.user_id = s.user_id AND w.t = s.event_timestamp
