-- tables: spine, transactions
-- One range join; each payment goes into one band of age: up to 1 day, 7 days, 30 days.
-- Exact sums for payments from 2 to 4,096: times 2^51 they are whole numbers of 63 bits. Rounded once, at the end.
CREATE MACRO part(x) AS CAST(x * 2251799813685248 AS BIGINT);
CREATE MACRO rounded(h, cut, more) AS
    CAST(CAST((h >> cut) + CASE WHEN ((h >> cut) << cut <> h OR more) AND (h >> cut) % 2 = 0 THEN 1 ELSE 0 END AS BIGINT)
        AS DOUBLE) * pow(2.0, cut - 51);
CREATE MACRO length_over_61(h) AS greatest(0, CAST(floor(log2(CAST(h AS DOUBLE))) AS INTEGER) - 60);
CREATE MACRO total(h) AS rounded(h, length_over_61(h), FALSE);
-- 2^10 more, so that a quotient has digits to spare.
CREATE MACRO mean(h, n) AS rounded((h << 10) // n, length_over_61((h << 10) // n), (h << 10) % n <> 0) / 1024;

CREATE TEMP TABLE moments AS
SELECT row_number() OVER () AS m, user_id, t,
    t - INTERVAL 1 DAY AS t1, t - INTERVAL 7 DAYS AS t7, t - INTERVAL 30 DAYS AS t30
FROM (SELECT DISTINCT user_id, event_timestamp AS t FROM spine);

CREATE TEMP TABLE bands AS
SELECT m.m, CASE WHEN v.ts >= m.t1 THEN 0 WHEN v.ts >= m.t7 THEN 1 ELSE 2 END AS band,
    count(v.amount) AS n, sum(part(v.amount)) AS s, max(v.amount) AS x
FROM moments m
JOIN (SELECT user_id, ts, amount FROM transactions WHERE ts >= (SELECT min(t30) FROM moments)) v
    ON v.user_id = m.user_id AND v.ts BETWEEN m.t30 AND m.t
GROUP BY m.m, band;

CREATE TEMP TABLE windows AS
SELECT m,
    sum(n) FILTER (band = 0) AS n1, sum(s) FILTER (band = 0) AS s1, max(x) FILTER (band = 0) AS x1,
    sum(n) FILTER (band < 2) AS n7, sum(s) FILTER (band < 2) AS s7, max(x) FILTER (band < 2) AS x7,
    sum(n) AS n30, sum(s) AS s30, max(x) AS x30
FROM bands GROUP BY m;

SELECT s.*,
    total(w.s1) AS sum_amount_1d, mean(w.s1, nullif(w.n1, 0)) AS avg_amount_1d,
    CAST(coalesce(w.n1, 0) AS BIGINT) AS count_amount_1d, w.x1 AS max_amount_1d,
    total(w.s7) AS sum_amount_7d, mean(w.s7, nullif(w.n7, 0)) AS avg_amount_7d,
    CAST(coalesce(w.n7, 0) AS BIGINT) AS count_amount_7d, w.x7 AS max_amount_7d,
    total(w.s30) AS sum_amount_30d, mean(w.s30, nullif(w.n30, 0)) AS avg_amount_30d,
    CAST(coalesce(w.n30, 0) AS BIGINT) AS count_amount_30d, w.x30 AS max_amount_30d
FROM spine s
LEFT JOIN moments m ON m.user_id = s.user_id AND m.t = s.event_timestamp
LEFT JOIN windows w ON w.m = m.m
