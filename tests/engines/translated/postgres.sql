-- Expressions that only Postgres and ClickHouse are asked as well, over the same table: where their rules are others.

-- dates
date_diff('hour', t, timestamp '2024-01-01 10:59:30.5')
date_diff('minute', timestamp '2024-01-01 10:59:30.5', t)
date_diff('second', t, timestamp '2024-01-01 10:59:30.5')
date_diff('day', t, timestamp '2024-01-01 10:59:30.5')
date_diff('week', t, timestamp '2024-01-01 10:59:30.5')
date_diff('month', t, timestamp '2024-01-15 10:59:30.5')
date_diff('quarter', t, timestamp '2024-01-15 10:59:30.5')
date_diff('year', t, timestamp '2024-01-15 10:59:30.5')
date_diff('millisecond', t, timestamp '2024-01-15 10:59:30.5')
date_diff('microsecond', t, timestamp '2024-01-15 10:59:30.5')
date_diff('hour', tz, tz)
date_diff('hour', d, t)
date_sub('hour', t, timestamp '2024-01-01 10:59:30.5')
date_sub('day', t, timestamp '2024-01-01 10:59:30.5')
date_sub('minute', t, timestamp '2024-01-01 10:59:30.5')
date_sub('month', t, timestamp '2024-01-01 10:59:30.5')
epoch_ms(i % 1000000)
make_timestamp(i % 1000000)
epoch_ms(tz)
epoch(d)
date_part('second', t)
date_part('epoch', t)
date_part('year', d)
date_part('hour', tz)
date_part('century', t)
extract(second from t - timestamp '2020-01-01')
extract(day from t - timestamp '2020-01-01')
extract(hour from t - timestamp '2020-01-01')
extract(epoch from t - timestamp '2020-01-01')
epoch(t - timestamp '2020-01-01') / 3600
extract(epoch from d)
extract(century from t)
extract(decade from t)
extract(microsecond from tz)
date_trunc('day', d)::varchar
date_trunc('month', d) = date_trunc('month', t)
date_trunc('quarter', t)
date_trunc('decade', t)
date_trunc('second', t)
date_trunc('millisecond', t)
time_bucket(interval '1 hour', tz)
time_bucket(interval '1 hour', d)
time_bucket(interval '1 month', t)
time_bucket(interval '90 minutes', t)
time_bucket(interval '1 hour', t, timestamp '2000-01-01 00:30:00')
strftime(t, '%Y-%m-%dT%H:%M:%S')
strftime(t, '%Y/%m/%d %H')
strftime(d, '%Y%m%d')
strftime(t, '%y')
strftime(t, 'day %d')
case when id < 6 then t + interval '1 month' end
case when id < 6 then d + interval (j) day end
case when id < 6 then t + to_minutes(j) end
case when id < 6 then t + to_seconds(90) end
case when id < 6 then t + j * interval '1 hour' end
case when id < 6 then t - interval (j) hour end
case when id < 6 then d - interval (j) month end
last_day(t)
monthname(d)
dayname(d)
cast('2024-1-5' as date)
cast('2024/01/05' as date)
cast('infinity' as timestamp)
cast('epoch' as timestamp)
cast('today' as date)
cast('now' as timestamp)
cast('2024-01-01 10:00+02' as timestamp)
cast('2024-01-01 10:00+02' as timestamptz)
cast('2024-01-01T10:00:00Z' as timestamptz)
cast(concat('2024-01-0', j) as timestamp)
cast(concat('2024-01-0', j) as date)
cast('10:00:00' as time)
t::date + 1
(t - timestamp '2020-01-01') > interval '1 day'
t - interval '1 day' < d
d::timestamp - interval '1 second'
t::varchar || 'x'
d::varchar || 'x'
tz::varchar
tz at time zone 'America/New_York'
t at time zone 'America/New_York'
timezone('America/New_York', t)
timezone(case when j = 2 then 'America/New_York' else 'Asia/Tokyo' end, t)
tz at time zone case when j = 2 then 'America/New_York' else 'Asia/Tokyo' end
case when id < 6 then d + i % 10 * interval '2 hours' end
greatest(t, d)
t in ('2024-12-30 00:00:00')
t > '2024-01-01'
d > '2024-01-01'
d = '2024-02-29'
t between '2020-01-01' and '2025-01-01'
coalesce(t, '2000-01-01')
coalesce(d, date '2000-01-01') - d
extract(year from tz) * 100 + extract(month from tz)
extract(hour from t) + extract(minute from t) / 60.0
hour(t) * 60 + minute(t)
hour(t) / 24
(epoch(t) / 60)::bigint
epoch(t)::bigint % 86400
isfinite(t)
make_timestamp(2024, 1, j, 0, 0, 0.5)
to_timestamp(i % 1000)
datepart('hour', t)
weekday(t)
yearweek(t)
millennium(t)
datediff('day', d, t)
date_add(d, interval 1 day)
today() >= d
now() > t
current_timestamp > t
current_date > d

