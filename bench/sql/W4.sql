-- tables: spine, wide
-- A row every ten hours, one at a time: the bucket of twelve hours and the one before it hold the newest.
CREATE TEMP TABLE newest AS
SELECT m.merchant_id, m.t, max(v.event_time) AS e
FROM (
    SELECT merchant_id, t, unnest([epoch_us(t) // 43200000000, epoch_us(t) // 43200000000 - 1]) AS bucket
    FROM (SELECT DISTINCT merchant_id, event_timestamp AS t FROM spine)
) m
JOIN (SELECT merchant_id, event_time, epoch_us(event_time) // 43200000000 AS bucket FROM wide) v
    ON v.merchant_id = m.merchant_id AND v.bucket = m.bucket AND v.event_time <= m.t
GROUP BY m.merchant_id, m.t;

CREATE TEMP TABLE fetched AS
SELECT v.merchant_id, v.event_time AS e, v.f03, v.f13, v.f23, v.f33, v.f43, v.f53, v.f63, v.f73, v.f83, v.f93
FROM (SELECT DISTINCT merchant_id, e FROM newest) w
JOIN wide v ON v.merchant_id = w.merchant_id AND v.event_time = w.e;

SELECT s.*, f.f03, f.f13, f.f23, f.f33, f.f43, f.f53, f.f63, f.f73, f.f83, f.f93
FROM spine s
LEFT JOIN newest n ON n.merchant_id = s.merchant_id AND n.t = s.event_timestamp
LEFT JOIN fetched f ON f.merchant_id = n.merchant_id AND f.e = n.e
