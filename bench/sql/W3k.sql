-- tables: spine, transactions
-- W3 as each moment knew it. A payment known within an hour counts in tiles as in W3, but for the hour before the
-- present one; the few known later are looked at one by one. Each payment goes into one band of age: up to 1 day, 7 days, 30 days. Few users have most of the payments; for them,
-- whole days and hours are added up beforehand, and only the hours that an edge of a window cuts are read in full.
CREATE TEMP TABLE moments AS
SELECT row_number() OVER () AS m, user_id, t, epoch_us(t) // 3600000000 AS h, epoch_us(t) // 86400000000 AS d,
    t - INTERVAL 1 DAY AS t1, t - INTERVAL 7 DAYS AS t7, t - INTERVAL 30 DAYS AS t30
FROM (SELECT DISTINCT user_id, event_timestamp AS t FROM spine);

CREATE TEMP TABLE hot AS
SELECT user_id FROM transactions GROUP BY user_id HAVING count(*) > 1000;

CREATE TEMP TABLE payments AS
SELECT user_id, ts, epoch_us(ts) // 3600000000 AS h, part(amount) AS s, amount AS x, known_at,
    known_at > ts + INTERVAL 1 HOUR AS late
FROM transactions SEMI JOIN hot USING (user_id)
WHERE ts >= (SELECT min(t30) FROM moments);

CREATE TEMP TABLE hours AS
SELECT user_id, h, h // 24 AS d, count(x) AS n, sum(s) AS s, max(x) AS x FROM payments WHERE NOT late GROUP BY user_id, h;

CREATE TEMP TABLE days AS
SELECT user_id, d, sum(n) AS n, sum(s) AS s, max(x) AS x FROM hours GROUP BY user_id, d;

CREATE TEMP TABLE bands AS
SELECT m, band, sum(n) AS n, sum(s) AS s, max(x) AS x
FROM (
    SELECT m.m, CASE WHEN v.ts >= m.t1 THEN 0 WHEN v.ts >= m.t7 THEN 1 ELSE 2 END AS band,
        CAST(v.x IS NOT NULL AS BIGINT) AS n, v.s, v.x
    FROM (SELECT *, unnest([h, h - 1, h - 24, h - 168, h - 720]) AS cut FROM moments SEMI JOIN hot USING (user_id)) m
    JOIN (SELECT * FROM payments WHERE NOT late) v
        ON v.user_id = m.user_id AND v.h = m.cut AND v.ts BETWEEN m.t30 AND m.t AND v.known_at <= m.t
    UNION ALL
    SELECT m.m, CASE WHEN v.h > m.h - 24 THEN 0 WHEN v.h > m.h - 168 THEN 1 ELSE 2 END, v.n, v.s, v.x
    FROM (SELECT *, unnest([d, d - 1, d - 7, d - 30]) AS cut FROM moments SEMI JOIN hot USING (user_id)) m
    JOIN hours v ON v.user_id = m.user_id AND v.d = m.cut AND v.h < m.h - 1 AND v.h > m.h - 720
        AND v.h <> m.h - 24 AND v.h <> m.h - 168
    UNION ALL
    SELECT m.m, CASE WHEN v.d > m.d - 7 THEN 1 ELSE 2 END, v.n, v.s, v.x
    FROM (SELECT * FROM moments SEMI JOIN hot USING (user_id)) m
    JOIN days v ON v.user_id = m.user_id AND v.d < m.d - 1 AND v.d > m.d - 30 AND v.d <> m.d - 7
    UNION ALL
    SELECT m.m, CASE WHEN v.ts >= m.t1 THEN 0 WHEN v.ts >= m.t7 THEN 1 ELSE 2 END AS band,
        CAST(v.x IS NOT NULL AS BIGINT) AS n, v.s, v.x
    FROM (
        SELECT *, unnest([h // 180, h // 180 - 1, h // 180 - 2, h // 180 - 3, h // 180 - 4]) AS cut
        FROM moments SEMI JOIN hot USING (user_id)
    ) m
    JOIN (SELECT *, h // 180 AS bucket FROM payments WHERE late) v
        ON v.user_id = m.user_id AND v.bucket = m.cut AND v.ts BETWEEN m.t30 AND m.t AND v.known_at <= m.t
)
GROUP BY m, band;

INSERT INTO bands
SELECT m.m, CASE WHEN v.ts >= m.t1 THEN 0 WHEN v.ts >= m.t7 THEN 1 ELSE 2 END AS band,
    count(v.amount), sum(part(v.amount)), max(v.amount)
FROM (SELECT * FROM moments ANTI JOIN hot USING (user_id)) m
JOIN (SELECT user_id, ts, known_at, amount FROM transactions WHERE ts >= (SELECT min(t30) FROM moments)) v
    ON v.user_id = m.user_id AND v.ts BETWEEN m.t30 AND m.t AND v.known_at <= m.t
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