-- strings
s like 'a\_b'
s like '%\%%'
'a\b' like 'a\b'
u like concat('%', left(u, 1), '%')
s not like '%b%'
s not ilike '%\b%'
not (s ilike 'h%')
s ilike 'É%'
s ilike '%ß%'
s not similar to 'H.*'
s !~ 'H'
regexp_full_match(s, '[A-Z]+')
regexp_matches(s, 'o', 'i')
regexp_matches(s, '\s')
regexp_matches(s, '\w+')
regexp_matches(s, '[[:alpha:]]')
regexp_matches(concat(s, chr(10), 'b'), 'A.*b')
regexp_replace(u, '[0-9]', '#', 'g')
regexp_replace(u, '(a)', '[\1]')
concat(s, b)
concat(s, x)
concat(s, i, n, d, t)
concat(x)
concat_ws('-', b, s)
concat_ws('-', s, null, u)
s || b
s || x
s || i || n || d || t
b || ''
b::varchar || s
(x * 2)::varchar
cast(x as decimal(18,2))::varchar
upper(s || 'é')
lower(upper(s))
upper('straße')
lower('ÀÉ')
upper(u) = 'ABC'
initcap(s)
trim(concat(chr(9), s, ' '))
ltrim(s, ' H')
left(s, -2)
right(s, -2)
left(s, 100)
substr(s, 2)
substr(s, j)
substr(s, -j)
substr(s, j - 3, 2)
substr(s, 0)
substr(s, 0, 3)
substring(s from 2 for 3)
s[2]
s[-1]
s[2:]
split_part(u, '-', j)
split_part(u, '-', -1)
split_part(u, '', 1)
string_split(u, '-')[2]
string_split(u, '-')[-1]
array_to_string(string_split(u, '-'), '+')
contains(u, '-')
contains(s, u)
starts_with(u, 'a')
u ^@ 'a'
ends_with(u, 'c')
suffix(u, 'c')
prefix(u, 'a')
position('b' in u)
strpos(u, 'zz')
instr(u, '')
replace(u, '', 'x')
replace(s, 'l', '')
repeat(u, 0)
lpad(u, 2, '0')
lpad(i::varchar, 5, '0')
rpad(u, 6, 'xy')
ascii(u)
unicode(u)
chr(j + 64)
md5(u)
sha256(u)
length(s || u)
octet_length(s::blob)
strip_accents(s)
translate(s, 'lo', 'L')
s > u
s between 'A' and 'a'
greatest(s, u, 'M')
least(upper(s), u)
s = u
s is not distinct from u
s in (u, 'ABC')
coalesce(s, u, 'x') || '!'
nullif(upper(s), 'ABC')
case s when 'ABC' then 1 when '12' then 2 else 0 end
i::varchar < j::varchar
cast(s as varchar(3))
s::blob::varchar
hex(i)
to_hex(i)
base64(s::blob)
json_extract_string('{"a": [1, 2]}', '$.a[1]')
'{"a": true}'::json ->> 'a'
json_extract_string('{"a": null}', '$.a')
string_agg(s, ',') over (order by id)
printf('%s', s)
s ~~ 'A%'
s ~~* 'a%'
s !~~ 'A%'

