-- tables: spine, merchant_stats
-- The bucket cascade with late fetch: match on keys and times alone, by a hash join on buckets of time; fetch columns
-- for the rows that won. Nearly every hour has a row: four hours find nearly all, the ttl finds the rest.
CREATE TEMP TABLE moments AS
SELECT DISTINCT merchant_id, event_timestamp AS t FROM spine;

CREATE TEMP TABLE newest AS
SELECT m.merchant_id, m.t, max(v.event_time) AS e
FROM (
    SELECT merchant_id, t, unnest([epoch_us(t) // 14400000000, epoch_us(t) // 14400000000 - 1]) AS bucket FROM moments
) m
JOIN (
    SELECT merchant_id, event_time, epoch_us(event_time) // 14400000000 AS bucket FROM merchant_stats
    WHERE event_time >= (SELECT min(t) - INTERVAL 8 HOURS FROM moments)
) v ON v.merchant_id = m.merchant_id AND v.bucket = m.bucket AND v.event_time <= m.t
GROUP BY m.merchant_id, m.t;

INSERT INTO newest
SELECT m.merchant_id, m.t, max(v.event_time)
FROM (SELECT merchant_id, t FROM moments ANTI JOIN newest USING (merchant_id, t)) m
JOIN merchant_stats v ON v.merchant_id = m.merchant_id AND v.event_time BETWEEN m.t - INTERVAL 1 DAY AND m.t
GROUP BY m.merchant_id, m.t;

CREATE TEMP TABLE wanted AS
SELECT DISTINCT merchant_id, e FROM newest;

CREATE TEMP TABLE fetched AS
SELECT v.merchant_id, v.event_time AS e, v.created, v.rating, v.orders, v.revenue, v.refund_rate, v.is_open
FROM wanted w
JOIN merchant_stats v ON v.merchant_id = w.merchant_id AND v.event_time = w.e;

CREATE TEMP TABLE stated_again AS
SELECT merchant_id, e, max(created) AS created FROM fetched GROUP BY merchant_id, e HAVING count(*) > 1;

SELECT s.*, f.rating, f.orders, f.revenue, f.refund_rate, f.is_open
FROM spine s
LEFT JOIN newest n ON n.merchant_id = s.merchant_id AND n.t = s.event_timestamp
LEFT JOIN (
    SELECT f.*
    FROM fetched f
    LEFT JOIN stated_again a ON a.merchant_id = f.merchant_id AND a.e = f.e
    WHERE a.created IS NULL OR a.created = f.created
) f ON f.merchant_id = n.merchant_id AND f.e = n.e
