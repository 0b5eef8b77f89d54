-- What Spark alone is asked, as in expressions.sql.

-- numbers
round(x / 10)
round(-x / 10)
round(x / 1000, 2)
round(-y / 1000, 2)
round(x, -1)
round(y, 300)
round(0.49999999999999994::double)
round(cast('nan' as double))
round(n)
round(n, 1)
floor(-x / 100)
floor(i)
floor(n)
ceil(n)
ceil(x / y)
ceil(-y)
trunc(-x / 100)
trunc(n)
floor(cast('-inf' as double))
floor(cast('nan' as double))
try_cast('1e5' as double)
try_cast('Infinity' as double)
try_cast('0x1' as double)
i not in (select j from hostile where j <> 5)
case when j in (select j from hostile where j > 2) then 1 else 0 end

-- dates
epoch_ms(d)
epoch_ms(tz)

-- aggregates
avg(distinct j)
quantile_disc(j, 0.5)
quantile_disc(i, 0.9)
quantile_disc(j, 0)

-- queries
select id, j as z from hostile where j in (select id from hostile where id < 4) or id = 1
select id, j as z from hostile where id not in (select j from hostile where j > 2)
