"""Features that people write, by domain: each with its SQL, and the loop that says what it must be.

The numbers are those of a list of seventy features that were collected from fraud detection, recommendation, churn,
pricing, credit, sessions, logistics and text. ``docs/cookbook.md`` is made of this table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

from features import loops as l
from features.loops import EVER, Loop, Row, days, inside, newest, ordered, values


@dataclass(frozen=True)
class Feature:
    """A feature over the payments. ``sql`` is the item; ``below`` is a CTE ``payments`` that stands for the source.

    ``stack``: CTEs, by name, that a stack of is in the source's place; ``rows`` gives what a payment becomes in them.
    ``looked_up`` are the call of lookup() that an on-demand ``sql`` reads, and the view that it names; ``over`` is then
    the loop, over the payments of all cards and the card. ``known``: the view has a known_at. ``keys`` beside the card;
    ``base`` are the items of a feature view that an on-demand ``sql`` reads, with its inputs; ``nearly`` agrees to
    1e-12.
    """

    number: int
    title: str
    sql: str
    loop: Loop
    domain: str
    known: bool = False
    merchant: bool = False
    below: str | None = None
    base: str | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    nearly: bool = False
    stack: dict[str, str] = field(default_factory=dict)
    rows: Callable[[Row], list[Row]] = lambda row: [row]
    looked_up: tuple[str, str, str] | None = None
    over: Callable[[list[Row], int, Any], Any] | None = None

    @property
    def name(self) -> str:
        return f"f{self.number}"


AMOUNT, MERCHANT = 12.5, "m1"
"""The amount and the merchant of each request."""


def _quotient(numbers: list[float | None]) -> float | None:
    """The sum, rounded, divided by the number of values."""
    there = [x for x in numbers if x is not None]
    return l.over(l.added(there), len(there)) if there else None


def _seconds(later: Any, earlier: Any) -> float | None:
    return None if earlier is None else (later - earlier).total_seconds()


def _log(value: Any) -> float | None:
    return None if value is None else math.log(abs(value) + 1)


def _last_time(rows: list[Any]) -> Any:
    return max((row["ts"] for row in rows), default=None)


def _open_session(rows: list[Any], t: Any) -> Any:
    found = l.session(inside(rows, t, days(1)), timedelta(minutes=30))
    return found if found is not None and t <= found["newest"] + timedelta(minutes=30) else None


def _declined(row: Any) -> Any:
    return row["declined"]


def _changes(rows: list[Any], t: Any) -> int:
    placed = sorted(rows, key=lambda r: (r["ts"], r["category"] is not None, r["category"] or ""))
    changed = [
        b for a, b in pairwise(placed) if None not in (a["category"], b["category"]) and a["category"] != b["category"]
    ]
    return len(inside(changed, t, days(7)))


def _lagged(rows: list[Any]) -> Any:
    placed = sorted(rows, key=lambda r: (r["ts"], r["cents"] is not None, r["cents"] or 0))
    return placed[-2]["cents"] if len(placed) > 1 else None


def _week_hours(rows: list[Any], t: Any) -> float:
    hour = timedelta(hours=1)
    sums = [sum(values(inside(rows, t, hour, days(7 * n), "right"), "cents")) for n in (1, 2, 3, 4)]
    return sum(sums) / 4


_SESSION = "{{ session('30 minutes', '1 day') }} as last_session"
_GAPS = (
    "select *, epoch(ts - lag(ts) over (partition by card order by ts)) as gap from {{ source('shop', 'payments') }}"
)
_HOURLY = (
    "select *, count(*) over (partition by card order by ts range interval '1 hour' preceding) as in_hour "
    "from {{ source('shop', 'payments') }}"
)
_DISPUTED = (
    "select *, declined and count(*) filter (where kind = 'dispute') over (partition by card order by ts "
    "range between interval '1 hour' preceding and current row) > 0 as after_dispute "
    "from {{ source('shop', 'payments') }}"
)
_SPENT = (
    "select *, sum(cents) over (partition by card order by ts range between interval '1 day' preceding "
    "and interval '1 minute' preceding) as spent from {{ source('shop', 'payments') }}"
)
_CHANGED = (
    "select *, category <> lag(category) over (partition by card order by ts, category nulls first) as changed "
    "from {{ source('shop', 'payments') }}"
)
_PAYMENTS = "from {{ source('shop', 'payments') }}"
_REPORTED = {
    "txns": f"select card, merchant, ts, ts as known, false as fraud {_PAYMENTS}",
    "reports": f"select card, merchant, ts, known, true as fraud {_PAYMENTS} where kind = 'dispute'",
}
_BALANCES = {
    "paid": f"select card, ts, cents {_PAYMENTS}",
    "balances": f"select card, known as ts, balance {_PAYMENTS}",
}
_STEPS = {
    "sent": f"select card, ts, 1 as step {_PAYMENTS}",
    "done": f"select card, known as ts, -1 as step {_PAYMENTS}",
}
_EDGES = {
    "edges": f"select card, 1 + cents % 4 as other, ts {_PAYMENTS}",
    "reversed": f"select 1 + cents % 4 as card, card as other, ts {_PAYMENTS}",
}


def _reported(row: Row) -> list[Row]:
    """A payment, known at once, and where it was disputed the report of it, known later."""
    paid = {**row, "known": row["ts"], "source": "txns", "fraud": False}
    return [paid, *([{**row, "source": "reports", "fraud": True}] if row["kind"] == "dispute" else [])]


def _fraud_share(rows: list[Row], t: Any) -> float | None:
    seen = inside(rows, t, days(30))
    return l.over(len([r for r in seen if r["fraud"]]), len([r for r in seen if r["source"] == "txns"]))


def _paid(row: Row) -> list[Row]:
    return [{**row, "balance": None}, {**row, "ts": row["known"], "cents": None}]


def _sent(row: Row) -> list[Row]:
    return [{**row, "step": 1}, {**row, "ts": row["known"], "step": -1}]


def _cards_at_the_last_merchant(rows: list[Row], card: int, t: Any) -> int | None:
    seen = [row for row in rows if row["ts"] <= t]
    last = newest([row for row in seen if row["card"] == card], "merchant")
    there = [row for row in inside(seen, t, days(7)) if row["merchant"] == last]
    return None if last is None else len({row["card"] for row in there})


def _most_cards_at_a_merchant(rows: list[Row], card: int, t: Any) -> int | None:
    seen = [row for row in rows if row["ts"] <= t]
    week = inside(seen, t, days(7))
    merchants = set(values([row for row in week if row["card"] == card], "merchant"))
    return max((len({row["card"] for row in week if row["merchant"] == m}) for m in merchants), default=None)


def _mean_vector(rows: list[Row], card: int, t: Any) -> list[float] | None:
    seen = [row for row in rows if row["ts"] <= t]
    last = ordered([row for row in seen if row["card"] == card], "merchant")[-3:]
    if not last:
        return None
    vectors = [
        max(
            (row["ts"], [float(row["cents"] or 0), row["balance"] or 0.0])
            for row in seen
            if row["merchant"] == merchant
        )[1]
        for merchant in last
    ]
    return [reduce(add, column) / len(vectors) for column in zip(*vectors, strict=True)]


def _edges(row: Row) -> list[Row]:
    other = None if row["cents"] is None else 1 + row["cents"] % 4
    return [{**row, "other": other}, {**row, "card": other, "other": row["card"]}]


def _at_each(rows: list[Row], t: Any, counted: Callable[[list[Row], Row], Any]) -> list[Any]:
    """What is said of each row of the last 7 days, from the rows up to its own instant."""
    return [counted([r for r in rows if r["ts"] <= row["ts"]], row) for row in inside(rows, t, days(7))]


def _after_dispute(rows: list[Row], row: Row) -> bool:
    hour = inside(rows, row["ts"], timedelta(hours=1))
    return row["declined"] is True and any(other["kind"] == "dispute" for other in hour)


def _spent(rows: list[Row], row: Row) -> int | None:
    minute = timedelta(minutes=1)
    found = values(inside(rows, row["ts"], days(1) - minute, minute), "cents")
    return sum(found) if found else None


FEATURES = (
    Feature(1, "Payments of the last hour", "count(*) over {{ last('1 hour') }}",
            lambda r, t: len(inside(r, t, timedelta(hours=1))), "Fraud"),
    Feature(2, "Different merchants of 7 days", "count(distinct merchant) over {{ last('7 days') }}",
            lambda r, t: len(set(values(inside(r, t, days(7)), "merchant"))), "Fraud"),
    Feature(3, "The last amount against the mean of 30 days",
            "amount / nullif(avg(amount) over {{ last('30 days') }}, 0)",
            lambda r, t: l.over(newest(r, "amount"), l.mean(values(inside(r, t, days(30)), "amount"))), "Fraud"),
    Feature(4, "How unusual the last amount is",
            "(amount - avg(amount) over {{ last('30 days') }}) / nullif(stddev(amount) over {{ last('30 days') }}, 0)",
            lambda r, t: None if None in (newest(r, "amount"), l.mean(values(inside(r, t, days(30)), "amount")))
            else l.over(newest(r, "amount") - l.mean(values(inside(r, t, days(30)), "amount")),
                        l.deviation(values(inside(r, t, days(30)), "amount"))), "Fraud", nearly=True),
    Feature(5, "Seconds since the last payment", "epoch(asked_at - ts)",
            lambda r, t: _seconds(t, _last_time(r)), "Fraud", base="amount as last_amount"),
    Feature(6, "The mean gap between payments of 7 days", "avg(gap) over {{ last('7 days') }}",
            lambda r, t: l.mean(values(inside(l.gaps(r), t, days(7)), "gap")), "Fraud", below=_GAPS),
    Feature(7, "Payments at this merchant, 30 days", "count(*) over {{ last('30 days') }}",
            lambda r, t: len(inside(r, t, days(30))), "Fraud", merchant=True),
    Feature(8, "Is the merchant new to the card", "count(*) over {{ last('ever') }} = 0",
            lambda r, t: not r, "Fraud", merchant=True),
    Feature(9, "The share of payments reported as fraud, 30 days, as known",
            "count(*) filter (where fraud) over {{ last('30 days') }} "
            "/ nullif(count(*) filter (where source = 'txns') over {{ last('30 days') }}, 0)",
            _fraud_share, "Fraud", known=True, stack=_REPORTED, rows=_reported),
    Feature(64, "The share of payments at this merchant reported as fraud, 30 days, as known",
            "count(*) filter (where fraud) over {{ last('30 days') }} "
            "/ nullif(count(*) filter (where source = 'txns') over {{ last('30 days') }}, 0)",
            _fraud_share, "Fraud", known=True, merchant=True, stack=_REPORTED, rows=_reported),
    Feature(11, "Cards at the merchant of the last payment, 7 days", "cards_7d", lambda r, t: None, "Fraud",
            base="merchant as last_merchant",
            looked_up=("lookup('merchants11', merchant='last_merchant')", "merchants11",
                       "count(distinct card) over {{ last('7 days') }} as cards_7d"),
            over=_cards_at_the_last_merchant),
    Feature(10, "The most cards at any merchant of 7 days", "list_max(cards_7d)", lambda r, t: None, "Fraud",
            base="list(distinct merchant) over {{ last('7 days') }} as merchants_7d",
            looked_up=("lookup('merchants10', merchant='merchants_7d')", "merchants10",
                       "count(distinct card) over {{ last('7 days') }} as cards_7d"),
            over=_most_cards_at_a_merchant),
    Feature(12, "The requested amount against the mean of 30 days", "amount / nullif(avg_30d, 0)",
            lambda r, t: l.over(AMOUNT, l.mean(values(inside(r, t, days(30)), "amount"))), "Fraud",
            base="avg(amount) over {{ last('30 days') }} as avg_30d", inputs={"amount": "double"}),
    Feature(13, "Payments above the requested amount, 30 days",
            "{{ count_of('payments_30d', where='row_.amount > amount') }}",
            lambda r, t: len([x for x in values(inside(r, t, days(30)), "amount") if x > AMOUNT]),
            "Fraud", base="{{ rows_of('amount', '30 days') }} as payments_30d", inputs={"amount": "double"}),
    Feature(106, "What was spent at the requested merchant, 30 days",
            "{{ sum_of('payments_30d', 'row_.amount', where='row_.merchant = merchant') }}",
            lambda r, t: l.added(values([x for x in inside(r, t, days(30)) if x["merchant"] == MERCHANT], "amount")),
            "Fraud", base="{{ rows_of(['amount', 'merchant'], '30 days') }} as payments_30d",
            inputs={"merchant": "varchar"}),
    Feature(107, "The mean payment at this hour of the day, 28 days",
            "{{ avg_of('payments_28d', 'row_.amount', where='hour(row_.ts) = hour(asked_at)') }}",
            lambda r, t: _quotient([x["amount"] for x in inside(r, t, days(28)) if x["ts"].hour == t.hour]),
            "Fraud", base="{{ rows_of(['ts', 'amount'], '28 days') }} as payments_28d"),
    Feature(108, "Spend of 30 days, older payments less, as known",
            "{{ sum_of('payments_30d', 'row_.amount * exp(-epoch(asked_at - row_.ts) / 259200)') }}",
            lambda r, t: l.added([x["amount"] * math.exp(-_seconds(t, x["ts"]) / 259200)
                                  for x in inside(r, t, days(30)) if x["amount"] is not None]),
            "Fraud", base="{{ rows_of(['ts', 'amount'], '30 days') }} as payments_30d", known=True),
    Feature(109, "The greatest payment of an hour or less before asking at the requested merchant",
            "{{ max_of('payments_1h', 'row_.cents', where='row_.merchant = merchant') }}",
            lambda r, t: max(values([x for x in inside(r, t, timedelta(hours=1)) if x["merchant"] == MERCHANT],
                                    "cents"), default=None),
            "Fraud", base="{{ rows_of(['cents', 'merchant'], '1 hour') }} as payments_1h",
            inputs={"merchant": "varchar"}),
    Feature(14, "Declined payments in a row", "{{ streak('declined', 'ever') }}",
            lambda r, t: l.streak(l.flags(r, _declined)), "Fraud"),
    Feature(15, "The most payments of an hour, 7 days", "max(in_hour) over {{ last('7 days') }}",
            lambda r, t: max(_at_each(r, t, lambda seen, row: len(inside(seen, row["ts"], timedelta(hours=1)))),
                             default=None), "Fraud", below=_HOURLY),
    Feature(105, "The most that was spent in the day before a payment, 7 days", "max(spent) over {{ last('7 days') }}",
            lambda r, t: max((x for x in _at_each(r, t, _spent) if x is not None), default=None),
            "Fraud", below=_SPENT),
    Feature(101, "The longest run of declined payments in 7 days", "{{ streak('declined', '7 days', longest=true) }}",
            lambda r, t: l.longest(l.flags(inside(r, t, days(7)), _declined)), "Fraud"),
    Feature(102, "Declined payments in a row, as known", "{{ streak('declined', 'ever') }}",
            lambda r, t: l.streak([f for _, _, f in sorted((x["ts"], x["known"], x["declined"] is True) for x in r)]),
            "Fraud", known=True),
    Feature(16, "Click rate of 7 days", "{{ share('clicked', '7 days') }}",
            lambda r, t: l.over(len([x for x in inside(r, t, days(7)) if x["clicked"]]), len(inside(r, t, days(7)))),
            "Recommendation"),
    Feature(17, "Clicks at this merchant, 30 days", "count(*) filter (where clicked) over {{ last('30 days') }}",
            lambda r, t: len([x for x in inside(r, t, days(30)) if x["clicked"]]), "Recommendation", merchant=True),
    Feature(18, "The last 5 merchants", "(list(merchant) over {{ last('ever') }})[-5:]",
            lambda r, t: ordered(r, "merchant")[-5:] or None, "Recommendation"),
    Feature(19, "The last 5 merchants within 7 days", "(list(merchant) over {{ last('7 days') }})[-5:]",
            lambda r, t: ordered(inside(r, t, days(7)), "merchant")[-5:] or None, "Recommendation"),
    Feature(20, "The last 3 different merchants of 30 days", "{{ last_distinct('merchant', 3, '30 days') }}",
            lambda r, t: l.last_distinct(ordered(inside(r, t, days(30)), "merchant"), 3), "Recommendation"),
    Feature(21, "The 2 most frequent categories of 30 days", "{{ top_k('category', 2, '30 days') }}",
            lambda r, t: l.most_frequent(values(inside(r, t, days(30)), "category"), 2), "Recommendation"),
    Feature(22, "Clicks, of which each counts half as much after 3 days", "{{ decayed('clicks_3d') }}",
            lambda r, t: l.decayed([(x["ts"], None if x["clicked"] is None else int(x["clicked"])) for x in r], t,
                                   days(3)),
            "Recommendation", base="{{ decaying_sum('clicked::int', '3 days') }} as clicks_3d"),
    Feature(110, "The mean amount, of which each counts half as much after 2 hours, as known",
            "{{ decayed('spent_2h') }} / {{ decayed('paid_2h') }}",
            lambda r, t: l.over(*(l.decayed(pairs, t, timedelta(hours=2)) for pairs in (
                [(x["ts"], x["amount"]) for x in r], [(x["ts"], None if x["amount"] is None else 1) for x in r]))),
            "Recommendation", known=True,
            base="{{ decaying_sum('amount', '2 hours') }} as spent_2h, "
            "{{ decaying_sum('case when amount is not null then 1 end', '2 hours') }} as paid_2h"),
    Feature(26, "How often each category occurred in 30 days",
            "map_entries(histogram(category) over {{ last('30 days') }})",
            lambda r, t: l.histogram(values(inside(r, t, days(30)), "category")), "Recommendation"),
    Feature(27, "When the first payment was", "min(ts) over {{ last('ever') }}",
            lambda r, t: min((x["ts"] for x in r), default=None), "Recommendation"),
    Feature(103, "The merchants of the last 3 amounts above 2, newest first",
            "list_reverse(list_transform(list_filter(list({'m': merchant, 'a': amount}) over {{ last('30 days') }}, "
            "lambda x_: x_.a > 2), lambda x_: x_.m)[-3:])",
            lambda r, t: None if not inside(r, t, days(30)) else
            [x["merchant"] for x in sorted(inside(r, t, days(30)), key=lambda x: (
                x["ts"], x["merchant"] is None, x["merchant"] or "", x["amount"] is None, x["amount"] or 0))
             if (x["amount"] or 0) > 2][-3:][::-1], "Recommendation"),
    Feature(186, "The 3 greatest amounts of 30 days", "max(cents, 3) over {{ last('30 days') }}",
            lambda r, t: sorted(values(inside(r, t, days(30)), "cents"), reverse=True)[:3] or None, "Fraud"),
    Feature(187, "The least amount ever but one", "(min(cents, 2) over {{ last('ever') }})[2]",
            lambda r, t: sorted(values(r, "cents"))[1] if len(values(r, "cents")) > 1 else None, "Pricing"),
    Feature(188, "Where the 3 greatest amounts of 30 days were paid, as known",
            "arg_max(merchant, cents, 3) over {{ last('30 days') }}",
            lambda r, t: [x["merchant"] for x in sorted(
                (x for x in inside(r, t, days(30)) if None not in (x["cents"], x["merchant"])),
                key=lambda x: (x["cents"], x["ts"], x["known"], x["merchant"]), reverse=True)][:3] or None,
            "Fraud", known=True),
    Feature(23, "The mean vector of the last 3 merchants",
            "list_transform(vec[1], lambda v_, i_: list_reduce(list_transform(vec, lambda w_: w_[i_]), "
            "lambda a_, b_: a_ + b_) / len(vec))", lambda r, t: None, "Recommendation",
            base="(list(merchant) over {{ last('ever') }})[-3:] as last_3",
            looked_up=("lookup('merchants23', merchant='last_3')", "merchants23",
                       "[coalesce(cents, 0)::double, coalesce(balance, 0.0)] as vec"),
            over=_mean_vector),
    Feature(28, "Spend of 30 days", "sum(amount) over {{ last('30 days') }}",
            lambda r, t: l.added(values(inside(r, t, days(30)), "amount")), "Churn"),
    Feature(29, "Days inactive", "date_diff('day', ts, asked_at)",
            lambda r, t: None if not r else (t.date() - _last_time(r).date()).days, "Churn",
            base="amount as last_amount"),
    Feature(30, "The trend of the cents in 30 days", "regr_slope(cents, epoch(ts)) over {{ last('30 days') }}",
            lambda r, t: l.slope([(x["cents"], x["ts"].timestamp()) for x in inside(r, t, days(30))]),
            "Churn", nearly=True),
    Feature(31, "Spend of 30 days less that of the 30 days before",
            "coalesce(sum(cents) over {{ last('30 days') }}, 0) "
            "- coalesce(sum(cents) over {{ last('30 days', closed='left', delay='30 days') }}, 0)",
            lambda r, t: sum(values(inside(r, t, days(30)), "cents"))
            - sum(values(inside(r, t, days(30), days(30), "left"), "cents")), "Churn"),
    Feature(32, "Spend of the last full month", "sum(cents) over {{ previous('month') }}",
            lambda r, t: l.total(l.previous(r, t, "month"), "cents"), "Churn"),
    Feature(120, "Spend of this month so far, as Berlin has it",
            "sum(amount) over {{ this('month', 'Europe/Berlin') }}",
            lambda r, t: l.added(values(l.this(r, t, "month", "Europe/Berlin"), "amount")), "Churn"),
    Feature(121, "Payments of the day before, as New York has it",
            "count(*) over {{ previous('day', 'America/New_York') }}",
            lambda r, t: len(l.previous(r, t, "day", "America/New_York")), "Churn"),
    Feature(122, "This week's spend against the week before",
            "sum(cents) over {{ this('week') }} / nullif(sum(cents) over {{ previous('week') }}, 0)",
            lambda r, t: l.over(l.total(l.this(r, t, "week"), "cents"), l.total(l.previous(r, t, "week"), "cents")),
            "Churn"),
    Feature(123, "The last merchant of the hour, the quarter and the year",
            "[last(merchant) over {{ this('hour') }}, last(merchant) over {{ previous('quarter') }}, "
            "last(merchant) over {{ this('year') }}]",
            lambda r, t: [(ordered(rows, "merchant") or [None])[-1] for rows in (
                l.this(r, t, "hour"), l.previous(r, t, "quarter"), l.this(r, t, "year"))], "Churn"),
    Feature(124, "Spend of the day so far, as known", "sum(cents) over {{ this('day', 'Asia/Kolkata') }}",
            lambda r, t: l.total(l.this(r, t, "day", "Asia/Kolkata"), "cents"), "Churn", known=True),
    Feature(33, "Payments ever", "count(*) over {{ last('ever') }}", lambda r, t: len(r), "Churn"),
    Feature(34, "Active days of 30 days", "count(distinct ts::date) over {{ last('30 days') }}",
            lambda r, t: len({x["ts"].date() for x in inside(r, t, days(30))}), "Churn"),
    Feature(35, "The favourite category of 30 days", "mode(category) over {{ last('30 days') }}",
            lambda r, t: (l.most_frequent(values(inside(r, t, days(30)), "category"), 1) or [None])[0], "Churn"),
    Feature(36, "The mean of the last 5 payments",
            "list_sum((list(cents) over {{ last('ever') }})[-5:]) / len((list(cents) over {{ last('ever') }})[-5:])",
            lambda r, t: l.over(sum(ordered(r, "cents")[-5:]), len(ordered(r, "cents")[-5:])), "Churn"),
    Feature(37, "The cents of the payment before the last",
            "lag(cents) over (partition by card order by ts, cents nulls first)",
            lambda r, t: _lagged(r), "Pricing", below="select * from {{ source('shop', 'payments') }}"),
    Feature(38, "The median of 7 days", "median(cents) over {{ last('7 days') }}",
            lambda r, t: l.median(values(inside(r, t, days(7)), "cents")), "Pricing"),
    Feature(39, "The same hour a week ago", "sum(cents) over {{ last('1 hour', closed='right', delay='7 days') }}",
            lambda r, t: sum(values(inside(r, t, timedelta(hours=1), days(7), "right"), "cents"))
            if values(inside(r, t, timedelta(hours=1), days(7), "right"), "cents") else None, "Pricing"),
    Feature(40, "The mean of that hour over 4 weeks",
            "(" + " + ".join(
                f"coalesce(sum(cents) over {{{{ last('1 hour', closed='right', delay='{7 * n} days') }}}}, 0)"
                for n in (1, 2, 3, 4)) + ") / 4",
            _week_hours, "Pricing"),
    Feature(42, "The hour of the day", "hour(asked_at)", lambda r, t: t.hour, "Pricing", base="amount as last_amount"),
    Feature(43, "Changes of category in 7 days", "count(*) filter (where changed) over {{ last('7 days') }}",
            _changes, "Pricing", below=_CHANGED),
    Feature(44, "The elasticity of the amount by the balance, 7 days",
            "regr_slope(ln(abs(amount) + 1), ln(abs(balance) + 1)) over {{ last('7 days') }}",
            lambda r, t: l.slope([(_log(x["amount"]), _log(x["balance"])) for x in inside(r, t, days(7))]),
            "Pricing", nearly=True),
    Feature(45, "Utilisation", "balance / nullif(200, 0)", lambda r, t: l.over(newest(r, "balance"), 200), "Credit"),
    Feature(47, "The greatest fall of the balance in 30 days", "{{ drawdown('balance', '30 days') }}",
            lambda r, t: l.drawdown(ordered(inside(r, t, days(30)), "balance")), "Credit"),
    Feature(48, "Payments in a row that were not declined", "{{ streak('not declined', 'ever') }}",
            lambda r, t: l.streak(l.flags(r, lambda x: None if x["declined"] is None else not x["declined"])),
            "Credit"),
    Feature(49, "Payments since the last dispute", "{{ since(\"kind = 'dispute'\", 'ever') }}",
            lambda r, t: l.since(l.flags(r, lambda x: x["kind"] == "dispute")), "Credit"),
    Feature(50, "Payments of 30 days against the last balance",
            "sum(cents) over {{ last('30 days') }} / nullif(last(balance) over {{ last('ever') }}, 0)",
            lambda r, t: l.over(
                sum(values(inside(r, t, days(30)), "cents")) if values(inside(r, t, days(30)), "cents") else None,
                (ordered(r, "balance") or [None])[-1]), "Credit", stack=_BALANCES, rows=_paid),
    Feature(51, "The balance 30 days ago", "last(balance) over {{ last('ever', delay='30 days') }}",
            lambda r, t: (ordered(inside(r, t, EVER, days(30)), "balance") or [None])[-1], "Credit"),
    Feature(52, "Payments in this session",
            "case when asked_at <= last_session.newest + interval '30 minutes' then last_session.n end",
            lambda r, t: None if _open_session(r, t) is None else _open_session(r, t)["n"], "Sessions", base=_SESSION),
    Feature(53, "Seconds in this session",
            "case when asked_at <= last_session.newest + interval '30 minutes' "
            "then epoch(asked_at - last_session.start) end",
            lambda r, t: None if _open_session(r, t) is None else _seconds(t, _open_session(r, t)["start"]),
            "Sessions", base=_SESSION),
    Feature(55, "Declined within an hour of a dispute, 7 days",
            "count(*) filter (where after_dispute) over {{ last('7 days') }}",
            lambda r, t: sum(_at_each(r, t, _after_dispute)), "Sessions", below=_DISPUTED),
    Feature(104, "The last session of the day", "{{ session('30 minutes', '1 day') }}",
            lambda r, t: l.session(inside(r, t, days(1)), timedelta(minutes=30)), "Sessions"),
    Feature(56, "The mean of what was known, 24 hours", "avg(amount) over {{ last('24 hours') }}",
            lambda r, t: l.mean(values(inside(r, t, days(1)), "amount")), "Logistics", known=True),
    Feature(58, "What is under way", "sum(step) over {{ last('ever') }}",
            lambda r, t: sum(values(r, "step")) if r else None, "Logistics", stack=_STEPS, rows=_sent),
    Feature(59, "Payments ever, as known", "nullif(count(*) over {{ last('ever') }}, 0)",
            lambda r, t: len(r) or None, "Logistics", known=True),
    Feature(60, "The amount before the last, as known", "(list(cents) over {{ last('ever') }})[-2]",
            lambda r, t: ordered(r, "cents", known=True)[-2] if len(values(r, "cents")) > 1 else None,
            "Logistics", known=True),
    Feature(61, "The entropy of the categories of 30 days", "entropy(category) over {{ last('30 days') }}",
            lambda r, t: l.entropy(values(inside(r, t, days(30)), "category"))
            if values(inside(r, t, days(30)), "category") else 0.0, "Text", nearly=True),
    Feature(62, "The last known merchant", "last(merchant) over {{ last('ever') }}",
            lambda r, t: (ordered(r, "merchant") or [None])[-1], "Text"),
    Feature(63, "The mean length of a text, 7 days", "avg(length(body)) over {{ last('7 days') }}",
            lambda r, t: l.mean([len(x) for x in values(inside(r, t, days(7)), "body")]), "Text"),
    Feature(66, "The skewness of the amounts of 30 days", "skewness(amount) over {{ last('30 days') }}",
            lambda r, t: l.skewness(values(inside(r, t, days(30)), "amount")), "Text", nearly=True),
    Feature(67, "Different neighbours both ways, 30 days", "count(distinct other) over {{ last('30 days') }}",
            lambda r, t: len(set(values(inside(r, t, days(30)), "other"))), "Graph", stack=_EDGES, rows=_edges),
    Feature(69, "The last hour against the same a week ago",
            "count(*) over {{ last('1 hour') }} / nullif(count(*) over {{ last('1 hour', delay='7 days') }}, 0)",
            lambda r, t: l.over(len(inside(r, t, timedelta(hours=1))),
                                len(inside(r, t, timedelta(hours=1), days(7)))), "Quality"),
    Feature(70, "Seconds since the newest row", "{{ minutes_since('ts') }} * 60",
            lambda r, t: None if not r else _seconds(t, _last_time(r)) / 60 * 60, "Quality",
            base="amount as last_amount"),
)  # fmt: skip

REFUSED: dict[int, tuple[str, str]] = {
    125: ("{{ config(entity='card', event_time='ts', inputs={'amount': 'double'}) }} select card, ts, count(*) filter "
         "(where p.amount > request.amount) over {{ last('30 days') }} as f125 "
         "from {{ source('shop', 'payments') }} as p cross join {{ request() }}",
          "{{ rows_of(['amount'], '30 days') }}"),
    126: ("sum(amount) filter (where merchant = {{ input('merchant') }}) over {{ last('30 days') }}", "rows_of"),
    127: ("sum(amount * exp(-epoch(asked_at - ts) / 3600)) over {{ last('30 days') }}", "rows_of"),
    128: ("count(*) filter (where merchant = request.merchant) over {{ last('30 days') }}", "rows_of"),
    115: ("max(count(*) over (partition by card order by ts range interval '1 hour' preceding)) "
         "over {{ last('7 days') }}", "MAX(inside) OVER {{ last('7 days') }} AS f115 FROM nested"),
    116: ("{{ config(entity='card', event_time='ts') }} with p as (select *, count(*) over {{ last('1 hour') }} as n "
          "from {{ source('shop', 'payments') }}) select card, ts, n, max(n) over {{ last('7 days') }} as f116 from p",
          "max(n) over {{ last('7 days') }}"),
    117: ("{{ config(entity='card', event_time='ts', known_at='known') }} with p as (select *, count(*) over "
          "{{ last('1 hour') }} as n from {{ source('shop', 'payments') }}) "
          "select card, ts, known, max(n) over {{ last('7 days') }} as f117 from p", "not known yet"),
    118: ("{{ config(entity='card', event_time='ts') }} with p as (select *, last(cents) over {{ last('1 hour') }} "
          "as n from {{ source('shop', 'payments') }}) select card, ts, max(n) over {{ last('7 days') }} as f118 "
          "from p", "into a model below"),
    119: ("{{ config(entity='card', event_time='ts') }} with p as (select *, count(*) over (partition by card "
          "order by ts range between interval '1 hour' preceding and interval '1 hour' following) as n "
          "from {{ source('shop', 'payments') }}) select card, ts, max(n) over {{ last('7 days') }} as f119 from p",
          "FOLLOWING"),
}  # fmt: skip
"""By number: a spelling that is refused, and a word of the reason or the hint."""

GAPS: dict[int, str] = {
    24: "ranks among all entities: a daily snapshot as a plain model",
    25: "as row 12, with two views",
    41: "rows dated ahead: tests/test_online_ahead.py",
    46: "an on-demand difference of two running integrals, as rows 12 and 51",
    54: "rows dated ahead: tests/test_online_ahead.py",
    57: "rows dated ahead: tests/test_online_ahead.py",
    65: "as row 43",
    68: "two hops in a graph: a daily snapshot as a plain model",
}
"""By number: why a feature is in none of these tests."""
