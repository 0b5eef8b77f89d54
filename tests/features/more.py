"""More features of the same domains, as somebody writes them who thinks in SQL: each with its loop."""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import timedelta
from fractions import Fraction
from typing import Any

from features import loops as l
from features.catalogue import Feature
from features.loops import days, inside, newest, ordered, values

HOUR = timedelta(hours=1)
W = "over {{ last('30 days') }}"
W7 = "over {{ last('7 days') }}"
EVER = "over {{ last('ever') }}"


def _month(rows: list[Any], t: Any) -> list[Any]:
    return inside(rows, t, days(30))


def _week(rows: list[Any], t: Any) -> list[Any]:
    return inside(rows, t, days(7))


def _ratio(a: float | None, b: float | None) -> float | None:
    return l.over(a, b)


def _count(rows: list[Any], met: Any) -> int:
    return len([row for row in rows if met(row)])


def _deviation(rows: list[Any]) -> float | None:
    found = values(rows, "cents")
    if not found or not sum(found):
        return None
    mean = Fraction(sum(found), len(found))
    return math.sqrt(sum((x - mean) ** 2 for x in found) / len(found)) / float(mean)


def _velocity(rows: list[Any]) -> float | None:
    found = l.session(rows, timedelta(minutes=30))
    return None if found is None else _ratio(found["n"], (found["newest"] - found["start"]).total_seconds() / 60)


def _last_two(rows: list[Any]) -> float | None:
    found = ordered(rows, "cents")
    return None if len(found) < 2 or not found[-2] else found[-1] * 1.0 / found[-2] - 1


def _biggest(rows: list[Any]) -> Any:
    pairs = [row for row in rows if row["cents"] is not None and row["merchant"] is not None]
    best = max(pairs, key=lambda r: (r["cents"], r["ts"], r["merchant"]), default=None)
    return None if best is None else best["merchant"]