-- numbers
i / 2.0
i / nullif(j, 0)
x / 2
x / nullif(y, 0)
n / 2
n / nullif(j, 0)
n / n
j / 0.0
(j / 2)::int
(i / 2) * 2
i // 2
-i // 2
x // 2
n // 2
x // y
j // 3 * 3
mod(j, 2)
x % 2
n % 3
n % 0.3
i % -3
round(x, 1)
round(x, -1)
round(n, -1)
round(i)
round(i, -2)
round(j / 3, 2)
round(j * 0.125, 2)
round(n * 1.005, 2)
round(-0.4)
round(x::float, 1)
floor(j / 2)
ceil(n)
ceil(-x)
trunc(n)
trunc(n, 1)
trunc(x, 1)
x::int + 1
round(x)::bigint
floor(x)::bigint
case when abs(x) < 1e9 then x::int end
case when abs(x) < 1e9 then (x * 10)::int end
case when abs(x) < 1e9 then x::decimal(18,4) end
case when abs(x) < 1e9 then x::decimal(18,0) end
case when abs(x) < 1e9 then (x / 3)::decimal(18,4) end
case when abs(x) < 1e9 then x::hugeint end
n::int
n::bigint
n::decimal(10,1)
n::decimal(4,2)
(n * 10)::int
n::float
n::double * 3
n + 1.5
n * 1.5
n * x
n - j
n > x
n = 2.5
n = x
n in (2.5, 1.15)
x in (2.5, 1.005)
x = 1.005
x = n::double
1.005 * 100
1.005::double * 100
i * 1e3
i * 0.001
i * 1e-3
floor(n * 1e2)
floor(n * 100)
x * 1e2 > 100
1e3 + i
1e-3
1e400
.5
5.
100000000000000000000
i + 9223372036854775807
j * 2147483647
j::bigint * 2147483647
j::smallint * 30000::smallint
i * 9223372036854775807
abs(j) + abs(x)
sign(i)
sign(n)
sign(x) * 2
sign(x)::int
pow(j, 2)
pow(n, 2)
n ** 2
x ** 2
2 ** j
pow(x, 0.5)
power(2, 10)
sqrt(j * j)
sqrt(x)
exp(j)
exp(n / 100000000)
ln(j + 3)
ln(n)
log(j + 3)
log10(j + 3)
log2(8)
log(2, 8)
cbrt(n)
degrees(n)
radians(180)
pi() * 2
greatest(i, x)
greatest(n, x, 1)
least(n, 2.55)
greatest(x, 'nan'::double)
x < 'nan'::double
'nan'::double = 'nan'::double
'inf'::double - 1
isnan(x / y)
isinf(x / y)
isfinite(x / 0)
x / 0 > 1
coalesce(x / nullif(y, 0), 0)
case when x > 0 then 1 else 0.5 end
case when x > 0 then i else n end
if(b, 1, 2.5)
if(b, x, n)
coalesce(n, x)
nullif(n, 2.5)
nullif(x, 2.5)
i & 1
i | j
xor(i, j)
~i
i >> 1
i << 1
bit_count(j)
gcd(i, 6)
factorial(j + 5)
even(n)
i::boolean
x::boolean
n::boolean
b::bigint
b::double
b::decimal(5,2)
b::smallint
(x > 1)::int
(x > 1)::double
b::int + 1
i::hugeint * i::hugeint
sum(i) over () * 2
i::double
9007199254740993::double
i::float
i::decimal(20,0)
i::varchar
x::decimal(18,2)::varchar
'12'::int
'1.5'::double
'1e3'::double
' 12 '::int
'abc'::int
'1.5'::int
'0x10'::int
'true'::boolean
'yes'::boolean
u::boolean
x > '1'
n > '1'
b = 'true'
b = 0
1 = b
b <> 1
b > 0
i = true
x between 0 and 3
i not between 0 and 7
n between 0 and 3
hash(i)
width_bucket(x, 0, 10, 5)
bin(j)
x <=> y

