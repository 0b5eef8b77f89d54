-- tables: spine, merchant_stats, profiles, transactions
-- Three views of two entities. First merchant_stats, as in W1.
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

-- A user has a profile or two: look at all of them.
CREATE TEMP TABLE asked AS
SELECT DISTINCT user_id, event_timestamp AS t FROM spine;

CREATE TEMP TABLE profile AS
SELECT m.user_id, m.t, arg_max({'country': v.country, 'tier': v.tier, 'age': v.age, 'credit_limit': v.credit_limit,
    'is_verified': v.is_verified}, v.changed_at) AS newest
FROM asked m
JOIN profiles v ON v.user_id = m.user_id AND v.changed_at <= m.t
GROUP BY m.user_id, m.t;

-- Few users pay every few minutes, most once in two weeks: narrow buckets for the first, wider ones for who is left.
CREATE TEMP TABLE paid AS
SELECT m.user_id, m.t, max(v.ts) AS e
FROM (
    SELECT user_id, t, unnest([epoch_us(t) // 1200000000, epoch_us(t) // 1200000000 - 1]) AS bucket FROM asked
) m
JOIN (
    SELECT user_id, ts, epoch_us(ts) // 1200000000 AS bucket FROM transactions
    WHERE ts >= (SELECT min(t) - INTERVAL 40 MINUTES FROM asked)
) v ON v.user_id = m.user_id AND v.bucket = m.bucket AND v.ts <= m.t
GROUP BY m.user_id, m.t;

INSERT INTO paid
SELECT m.user_id, m.t, max(v.ts)
FROM (
    SELECT user_id, t, unnest([epoch_us(t) // 21600000000, epoch_us(t) // 21600000000 - 1]) AS bucket
    FROM asked ANTI JOIN paid USING (user_id, t)
) m
JOIN (
    SELECT user_id, ts, epoch_us(ts) // 21600000000 AS bucket FROM transactions
    WHERE ts >= (SELECT min(t) - INTERVAL 12 HOURS FROM asked)
) v ON v.user_id = m.user_id AND v.bucket = m.bucket AND v.ts <= m.t
GROUP BY m.user_id, m.t;

INSERT INTO paid
SELECT m.user_id, m.t, max(v.ts)
FROM (
    SELECT user_id, t, unnest([epoch_us(t) // 604800000000, epoch_us(t) // 604800000000 - 1]) AS bucket
    FROM asked ANTI JOIN paid USING (user_id, t)
) m
JOIN (
    SELECT user_id, ts, epoch_us(ts) // 604800000000 AS bucket FROM transactions
    WHERE ts >= (SELECT min(t) - INTERVAL 7 DAYS FROM asked)
) v ON v.user_id = m.user_id AND v.bucket = m.bucket AND v.ts BETWEEN m.t - INTERVAL 7 DAYS AND m.t
GROUP BY m.user_id, m.t;

CREATE TEMP TABLE payments AS
SELECT w.user_id, w.e, arg_max({'paid_to': v.merchant_id, 'amount': v.amount, 'units': v.units}, v.known_at) AS newest
FROM (SELECT DISTINCT user_id, e FROM paid) w
JOIN transactions v ON v.user_id = w.user_id AND v.ts = w.e
GROUP BY w.user_id, w.e;

SELECT s.*, f.rating, f.orders, f.revenue, f.refund_rate, f.is_open,
    p.newest.country, p.newest.tier, p.newest.age, p.newest.credit_limit, p.newest.is_verified,
    l.newest.paid_to, l.newest.amount, l.newest.units
FROM spine s
LEFT JOIN newest n ON n.merchant_id = s.merchant_id AND n.t = s.event_timestamp
LEFT JOIN (
    SELECT f.*
    FROM fetched f
    LEFT JOIN stated_again a ON a.merchant_id = f.merchant_id AND a.e = f.e
    WHERE a.created IS NULL OR a.created = f.created
) f ON f.merchant_id = n.merchant_id AND f.e = n.e
LEFT JOIN profile p ON p.user_id = s.user_id AND p.t = s.event_timestamp
LEFT JOIN paid e ON e.user_id = s.user_id AND e.t = s.event_timestamp
LEFT JOIN payments l ON l.user_id = e.user_id AND l.e = e.e
