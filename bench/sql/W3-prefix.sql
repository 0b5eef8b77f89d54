-- tables: spine, transactions
-- Running sums of each user, read at the edges of the windows: the edges are sorted in among the payments. No maximum.
-- Exact sums for payments from 2 to 4,096: times 2^51 they are whole numbers of 63 bits. Rounded once, at the end.
CREATE MACRO part(x) AS CAST(x * 2251799813685248 AS BIGINT);
CREATE MACRO rounded(h, cut, more) AS
    CAST(CAST((h >> cut) + CASE WHEN ((h >> cut) << cut <> h OR more) AND (h >> cut) % 2 = 0 THEN 1 ELSE 0 END AS BIGINT)
        AS DOUBLE) * pow(2.0, cut - 51);
CREATE MACRO length_over_61(h) AS greatest(0, CAST(floor(log2(CAST(h AS DOUBLE))) AS INTEGER) - 60);
CREATE MACRO total(h) AS rounded(h, length_over_61(h), FALSE);
-- 2^10 more, so that a quotient has digits to spare.
CREATE MACRO mean(h, n) AS rounded((h << 10) // n, length_over_61((h << 10) // n), (h << 10) % n <> 0) / 1024;

CREATE TEMP TABLE running AS
SELECT * FROM (
    SELECT user_id, t, edge,
        sum(s) OVER w AS s, count(s) OVER w AS n
    FROM (
        -- A payment on an edge comes before the edge that ends a window, and after the one that starts it.
        SELECT user_id, 2 * epoch_us(ts) AS place, part(amount) AS s, NULL::TIMESTAMP AS t, NULL::INTEGER AS edge
        FROM transactions SEMI JOIN spine USING (user_id)
        UNION ALL
        SELECT user_id, 2 * epoch_us(t) - 2 * 86400000000 * edge + CASE WHEN edge = 0 THEN 1 ELSE -1 END, NULL, t, edge
        FROM (SELECT DISTINCT user_id, event_timestamp AS t FROM spine), (VALUES (0), (1), (7), (30)) edges(edge)
    )
    WINDOW w AS (PARTITION BY user_id ORDER BY place ROWS UNBOUNDED PRECEDING)
)
WHERE edge IS NOT NULL;

CREATE TEMP TABLE windows AS
SELECT user_id, t,
    nullif(max(n) FILTER (edge = 0) - max(n) FILTER (edge = 1), 0) AS n1,
    CASE WHEN max(n) FILTER (edge = 0) > max(n) FILTER (edge = 1)
        THEN any_value(s) FILTER (edge = 0) - coalesce(any_value(s) FILTER (edge = 1), 0) END AS s1,
    nullif(max(n) FILTER (edge = 0) - max(n) FILTER (edge = 7), 0) AS n7,
    CASE WHEN max(n) FILTER (edge = 0) > max(n) FILTER (edge = 7)
        THEN any_value(s) FILTER (edge = 0) - coalesce(any_value(s) FILTER (edge = 7), 0) END AS s7,
    nullif(max(n) FILTER (edge = 0) - max(n) FILTER (edge = 30), 0) AS n30,
    CASE WHEN max(n) FILTER (edge = 0) > max(n) FILTER (edge = 30)
        THEN any_value(s) FILTER (edge = 0) - coalesce(any_value(s) FILTER (edge = 30), 0) END AS s30
FROM running
GROUP BY user_id, t;

SELECT s.*,
    total(w.s1) AS sum_amount_1d, mean(w.s1, nullif(w.n1, 0)) AS avg_amount_1d,
    CAST(coalesce(w.n1, 0) AS BIGINT) AS count_amount_1d,
    total(w.s7) AS sum_amount_7d, mean(w.s7, nullif(w.n7, 0)) AS avg_amount_7d,
    CAST(coalesce(w.n7, 0) AS BIGINT) AS count_amount_7d,
    total(w.s30) AS sum_amount_30d, mean(w.s30, nullif(w.n30, 0)) AS avg_amount_30d,
    CAST(coalesce(w.n30, 0) AS BIGINT) AS count_amount_30d
FROM spine s
LEFT JOIN windows w ON w.user_id = s.user_id AND w.t = s.event_timestamp