-- conditional
case when b then 1 end
case when x > 1 then 'a' when x > 0 then 'b' else 'c' end
b and (x / 0 > 1)
coalesce(null, i)
coalesce(b, x > 1)
b is not distinct from null
i not in (select j from hostile)
exists (select 1 from hostile as h where h.j = 3)
(select max(j) from hostile)
i = any([7, 12])
i in [7, 12]
(i, j) in ((7, 2), (0, 0))
b::varchar = 'true'
b = false
b is false
case when i = 7 then null else x end
nullif(i, 0) / 2
iff(b, 1, 2)
ifnull(n, 0)
nvl(i, 0)
if(b, 'a', 'b') || 'c'
constant_or_null(1, i)

-- aggregates
avg(i)
avg(j) * 2
avg(j) filter (where b)
avg(case when b then 1 else 0 end)
avg(b::int)
avg(j::double)
sum(j) // count(*)
sum(i % 10) * 1.5
sum(n) / sum(j)
sum(b)
sum(j) filter (where false)
count(*) filter (where false)
count_if(b) / count(*)
count_if(i > 0)
count_if(i > 0) filter (where b)
min(b) filter (where i > 0)
bool_or(b) filter (where i > 0)
any_value(j)
any_value(b) filter (where id = 3)
any_value(s) filter (where id = 2)
any_value(s order by id)
first(j)
first(s order by id desc)
first(i order by id) filter (where i < 0)
last(i order by id) filter (where i < 0)
arg_max(s, x)
arg_max(s, i) filter (where i < 100)
max_by(n, id)
min_by(i, n)
arg_max(i, s)
arg_max(s, id, 2)
arg_min(x, id) + 1
arg_max(b, id)
arg_max(t, id)
max(upper(s))
max(s) filter (where s < 'a')
string_agg(s, ',' order by id)
string_agg(s, ',' order by s)
string_agg(distinct u, ',' order by u)
string_agg(u, '')
group_concat(u, ',')
listagg(u, ',')
list(i order by id)
list(s order by s)
list(j) filter (where j > 2)
list(b order by id)
list(x order by x desc)
array_agg(n order by n)
list([i, j])
median(x)
median(n)
median(i)
median(t)
median(s)
quantile_cont(x, 0.9)
quantile_cont(j, 0.9)
quantile_cont(n, 0.5)
quantile_disc(x, 0.9)
quantile_disc(s, 0.5)
quantile_disc(t, 0.25)
quantile(j, 0.5)
percentile_cont(0.5) within group (order by j)
percentile_disc(0.5) within group (order by j)
mode(j)
mad(x)
stddev(x)
stddev(n)
stddev(j) filter (where b)
stddev_samp(i % 10)
var_pop(n)
stddev(j) / avg(j)
corr(x, j)
covar_samp(j, id)
regr_slope(j, id)
kurtosis(j)
geomean(abs(j) + 1)
fsum(x)
kahan_sum(x)
avg(distinct j)
count(distinct (i, j))
count(distinct s || 'x')
count(distinct n)
bit_and(j)
bit_xor(j)
max(d) - min(d)
max(t) - min(t) > interval '1 day'
epoch(max(t) - min(t)) / 86400
date_diff('day', min(t), max(t))
sum(epoch(t))
max(list_value(i, j))
min(tz)
max([i])
array_agg(distinct s order by s)
approx_quantile(x, 0.5)
reservoir_quantile(x, 0.5)
sum(if(b, 1, 0))
sum(if(b, 1, 0)) / count(*)
round(avg(j), 2)
round(avg(x), 2)
round(sum(n) / count(*), 2)
coalesce(avg(j) filter (where false), 0)
max(j) over ()
histogram(b)
bool_and(null::boolean)
min(i) + max(i)
greatest(max(i), max(j))
avg(i) filter (where i < 100) > 1
max(x) filter (where x < 10) - min(x) filter (where x > -10)

