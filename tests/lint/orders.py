"""Windows in orders that merge instants, and their clean twins: the views of two tests."""

from __future__ import annotations

from leaks import E


def item(text: str) -> str:
    """A view's select with one more item."""
    return f"select k, ts, loaded_at, x, {text} as f from {E}"


def inner(text: str) -> str:
    """A view over a CTE that has the item."""
    return f"with steps as (select *, {text} as f from {E}) select k, ts, loaded_at, f from steps"


DAY = "date_trunc('day', ts)"


def by(order: str, function: str = "sum(x)", frame: str = "") -> str:
    """A view with a window in an order."""
    return item(f"{function} over (partition by k order by {order} {frame})")


# Orders in which later rows of a day, an hour or a second are peers of a row.
COARSE = (
    *(by(DAY, function) for function in ("sum(x)", "count(*)", "max(x)", "last_value(x)", "first_value(x)", "list(x)")),
    *(by(DAY, function) for function in ("lag(x)", "lag(x, 3)", "lead(x, -1)", "row_number()", "nth_value(x, 2)")),
    by(DAY, "lag(x)").replace("select k, ts,", "select k, x as y, ts,"),
    by("ts::date desc", "lead(x)"),
    by("ts::date"),
    by("cast(ts as date)"),
    by("try_cast(ts as date)"),
    by("ts::date::timestamp"),
    by("date(ts)"),
    by("last_day(ts)"),
    by("ts::timestamp_s"),
    by("ts::timestamp_ms"),
    by("ts::timestamp(0)"),
    by("date_trunc('second', ts)"),
    by("date_trunc('day', ts) + interval 1 day"),
    by("date_trunc('day', ts + interval 1 hour)"),
    by("time_bucket(interval '1 hour', ts)"),
    by("date_diff('day', timestamp '2020-01-01', ts)"),
    by("date_sub('hour', timestamp '2020-01-01', ts)"),
    by("epoch(ts)::bigint"),
    by("floor(epoch(ts))"),
    by("round(epoch(ts) / 60)"),
    by("epoch(ts) // 3600"),
    by("epoch_us(ts) // 1000000"),
    by("epoch_us(ts) >> 20"),
    by("epoch_ms(ts)"),
    by("strftime(ts, '%Y-%m-%d')"),
    by("strftime(ts, '%d.%m.%Y %H:%M:%S.%f')"),
    by("left(ts::varchar, 10)"),
    by("substr(ts::text, 1, 13)"),
    by("(ts::varchar)[:10]"),
    by("date_part('year', ts)"),
    by("extract(year from ts), extract(doy from ts)"),
    by("year(ts), month(ts), day(ts)"),
    by("yearweek(ts)"),
    by("hour(ts)"),
    by("hour(ts)", "rank()"),
    by("extract(hour from ts)"),
    by("ts::time"),
    by("dayofweek(ts)", "dense_rank()"),
    by("epoch(ts) % 86400"),
    by("greatest(ts, timestamp '2024-01-02')"),
    by("ts < timestamp '2024-01-05'"),
    by(f"{DAY}, x"),
    by(f"{DAY}, x", "rank()"),
    by(f"{DAY}, x, ts"),
    by(f"k, {DAY}"),
    by(DAY, frame="range between unbounded preceding and current row"),
    by(DAY, frame="range between current row and current row"),
    by(DAY, frame="range between unbounded preceding and current row exclude current row"),
    inner(f"sum(x) over (partition by k order by {DAY} groups between 2 preceding and current row)"),
    inner(f"sum(x) over (partition by k order by {DAY} rows between 2 preceding and 1 preceding)"),
    inner(f"sum(x) over (partition by k order by {DAY} desc range between current row and unbounded following)"),
    inner(f"sum(x) over (partition by k, {DAY} order by hour(ts))"),
    f"select k, ts, sum(x) over w as f from {E} window w as (partition by k order by {DAY})",
    f"with d as (select *, ts::date as day from {E}) "
    "select k, ts, sum(x) over (partition by k order by day) as f from d",
    f"with d as (select k, ts, ts::date as day, sum(x) as x from {E} group by 1, 2, 3) "
    "select k, ts, sum(x) over (partition by k order by day) as f from d",
    f"with p as (select k, ts::date as day, sum(x) over (partition by k order by ts::date) as f from {E}) "
    f"select e.k, e.ts, p.f from {E} e join p on p.k = e.k and p.day = e.ts::date",
    f"select k, make_timestamp(year(ts), month(ts), day(ts), 0, 0, 0.0) as ts, x, "
    f"sum(x) over (partition by k order by year(ts), month(ts)) as f from {E}",
)
# Orders that look like those, and tell all instants apart, or frames that end before the peers.
EXACT = (
    by(f"{DAY}, ts"),
    by(f"{DAY}, ts", "lag(x)"),
    by("ts::date, ts::time"),
    by("year(ts), month(ts), ts"),
    by("ts::date, epoch_us(ts)"),
    by("ts::varchar"),
    by("ts::timestamptz"),
    by("ts at time zone 'UTC'"),
    by("epoch_us(ts)"),
    by("epoch_us(ts)::hugeint"),
    by("epoch(ts) / 3600"),
    by("extract(epoch from ts)"),
    by("date_diff('microsecond', timestamp '2020-01-01', ts)"),
    by("strftime(ts, '%Y-%m-%d %H:%M:%S.%f')"),
    by("date_trunc('microsecond', ts)"),
    by("ts + interval 1 day"),
    by("seq // 10"),
    by(DAY, "rank()"),
    by(DAY, "dense_rank()"),
    by(f"{DAY}, ts", "row_number()"),
    by(DAY, "lag(x, 0)"),
    item("x") + " qualify row_number() over (partition by k, ts::date order by ts) = 1",
    inner(f"sum(x) over (partition by k order by {DAY} groups between unbounded preceding and 1 preceding)"),
    inner(
        f"sum(x) over (partition by k order by {DAY} groups between unbounded preceding and current row exclude group)"
    ),
    inner(f"sum(x) over (partition by k order by {DAY} rows between current row and current row)"),
    inner(f"sum(x) over (partition by k, {DAY} order by ts::time)"),
    inner("sum(x) over (partition by k, ts order by ts::date)"),
    f"with d as (select k, ts::date as day, sum(x) as x from {E} group by 1, 2) "
    "select k, day + interval 1 day as ts, sum(x) over (partition by k order by day) as f from d",
    f"with d as (select k, ts::date as day, max(ts) as ts, sum(x) as x from {E} group by all) "
    "select k, ts, lag(x) over (partition by k order by day) as f from d",
    f"with d as (select distinct k, ts::date as day from {E}) "
    "select k, day as ts, count(*) over (partition by k order by day) as f from d",
    f"select k, {DAY} as ts, sum(x) over (partition by k order by {DAY}) as f from {E}",
    f"select k, ts::date as ts, sum(x) as x, lag(sum(x)) over (partition by k order by ts::date) as f "
    f"from {E} group by 1, 2",
    f"with d as (select k, date '2024-01-01' + seq::int as ts, x from {E}) "
    "select k, ts, lag(x) over (partition by k order by date_trunc('day', ts)) as f from d",
)