MORE = (
    Feature(201, "The greatest amount of a day against the mean of 30 days",
            "max(amount) over {{ last('1 day') }} / nullif(avg(amount) " + W + ", 0)",
            lambda r, t: _ratio(max(values(inside(r, t, days(1)), "amount"), default=None),
                                l.mean(values(_month(r, t), "amount"))), "Fraud"),
    Feature(202, "The share of payments at night, 30 days",
            "count(*) filter (where hour(ts) < 6 or hour(ts) >= 22) " + W + " * 1.0 / nullif(count(*) " + W + ", 0)",
            lambda r, t: _ratio(_count(_month(r, t), lambda x: x["ts"].hour < 6 or x["ts"].hour >= 22) * 1.0,
                                len(_month(r, t))), "Fraud"),
    Feature(203, "Payments of whole dollars, 7 days", "count(*) filter (where cents % 100 = 0) " + W7,
            lambda r, t: _count(_week(r, t), lambda x: x["cents"] is not None and x["cents"] % 100 == 0), "Fraud"),
    Feature(204, "Amounts that were paid again, 7 days", "count(cents) " + W7 + " - count(distinct cents) " + W7,
            lambda r, t: len(values(_week(r, t), "cents")) - len(set(values(_week(r, t), "cents"))), "Fraud"),
    Feature(205, "Minutes since the last declined payment", "epoch(asked_at - last_declined) / 60",
            lambda r, t: None if not [x for x in r if x["declined"]]
            else (t - max(x["ts"] for x in r if x["declined"])).total_seconds() / 60, "Fraud",
            base="max(ts) filter (where declined) " + EVER + " as last_declined"),
    Feature(206, "Is the last merchant the usual one", "last(merchant) " + W + " = mode(merchant) " + W,
            lambda r, t: None if not ordered(_month(r, t), "merchant") else
            ordered(_month(r, t), "merchant")[-1] == min(
                Counter(values(_month(r, t), "merchant")).items(), key=lambda p: (-p[1], p[0]))[0], "Fraud"),
    Feature(207, "Days since the first payment", "date_diff('day', first_ts, asked_at)",
            lambda r, t: None if not r else (t.date() - min(x["ts"] for x in r).date()).days, "Fraud",
            base="min(ts) " + EVER + " as first_ts"),
    Feature(208, "How much more is declined in the last hour than in 7 days",
            "avg(declined::int) over {{ last('1 hour') }} - avg(declined::int) " + W7,
            lambda r, t: None if not values(inside(r, t, HOUR), "declined") else
            l.mean([int(x) for x in values(inside(r, t, HOUR), "declined")])
            - l.mean([int(x) for x in values(_week(r, t), "declined")]), "Fraud"),
    Feature(209, "The velocity in words",
            "case when count(*) over {{ last('1 hour') }} > 2 then 'high' "
            "when count(*) over {{ last('1 hour') }} > 0 then 'some' else 'none' end",
            lambda r, t: "high" if len(inside(r, t, HOUR)) > 2 else "some" if inside(r, t, HOUR) else "none", "Fraud"),
    Feature(210, "Payments of today", "count(*) over {{ this('day') }}",
            lambda r, t: _count(r, lambda x: x["ts"].date() == t.date()), "Fraud"),
    Feature(211, "The highest 2 amounts are equal", "max(cents) " + W + " = (list_reverse(list_sort(list(cents) " + W
            + ")))[2]",
            lambda r, t: None if len(values(_month(r, t), "cents")) < 2
            else sorted(values(_month(r, t), "cents"))[-1] == sorted(values(_month(r, t), "cents"))[-2], "Fraud"),
    Feature(212, "The last clicked merchant", "(list(merchant) filter (where clicked) " + EVER + ")[-1]",
            lambda r, t: (ordered([x for x in r if x["clicked"]], "merchant") or [None])[-1], "Recommendation"),
    Feature(213, "The categories that were clicked, 30 days",
            "list_transform(map_entries(histogram(category) filter (where clicked) " + W + "), lambda e_: e_.key)",
            lambda r, t: sorted(set(values([x for x in _month(r, t) if x["clicked"]], "category"))) or None,
            "Recommendation"),
    Feature(214, "Was the best shop seen this week", "coalesce(list_contains(seen, 'm1'), false)",
            lambda r, t: "m1" in values(_week(r, t), "merchant"), "Recommendation",
            base="list(merchant) " + W7 + " as seen"),
    Feature(215, "The smoothed click rate", "(count(*) filter (where clicked) " + W7 + " + 1) / (count(*) " + W7
            + " + 10)",
            lambda r, t: (_count(_week(r, t), lambda x: x["clicked"]) + 1) / (len(_week(r, t)) + 10),
            "Recommendation"),
    Feature(216, "Different pairs of merchant and category, 30 days",
            "count(distinct merchant || '/' || category) " + W,
            lambda r, t: len({(x["merchant"], x["category"]) for x in _month(r, t)
                              if None not in (x["merchant"], x["category"])}), "Recommendation"),
    Feature(218, "Active weeks of 30 days", "count(distinct date_trunc('week', ts)) " + W,
            lambda r, t: len({x["ts"].date() - days(x["ts"].weekday()) for x in _month(r, t)}), "Churn"),
    Feature(219, "Days between payments",
            "(epoch(max(ts) " + EVER + ") - epoch(min(ts) " + EVER + ")) / 86400 "
            "/ nullif(count(*) " + EVER + " - 1, 0)",
            lambda r, t: None if len(r) < 2 else
            (max(x["ts"] for x in r) - min(x["ts"] for x in r)).total_seconds() / 86400 / (len(r) - 1), "Churn"),
    Feature(220, "Spend of 7 days in that of 30", "sum(cents) " + W7 + " * 1.0 / nullif(sum(cents) " + W + ", 0)",
            lambda r, t: _ratio(None if not values(_week(r, t), "cents") else sum(values(_week(r, t), "cents")) * 1.0,
                                sum(values(_month(r, t), "cents"))), "Churn"),
    Feature(221, "The share of weekends", "avg((dayofweek(ts) in (0, 6))::int) " + W,
            lambda r, t: l.mean([int(x["ts"].weekday() >= 5) for x in _month(r, t)]), "Churn"),
    Feature(222, "The change against the price before",
            "(list(cents) " + EVER + ")[-1] * 1.0 / nullif((list(cents) " + EVER + ")[-2], 0) - 1",
            lambda r, t: _last_two(r), "Pricing"),
    Feature(223, "The coefficient of variation, 30 days",
            "stddev_pop(cents) " + W + " / nullif(avg(cents) " + W + ", 0)",
            lambda r, t: _deviation(_month(r, t)), "Pricing", nearly=True),
    Feature(224, "Is the price the lowest of 30 days", "last(cents) " + EVER + " <= min(cents) " + W,
            lambda r, t: None if not values(_month(r, t), "cents")
            else ordered(r, "cents")[-1] <= min(values(_month(r, t), "cents")), "Pricing"),
    Feature(225, "The 90th percentile, 30 days", "quantile_disc(cents, 0.9) " + W,
            lambda r, t: None if not values(_month(r, t), "cents") else sorted(values(_month(r, t), "cents"))[
                max(0, math.ceil(Fraction(9, 10) * len(values(_month(r, t), "cents"))) - 1)], "Pricing"),
    Feature(226, "What is left of the limit", "greatest(0, 200 - last(balance) " + EVER + ")",
            lambda r, t: max(0.0, 200 - ordered(r, "balance")[-1]) if ordered(r, "balance") else 0.0, "Credit"),
    Feature(227, "The range of the balance, 30 days", "max(balance) " + W + " - min(balance) " + W,
            lambda r, t: None if not values(_month(r, t), "balance")
            else max(values(_month(r, t), "balance")) - min(values(_month(r, t), "balance")), "Credit"),
    Feature(228, "Days with a negative balance, 30 days", "count(distinct ts::date) filter (where balance < 0) " + W,
            lambda r, t: len({x["ts"].date() for x in _month(r, t) if (x["balance"] or 0) < 0}), "Credit"),
    Feature(229, "Where most was paid, 30 days", "arg_max(merchant, cents) " + W, lambda r, t: _biggest(_month(r, t)),
            "Credit"),
    Feature(230, "Was anything declined this week", "coalesce(bool_or(declined) " + W7 + ", false)",
            lambda r, t: any(x["declined"] for x in _week(r, t)), "Credit"),
    Feature(231, "Is the session a single payment", "s.n = 1",
            lambda r, t: None if l.session(inside(r, t, days(1)), timedelta(minutes=30)) is None
            else l.session(inside(r, t, days(1)), timedelta(minutes=30))["n"] == 1, "Sessions",
            base="{{ session('30 minutes', '1 day') }} as s"),
    Feature(232, "Payments a minute in this session",
            "s.n / nullif(epoch(s.newest - s.start) / 60, 0)",
            lambda r, t: _velocity(inside(r, t, days(1))), "Sessions",
            base="{{ session('30 minutes', '1 day') }} as s"),
    Feature(233, "Hours until it was known, 7 days", "avg(epoch(known - ts)) " + W7 + " / 3600",
            lambda r, t: None if not _week(r, t) else
            l.mean([(x["known"] - x["ts"]).total_seconds() for x in _week(r, t)]) / 3600, "Logistics", known=True),
    Feature(234, "The median of it", "median(epoch(known - ts)) " + W7,
            lambda r, t: l.median([(x["known"] - x["ts"]).total_seconds() for x in _week(r, t)]), "Logistics",
            known=True),
    Feature(235, "Late within 7 days, per payment",
            "sum(case when known > ts + interval '2 hours' then 1 else 0 end) " + W7,
            lambda r, t: None if not _week(r, t) else _count(_week(r, t), lambda x: x["known"] - x["ts"] > 2 * HOUR),
            "Logistics", known=True),
    Feature(236, "Words a text, 7 days", "avg(len(string_split(body, ' '))) " + W7,
            lambda r, t: l.mean([len(x.split(" ")) for x in values(_week(r, t), "body")]), "Text"),
    Feature(237, "Texts with the word, 7 days", "count(*) filter (where body ilike '%TEXT%') " + W7,
            lambda r, t: _count(values(_week(r, t), "body"), lambda x: "text" in x), "Text"),
    Feature(238, "The last text in capitals", "upper(trim(last(body) " + EVER + "))",
            lambda r, t: (ordered(r, "body") or [None])[-1] and ordered(r, "body")[-1].strip().upper(), "Text"),
    Feature(239, "Vowels of the texts, 7 days", "sum(length(regexp_replace(body, '[^aeiou]', '', 'g'))) " + W7,
            lambda r, t: None if not values(_week(r, t), "body")
            else sum(len(re.sub("[^aeiou]", "", x)) for x in values(_week(r, t), "body")), "Text"),
    Feature(240, "The categories of 7 days as a text", "string_agg(category, ',') " + W7,
            lambda r, t: ",".join(ordered(_week(r, t), "category")) or None, "Text"),
    Feature(242, "Merchant of the last payment in capitals, or none",
            "coalesce(upper(substr(last(merchant) " + EVER + ", 1, 1)), '-')",
            lambda r, t: (ordered(r, "merchant") or ["-"])[-1][0].upper(), "Text"),
    Feature(243, "The amount against the greatest before", "last(cents) " + EVER
            + " > max(cents) over {{ last('30 days', delay='1 hour') }}",
            lambda r, t: None if not values(inside(r, t, days(30), HOUR), "cents") else
            ordered(r, "cents")[-1] > max(values(inside(r, t, days(30), HOUR), "cents")), "Fraud"),
    Feature(244, "The newest of two columns", "coalesce(category, kind, 'none')",
            lambda r, t: newest([{**x, "shown": x["category"] or x["kind"] or "none"} for x in r], "shown"), "Text"),
    Feature(245, "Cents in bins", "least(9, floor(ln(1 + coalesce(sum(cents) " + W + ", 0))))::int",
            lambda r, t: min(9, math.floor(math.log(1 + sum(values(_month(r, t), "cents"))))), "Credit"),
)  # fmt: skip