-- windows
avg(i) over (order by id)
avg(j) over (partition by b order by id rows between 2 preceding and current row)
avg(n) over (order by id)
avg(j) filter (where b) over (order by id)
sum(b::int) over (order by id)
sum(b) over (order by id)
count_if(b) over (order by id)
max(b) over (order by id)
first(j) over (order by id)
last(j) over (order by id)
any_value(s) over (order by id)
arg_max(s, id) over (partition by b)
stddev(j) over (order by id)
list(j) over (order by id)
string_agg(u, ',') over (order by id)
row_number() over (order by s)
row_number() over (order by upper(s), id)
rank() over (order by x desc)
row_number() over (order by n, id)
row_number() over (order by x nulls first, id)
row_number() over (order by s desc, id)
lag(j, 2) over (partition by b order by id)
lag(j, 1, -1) over (order by id)
lag(x) over (order by t)
lead(t) over (order by id)
epoch(t - lag(t) over (order by t))
sum(j) over (order by id rows between unbounded preceding and 1 preceding)
sum(j) over (order by j groups between 1 preceding and current row)
count(*) over (order by t range between interval '1 hour' preceding and current row)
sum(j) over (order by t desc range between interval 7 days preceding and current row)
sum(j) over (order by j range between 1 preceding and current row)
first_value(s) over (partition by b order by t desc nulls last)
nth_value(j, 2) over (order by id)
last_value(s) over (order by id)
ntile(4) over (order by id)
sum(j) over (order by d)
sum(x) over (partition by b order by d range between interval 30 days preceding and current row)
max(s) over (partition by b)
avg(x) over (order by id rows between 1 preceding and 1 following)
count(distinct j) over (order by id)
quantile_cont(j, 0.5) over ()
dense_rank() over (order by s desc)
cume_dist() over (order by j)
row_number() over (partition by d > date '2000-01-01' order by id)
sum(j) over (partition by s order by id)
lag(s, 1, 'none') over (order by id)
fill(j) over (order by id)

-- nested
[1, 2][1]
[i, j][2]
[i, j][3]
[i, j][-1]
list_value(s, u)
len([i, j])
len([])
array_length([i, j])
cardinality([i, j])
list_contains([i, j], 7)
list_contains([i, null], 2)
list_has([i], 7)
list_position([i, j], 7)
list_append([i], j)
list_prepend(i, [j])
list_concat([i], [j])
[i] || [j]
list_sort([j, 1])
list_reverse([i, j])
list_transform([i, j], x -> x + 1)
list_filter([i, j], x -> x > 1)
list_aggregate([j, 1], 'sum')
list_slice([i, j], 1, 1)
[i, j][1:1]
unnest([1])
[[i]]
[[i], [j]]
[i, j]::varchar
struct_pack(a := i)
row(i, j)
[s, u]
[t]
[n]
[b, null]
array_value(i, j)
[x for x in [1, 2]]
flatten([[1], [2]])
list_unique([i, j])
list_min([i, j])
range(3)
generate_series(1, 3)
(select list(j order by id) from hostile)
json_array_length('[1, 2]')
json_object('a', i)
to_json(i)
map_keys(map {'a': 1})

