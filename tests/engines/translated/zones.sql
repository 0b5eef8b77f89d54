-- rows

tz::timestamp
t::timestamptz
d::timestamptz
tz::date
tz::varchar
cast(t::timestamptz as varchar)
date_diff('day', t, tz)
date_diff('hour', d, tz)
extract(hour from tz)
extract(dow from tz)
extract(doy from tz)
extract(week from tz)
extract(year from tz) * 100 + extract(month from tz)
date_part('hour', tz)
hour(tz)
year(tz)
quarter(tz)
dayofweek(tz)
isodow(tz)
dayname(tz)
monthname(tz)
strftime(tz, '%Y-%m-%d %H')
last_day(tz)
date_trunc('hour', tz)
date_trunc('day', tz)
date_trunc('week', tz)
date_trunc('month', tz)
date_trunc('day', tz) = tz
date_trunc('day', tz)::varchar
time_bucket(interval '1 hour', tz)
tz + interval '1 day'
tz - interval '36 hours'
tz + to_days(1)
(tz + interval '1 day')::date
tz at time zone 'America/New_York'
extract(hour from tz at time zone 'America/New_York')
(t at time zone 'America/New_York')::varchar
tz = t
tz > t
tz >= d
d < tz
tz between d and t
tz in (t, t::timestamptz)
tz is distinct from t
tz > '2024-01-01'
tz > '2024-01-01 10:00:00'
tz = '2024-02-29 23:59:59.999999'
tz > timestamp '2024-01-01 10:00:00'
tz > timestamptz '2024-01-01 10:00:00'
tz > cast('2024-01-01' as timestamptz)
coalesce(tz, t)
coalesce(tz, timestamp '2024-01-01')
greatest(tz, t)
case when b then tz else t end
cast(strftime(t, '%Y-%m-%d %H:%M:%S') as timestamptz)
epoch_ms(tz)
