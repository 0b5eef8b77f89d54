-- Expressions of DuckDB's SQL over the table `hostile`: id integer, i bigint, j integer, x double, y double, s varchar,
-- u varchar, b boolean, t timestamp, d date, tz timestamptz, n decimal(10,2). One a line; a query gives id and z.

-- dates
date_trunc('day', t)
date_trunc('hour', t)
date_trunc('month', t)
date_trunc('week', t)
date_trunc('year', d)
extract(year from t)
extract(month from t)
extract(day from t)
extract(hour from t)
extract(minute from t)
extract(second from t)
extract(dow from t)
extract(isodow from t)
extract(week from t)
extract(doy from t)
extract(epoch from t)
year(t)
month(d)
hour(t)
dayofweek(t)
epoch(t)
epoch_ms(t)
epoch_us(t)
date_diff('day', d, date '2024-01-01')
date_diff('hour', t, timestamp '2024-01-01')
date_diff('month', t, timestamp '2024-01-01')
date_sub('hour', t, timestamp '2024-01-01')
t + interval 1 day
t - interval 90 minutes
t + interval 1 hour
d + 1
d - 1
d + interval 1 day
t + interval 1 month
t < timestamp '2024-01-01'
t = timestamp '2024-12-30 00:00:00'
cast(t as date)
cast(d as timestamp)
cast(t as varchar)
cast('2024-01-01 10:00' as timestamp)
cast('2024-01-01' as date)
strftime(t, '%Y-%m-%d')
strftime(t, '%H:%M:%S.%f')
strptime('2024-01-01','%Y-%m-%d')
make_timestamp(epoch_us(t))
make_date(2024,1,2)
dayname(t)
monthname(t)
last_day(d)
t at time zone 'UTC'
greatest(t, timestamp '2000-01-01')
t between timestamp '2000-01-01' and timestamp '2025-01-01'
quarter(t)
to_timestamp(0)
time_bucket(interval '1 hour', t)
date_diff('minute', t, timestamp '2024-01-01')
date_diff('second', t, timestamp '2024-01-01')
date_diff('week', d, date '2024-01-01')
date_diff('year', d, date '2024-01-01')
date_trunc('minute', t)
t::time
extract(millisecond from t)
extract(microsecond from t)
extract(quarter from t)
extract(isoyear from t)
extract(week from d)
d - date '2024-01-01'
t + to_hours(2)
t + interval (i) day
dayofyear(t)
isodow(t)
weekofyear(t)
minute(t)
second(t)
day(t)
epoch(interval '1 day')
t::date = d
cast('2024-02-30' as date)
date_part('hour', t)
strftime(t, '%A')
date_trunc('day', d)
time_bucket(interval '15 minutes', t)
time_bucket(interval '1 day', t)
time_bucket(interval '7 days', t)
t > d
t::varchar
d::varchar
tz::timestamp
t::timestamptz
tz > timestamptz '2000-01-01 00:00:00+00'
tz::date
date_diff('day', t, tz)
date_diff('day', t, timestamp '2024-01-01')
epoch_us(tz)
extract(hour from tz)
date_trunc('hour', tz)
coalesce(t, timestamp '2000-01-01')
case when t > timestamp '2000-01-01' then t end
coalesce(d, date '2000-01-01')
d > date '2000-01-01'
d = t::date
t in (timestamp '2024-12-30 00:00:00')
t + interval '1 day' > timestamp '2024-01-01'
t::date - d