-- queries
select id, i as Z from hostile
select id, z from (select id, i as "Z" from hostile)
select ID, I as z from HOSTILE
select h.id, h.i as z from hostile as h order by 2 limit 3
select id, count(*) as z from hostile group by id having z > 0
select id, i + 1 as k, k * 2 as z from hostile
select id, j as z from hostile where id in (1, 2) or j is null
select j as id, avg(i) as z from hostile group by j
select j as id, max_by(s, t) as z from hostile group by j
select j as id, list(s order by id) as z from hostile group by j
select j as id, count_if(b) as z from hostile group by 1
select j as id, sum(b::int) / count(*) as z from hostile group by j
select distinct on (j) id, s as z from hostile order by j, id
select id, s as z from hostile qualify row_number() over (partition by j order by id desc) = 1
select id, s as z from hostile qualify rank() over (order by j) = 1
select id, z from (select id, j as z, row_number() over (order by id) as rn from hostile) where rn < 3
select id, z from hostile cross join (select 1 as z)
select a.id, b.s as z from hostile as a left join hostile as b on a.id = b.id + 1 and b.b
select a.id, b.s as z from hostile as a left join hostile as b using (id)
select id, unnest([1, 2]) as z from hostile
select id, z from hostile, unnest([id]) as l(z)
select id, l.z from hostile, lateral (select hostile.j + 1 as z) as l
select id, s as z from hostile order by s collate nocase limit 2
select id, s as z from hostile order by lower(s), id limit 3
select id, s as z from hostile order by all limit 3
select id, j as z from hostile order by j desc nulls last, id limit 3
select id, s as z from hostile where s > 'a'
select id, s as z from hostile where s >= 'é'
select id, s as z from hostile where s ilike '%a%'
select id, s as z from hostile where regexp_matches(s, '^[A-Z]+$')
select id, null as z from hostile
select id, 'x' as z from hostile
select id, z from (values (1, 2.5), (2, 3)) as v(id, z)
select id, case when z then 1 end as z from (select id, b as z from hostile)
select id, x as z from hostile union all select id, i from hostile where id > 100
select id, n as z from hostile union all select id, x from hostile where id > 100
select id, s as z from hostile union all select id, i::varchar from hostile where id > 100
select id, i as z from hostile except all select id, i from hostile where id = 1
select id, sum(j) over (partition by b) as z from hostile where not b
select j as id, count(distinct s) as z from hostile group by rollup (j)
select j as id, grouping(j) as z from hostile group by cube (j)
select id, t as z from hostile where t >= timestamp '2024-01-01' - interval 30 days
select id, d as z from hostile where d = '2024-02-29'
select id, z from (select id, x / y as z from hostile) where z > 1
select id, (select s from hostile as h where h.id = hostile.id) as z from hostile
select id, z from (from hostile select id, s as z)
select #1 as id, i as z from hostile
select id, i as z from hostile where id = 1 limit 1 offset 0
select id, max(j) as z from hostile group by id, b
select id, coalesce(s, u) as z from hostile natural join (select id from hostile where b)
select id, z from (pivot (select id, j, b from hostile) on b using sum(j)) as p(id, z, y)
select id, z from (unpivot (select id, i, j from hostile) on i, j into name k value z) where k = 'j'
with recursive r(id, z) as (select 1, 1 union all select id + 1, z * 2 from r where id < 4) select id, z from r
with recursive r(id, z) as (select 1, 'a' union all select r.id + 1, h.s from r join hostile as h on h.id = r.id where r.id < 4) select id, z from r
with a as materialized (select id, j as z from hostile) select * from a
select id, "end" as z from (select id, j as "end" from hostile)
select id, "select" as z from (select id, j as "select" from hostile)
select id, user as z from (select id, j as user from hostile)
select id, "a b" as z from (select id, j as "a b" from hostile)
select id, order_id as z from (select id, j as order_id from hostile)
select id, AvgJ as z from (select id, j as AvgJ from hostile)
select id, "AvgJ" as z from (select id, j as AvgJ from hostile)
select id, avgj as z from (select id, j as "AvgJ" from hostile)
select id, user as z from (select id, s as user from hostile)
select User.id, User.s as z from hostile as User
select id, z from (select id, generate_series(1, 2) as l, j as z from hostile)
select id, z::int as z from generate_series(1, 3) as g(id), (select 1 as z)
