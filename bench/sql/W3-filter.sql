-- tables: spine, transactions
-- What most write: every pair of a moment and a payment of the last 30 days, and an aggregate with FILTER for each window.
CREATE MACRO part(x) AS x;
CREATE MACRO total(h) AS h;
CREATE MACRO mean(h, n) AS h / n;

CREATE TEMP TABLE windows AS
SELECT m.user_id, m.t,
    sum(part(v.amount)) FILTER (v.ts >= m.t - INTERVAL 1 DAYS) AS s1, count(v.amount) FILTER (v.ts >= m.t - INTERVAL 1 DAYS) AS n1, max(v.amount) FILTER (v.ts >= m.t - INTERVAL 1 DAYS) AS x1,
    sum(part(v.amount)) FILTER (v.ts >= m.t - INTERVAL 7 DAYS) AS s7, count(v.amount) FILTER (v.ts >= m.t - INTERVAL 7 DAYS) AS n7, max(v.amount) FILTER (v.ts >= m.t - INTERVAL 7 DAYS) AS x7,
    sum(part(v.amount)) FILTER (v.ts >= m.t - INTERVAL 30 DAYS) AS s30, count(v.amount) FILTER (v.ts >= m.t - INTERVAL 30 DAYS) AS n30, max(v.amount) FILTER (v.ts >= m.t - INTERVAL 30 DAYS) AS x30
FROM (SELECT DISTINCT user_id, event_timestamp AS t FROM spine) m
JOIN transactions v ON v.user_id = m.user_id AND v.ts BETWEEN m.t - INTERVAL 30 DAYS AND m.t
GROUP BY m.user_id, m.t;

SELECT s.*,
    total(w.s1) AS sum_amount_1d, mean(w.s1, nullif(w.n1, 0)) AS avg_amount_1d,
    CAST(coalesce(w.n1, 0) AS BIGINT) AS count_amount_1d, w.x1 AS max_amount_1d,
    total(w.s7) AS sum_amount_7d, mean(w.s7, nullif(w.n7, 0)) AS avg_amount_7d,
    CAST(coalesce(w.n7, 0) AS BIGINT) AS count_amount_7d, w.x7 AS max_amount_7d,
    total(w.s30) AS sum_amount_30d, mean(w.s30, nullif(w.n30, 0)) AS avg_amount_30d,
    CAST(coalesce(w.n30, 0) AS BIGINT) AS count_amount_30d, w.x30 AS max_amount_30d
FROM spine s
LEFT JOIN windows w ON w.user_id = s.user_id AND w.t = s.event_timestamp