-- strings
split_part(u,'-',2)
regexp_replace(s,'[aeiou]','_')
regexp_matches(s,'^[A-Z]')
regexp_extract(s,'([A-Z]+)',1)
s || u
concat(s,u)
concat_ws('-',s,u)
substr(s,2,3)
substring(s,1,1)
substr(s,-2)
s[1:2]
left(s,2)
right(s,2)
left(s,-1)
s ilike 'h%'
s like 'h%'
s like 'H%'
s like '%\%%' escape '\'
s not ilike '%b%'
upper(s)
lower(s)
length(s)
strlen(s)
len(s)
trim(s)
ltrim(s)
replace(u,'-','+')
reverse(s)
lpad(s,5,'*')
rpad(s,5,'*')
repeat(u,2)
strpos(s,'o')
position('o' in s)
instr(s,'o')
contains(s,'o')
starts_with(s,'H')
ends_with(s,'d')
prefix(s,'H')
s < u
s = upper(s)
ascii(s)
chr(65)
md5(s)
string_split(u,'-')
format('{}-{}',i,j)
printf('%d',i)
s similar to 'H.*'
s ~ 'H.*'
s glob 'H*'
translate(u,'abc','xyz')
cast(i as varchar)
cast(x as varchar)
cast(b as varchar)
levenshtein(s,u)
s collate nocase = 'hello, world'
regexp_replace(s,'[aeiou]','_','g')
regexp_extract(s,'[A-Z]+')
split_part(u,'-',-1)
split_part(u,'-',9)
concat(s,null,u)
greatest(s,u)
least(s,u)
max(s) over ()
substring(s,2)
substr(s,0,2)
array_to_string(['a','b'],',')
hash(s) is not null
s in ('ABC','12')
length(trim(s))
lower(s) = 'abc'
bar(i,0,10)
regexp_matches(s,'\d')
regexp_matches(u,'(?i)a')
s > 'B'
chr(8364)
unicode(s)
ord(s)
s like '_BC'
left(u,1) || right(u,1)
substr(u,-4,2)
substr(s,-20,3)
substr(s,-20)
substring(s,-3,2)
s || i
b || s
t || ''
x || ''
n || ''
s > ''
s = ''
ltrim(u, 'a')
rtrim(s)
trim(s, ' ')
bit_length(s)
s is distinct from u
coalesce(nullif(trim(s), ''), 'none')
upper(u)
lower(u)
s like '%'
s like u
left(s, 0)
s between 'A' and 'z'
length(u) > 2

-- numbers
i / j
i // j
i % j
-7 % 3
x / y
x % y
mod(i,j)
i / 2
1 / 3
5 // 2
round(x)
round(x,2)
round(y,2)
floor(x)
ceil(x)
trunc(x)
sign(x)
abs(i)
cast(x as integer)
cast(x as bigint)
x::int
cast(y as bigint)
cast(s as integer)
try_cast(s as integer)
try_cast(u as double)
cast(i as double)
cast(b as integer)
cast(i as boolean)
cast(x as boolean)
cast(x as decimal(10,2))
cast(1.005 as decimal(10,2))
0.1 + 0.2
1.1
cast(0.1 as double) + 0.2
greatest(i,j)
least(i,j)
greatest(x,y)
i + j
i * i
x * y
i ** 2
pow(x,2)
sqrt(abs(x))
ln(abs(x)+1)
log10(100)
log(100)
exp(1)
i & 3
i | 8
xor(i,j)
i << 2
isnan(x)
isfinite(x)
x = cast('nan' as double)
cast('nan' as double)
cast('inf' as double)
x > i
i = x
nullif(x,0)
pi()
1e3
cast(3000000000 as bigint)
case when j <> 0 then i // j end
case when j <> 0 then i % j end
case when abs(x) < 1e9 then cast(x as integer) end
case when abs(x) < 1e9 then cast(x as decimal(10,2)) end
case when abs(i) < 100 then i * i end
case when s = '12' then cast(s as integer) end
case when abs(x) < 1e9 then round(x, 1) end
x / 0
i // 0
i % 0
round(-2.5)
round(0.5)
round(cast(2.5 as double))
round(cast(-0.5 as double))
round(i / 2)
round(1.005::decimal(10,3), 2)
cast(2.5 as int)
cast(cast(2.5 as double) as int)
cast(3.5 as int)
floor(i / j)
i / cast(j as double)
case when j <> 0 then i / j end
case when y <> 0 then x / y end
greatest(i, null)
least(null, j)
x::float
x::float::double
cast(s as double)
try_cast(s as date)
i::varchar::int
x::decimal(18,3)
i::decimal(18,2)
i * 1.5
i * 1.5::double
i % 2 = 0
-i
i::smallint
avg(i) over ()
sum(i % 100) over ()
i::double / 3
cbrt(8)
degrees(1.0)
sin(x)
random() >= 0
even(x)
factorial(3)
gcd(i,j)
bit_count(i)
i::hugeint
(i % 100)::utinyint
(j+10)::utinyint
ceil(i / 2)
isinf(x)
x <> x
i > 9007199254740992.0
i = 9007199254740993
i + 0.5::double
i::double > 1
x::integer
j / 2
j // 2
j % 2
j * 1.0::double
(i - j) * 2
j::varchar::integer
x::bigint::double
greatest(x, 0)
least(x, y)
x = 0
x + y
x - y
abs(x)
j + null
mod(j, 3)
1 / 2
1.0 / 3
7 // 2
-7 // 2
j * j - 1
round(x, 0)
round(j, -1)
floor(x)::integer
j::tinyint
j between 1 and 3
x::varchar

-- conditional
if(b,1,2)
coalesce(i,j)
coalesce(s,'none')
nullif(i,j)
ifnull(i,0)
case when b then 'y' else 'n' end
case i when 7 then 1 when 0 then 2 end
case when i > 1 then x end
b and null
b or null
not b
b = true
b is true
b is not true
b is distinct from true
i is distinct from j
i in (7,0,null)
i not in (7,0)
i between -1 and 7
s is null
x is not null
i > 1 and x > 1
true
b::int
i <> j
i != 7
(i, j) = (7, 2)
case when x > 1 then i else x end
coalesce(x, 0)
coalesce(i, x)
if(i > 0, 'a', null)
b in (true, null)
nullif(s,'')
case s when '' then null else s end
i between j and 10
not (i > 1)
x in (2.5, 0.5)
b and i > 0
ifnull(s, '')
i = '7'
s = 12
b = 1
b > false
coalesce(b, false)
b and x > 0
case when b then i end
coalesce(b, true)
b or i > 0
b is null
b <> true
x is distinct from y
i is not distinct from j
case when i is null then 0 when i < 0 then -1 else 1 end
if(i is null, 0, i)
b::varchar
nullif(b, true)
s in ('ABC', null)
not b or i is null
x > 0 is true
b = (i > 0)
coalesce(i, j, 0)
greatest(b, false)

-- aggregates
count(*)
count(i)
count(distinct s)
sum(i % 1000)
sum(x)
avg(i % 1000)
avg(x)
min(s)
max(s)
min(x)
max(t)
min(t)
any_value(j order by id)
arg_max(s,id)
arg_min(s,id)
max_by(s,id)
string_agg(u,',' order by id)
median(j)
quantile_cont(j,0.25)
quantile_disc(j,0.25)
count_if(b)
count(*) filter (where b)
sum(j) filter (where i > 0)
bool_and(b)
bool_or(b)
stddev(j)
stddev_pop(j)
var_samp(j)
var_pop(j)
list(j order by id)
array_agg(j order by id)
first(s order by id)
last(s order by id)
mode(b)
approx_count_distinct(j)
product(j)
bit_or(j)
max(b)
sum(b::int)
corr(i,j)
count(*) filter (where s like 'h%')
sum(i)
arg_max(x, i)
arg_max(i, t)
sum(i % 1000) / count(*)
avg(j)
count(distinct b)
bool_and(i > 0)
max(d)
min(b)
sum(x) filter (where x < 10)
median(x) filter (where abs(x) < 100)
quantile_cont(x, 0.5) filter (where abs(x) < 100)
avg(i % 1000) filter (where b)
count(i) > 0
sum(distinct j)
any_value(1)
sum(cast(j as decimal(10,2)))
avg(cast(j as decimal(10,2)))
covar_pop(i % 10, j)
entropy(j)
skewness(j)
min(n)
max(n)
sum(n)
avg(n)
min(d)
count(distinct i)
count(distinct x)
count(distinct t)
sum(i % 1000) filter (where b)
sum(case when b then 1 else 0 end)
avg(case when b then 1.0 else 0.0 end)
sum(j * 1.5::double)
max(s) filter (where b)
min(x) filter (where x > 0)
max(i)
min(i)
sum(j)
count(b)
max(tz)
list(distinct j order by j)
max(case when b then j end)
coalesce(sum(j), 0)
sum(j) / count(*)
sum(b::int) / count(*)
arg_max(s, t)
arg_min(x, t)

-- windows
row_number() over (order by id)
rank() over (order by j, id)
dense_rank() over (order by j)
lag(i) over (order by id)
lead(i,2) over (order by id)
lag(i,1,0) over (order by id)
first_value(i) over (order by id)
last_value(i) over (order by id)
last_value(i ignore nulls) over (order by id)
lag(i ignore nulls) over (order by id)
nth_value(i,2) over (order by id)
sum(j) over (order by id rows between 1 preceding and current row)
sum(j) over (order by id)
count(*) over ()
count(*) filter (where b) over (order by id)
ntile(3) over (order by id)
percent_rank() over (order by id)
row_number() over (order by i desc, id)
row_number() over (order by s, id)
row_number() over (order by i nulls first, id)
max(t) over (partition by b order by id)
sum(x) over (order by t range between interval 1 day preceding and current row)
avg(j) over (order by id rows between unbounded preceding and current row exclude current row)
count(distinct j) over ()
lag(s) over (partition by b order by t)
count(*) over (order by t range between interval 7 days preceding and current row)
first_value(s) over (partition by b order by id)
arg_max(s, id) over (order by id)
median(j) over ()
row_number() over ()  > 0
cume_dist() over (order by id)
row_number() over (order by x, id)
row_number() over (order by t desc nulls last, id)
row_number() over (order by b, id)
sum(x) over (order by id rows between 2 preceding and current row)
avg(x) over (partition by b)
count(distinct s) over ()
sum(j) over (partition by b order by id desc)
last_value(s) over (partition by b order by id rows between unbounded preceding and unbounded following)
lag(t) over (order by id)
i - lag(i) over (order by id)
max(x) over (order by id)
min(s) over (order by id)
row_number() over (partition by b order by t, id)
lag(d, 1, date '2000-01-01') over (order by id)
first_value(x) over (partition by b order by id)
rank() over (order by s)
sum(i % 1000) over (order by t range between interval 1 day preceding and current row)
count(*) over (partition by d)

-- nested
{'a': i, 'b': s}
[i, j]
list_value(i,j)
[i,j][1]
struct_extract({'a': i}, 'a')
len([i,j])
list_contains([i,j], 7)
map {'a': 1}
array_length([1,2])
json_extract('{"a":1}','$.a')
('{"a":"x"}'::json)->>'a'
json_extract_string('{"a":"x"}', '$.a')
list_sum([i, j])
list_max([i, j])
len(string_split(u, '-'))
string_split(u, '-')[1]
[i, null]
list_distinct([j, j])
{'a': i}.a
i in (select j from hostile)

-- literals
timestamp '2024-01-01 00:00:00.123456'
date '2024-01-01'
'it''s'
e'a\nb'
1_000
null::integer
[1,2,3]
'"quoted"'

-- decimals
n
n + 1
n * 2
n - 0.01
n * n
n / 3
n = 0.10
n > 1
-n
abs(n)
round(n, 1)
round(n)
floor(n)
n::double
n::integer
n::varchar
n::decimal(12, 4)
n::decimal(10, 1)
coalesce(n, 0)
n % 2
greatest(n, 1)
case when n > 0 then n end
n + x
n * i
nullif(n, 0)
sum(n) over ()
avg(n) over ()
max(n) over ()
n in (0.10, 1)

-- queries
select row_number() over (order by b nulls first) as id, count(*) + sum(j) as z from hostile group by b
select id, b as z from hostile group by all
select id, z from (select * exclude (t, d), i as z from hostile)
select id, j as z from (select * replace (j + 1 as j) from hostile)
select id, row_number() over (order by id desc) as z from hostile qualify z <= 2
select id, j as z from hostile qualify row_number() over (partition by b order by t desc, id) = 1
select distinct on (b) id, b as z from hostile order by b nulls first, id
select distinct id, b as z from hostile
select id, i as z from hostile order by i, id limit 3
select id, i as z from hostile order by i desc, id limit 3
select id, s as z from hostile order by s, id limit 3
select id, s as z from hostile order by s desc nulls last, id limit 3 offset 1
select i.range as id, 1 as z from range(3) as i
select generate_series as id, 1 as z from generate_series(1, 3)
select unnest as id, 1 as z from unnest([1, 2, 3])
select a.id, max(c.id) as z from hostile as a left join hostile as c on a.j = c.i and a.id <> c.id group by a.id
select a.id, c.s as z from hostile as a inner join hostile as c on a.id = c.id + 1
select coalesce(a.id, 100 + c.id) as id, c.i as z from hostile as a full join hostile as c on a.id = c.id + 1
select a.id, 1 as z from hostile as a semi join hostile as c on a.j = c.j and a.id <> c.id
select a.id, 1 as z from hostile as a anti join hostile as c on a.j = c.j and a.id <> c.id
select a.id, c.s as z from hostile as a asof join hostile as c on a.b = c.b and a.t > c.t
select a.id, l.m as z from hostile as a, lateral (select max(c.j) as m from hostile as c where c.id < a.id) as l
select id, 1 as z from hostile where s = 'abc' or s in (select u from hostile)
select id, 1 as z from hostile where s not in (select u from hostile)
from hostile select id, i as z limit 50
select id, i as z from hostile where id < 4 union by name select i as z, id from hostile where id >= 4
select id, i as z from hostile where id < 4 union all select id, j from hostile where id >= 4
select id, b as z from hostile union select id, b from hostile
select id, b as z from hostile except select id, true from hostile
select id, b as z from hostile intersect select id, true from hostile
select id, i as a, a + 1 as z from hostile
select id, j * 2 as z from hostile where z > 2
select 1 as id, count(*) as z from hostile having count(*) > 1
select j as id, count(*) as z from hostile group by 1 having count(*) > 1
select id, i as z from hostile using sample 100 percent
select * from (values (1, 'a'), (2, 'b')) as v(id, z)
select id, id::varchar || '-' || coalesce(s, '') as z from hostile
with recursive n(id) as (select 1 union all select id + 1 from n where id < 3) select id, 1 as z from n
with a as (select id, j from hostile) select id, j as z from a where j > 1
select id, columns('^j$') as z from hostile
select id, i as z from hostile limit 100%
select id, (select count(*) from hostile as c where c.j = hostile.j) as z from hostile
select id, exists (select 1 from hostile as c where c.i = hostile.j) as z from hostile
select id, k.j as z from hostile join hostile as k using (id)
select id, k.j as z from hostile natural join (select id, j from hostile) as k
select id, (x > y) as z from hostile where b
select id, "s" as z from hostile where "S" <> ''
select id, count(*) filter (where b) over (partition by j) as z from hostile
select j as id, max(t) as z from hostile group by j
select j as id, string_agg(s, '|' order by id) as z from hostile group by j
select id, z from (select id, unnest([i, j]) as z from hostile) where z = 7
select id, sum(j) over w as z from hostile window w as (order by id)
