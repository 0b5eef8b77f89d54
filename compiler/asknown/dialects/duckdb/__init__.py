"""DuckDB 2.0: the embedded default."""

from __future__ import annotations

from dataclasses import replace

from asknown.dialects.dialect import AggregateRules, CteRules, Dialect, NameRules, PlanRules, RelationRules
from asknown.dialects.duckdb.list_sums import EXACT_LIST_SUM
from asknown.dialects.duckdb.moments import bind, moments, pair_moments
from asknown.dialects.duckdb.sums import EXACT_SUMS

_MIDDLE = "l[(LEN(l) + 1) // 2]"
_SQUARES = f"LIST_AGGREGATE(LIST_TRANSFORM(l, LAMBDA x : (x - {_MIDDLE}) * (x - {_MIDDLE})), 'fsum')"
_DISTANCES = f"LIST_AGGREGATE(LIST_TRANSFORM(l, LAMBDA x : x - {_MIDDLE}), 'fsum')"
_DEVIATION = f"GREATEST(0, {_SQUARES} - {_DISTANCES} * {_DISTANCES} / LEN(l))"
_VARIANCES = {
    "var_pop": f"{_DEVIATION} / LEN(l)",
    "var_samp": f"CASE WHEN LEN(l) > 1 THEN {_DEVIATION} / (LEN(l) - 1) END",
    "stddev_pop": f"SQRT({_DEVIATION} / LEN(l))",
    "stddev_samp": f"SQRT(CASE WHEN LEN(l) > 1 THEN {_DEVIATION} / (LEN(l) - 1) END)",
}


# A name with a dot, such as p.value, could be a column's, so fields are extracted by a function.
_PAIR = "{'n': -CAST(STRUCT_EXTRACT(p_, 'value') AS BIGINT), 'v': STRUCT_EXTRACT(p_, 'key')}"
_PAIRS = f"LIST_SORT(LIST_TRANSFORM(MAP_ENTRIES(:value), LAMBDA p_ : {_PAIR}))"
_TOP_K = f"LIST_TRANSFORM(LIST_SLICE({_PAIRS}, 1, :k), LAMBDA q_ : STRUCT_EXTRACT(q_, 'v'))"
# Kinds of which FIRST and LAST with an order lose the sign of a zero; DOUBLE has templates of its own.
_SIGNS_LOST = ("float", "list", "struct")
# A zero without its sign, so that equal values are the same value.
_UNSIGNED = "CASE WHEN :x = 0 THEN 0 ELSE :x END"
_AS_DOUBLE = "COALESCE(CAST(TRY_CAST(:x AS BIGINT) AS DOUBLE), CAST(CAST(:x AS TEXT) AS DOUBLE))"
_IN_YEARS = (
    "CASE WHEN YEAR(:x) NOT BETWEEN 1 AND 9999 OR NOT ISFINITE(:x) "
    "THEN CAST(ERROR('a {0} outside the years 1 to 9999') AS {0}) ELSE :x END"
)
_NANOSECONDS = (
    "CASE WHEN EPOCH_NS(:x) % 1000 <> 0 "
    "THEN CAST(ERROR('an instant must be a whole microsecond: ' || CAST(:x AS TEXT)) AS TIMESTAMP) "
    "ELSE CAST(:x AS TIMESTAMP) END"
)


def _durations() -> dict[str, str]:
    """SQL of the interval that an integer ``:x`` is which counts a unit. Intervals have microseconds."""
    written = {f"duration.{unit}": f"TO_MICROSECONDS(:x * {n})" for unit, n in (("s", 10**6), ("ms", 1000), ("us", 1))}
    written["duration.ns"] = (
        "CASE WHEN :x % 1000 <> 0 THEN CAST(ERROR('a duration must be a whole microsecond: ' || CAST(:x AS TEXT) || "
        "' ns') AS INTERVAL) ELSE TO_MICROSECONDS(:x // 1000) END"
    )
    return written


def _roundings() -> dict[str, str]:
    """SQL of ``round(x, n)`` and ``round_even(x, n)`` of a float ``:x``, in operations that IEEE 754 defines.

    DuckDB 2.0.0 computes its own functions in this way, 2.0.1 in another. ``places`` and ``tens`` are for a literal n,
    positive or negative, of which ``:power`` is the power of ten; ``by`` is for any other n, ``:places``. ``unsure`` is
    for an ``:x`` whose type only the engine knows: where that is no float, it gives ``:same``, the call as written.
    """
    power = "CAST('1e' || CAST(ABS(:places) AS TEXT) AS DOUBLE)"
    written = {}
    for name, whole in (("round", "ROUND({})"), ("round_even", "ROUND_EVEN({}, 0)")):
        places = f"ISINF(:x * :power) THEN :x ELSE {whole.format(':x * :power')} / :power END"
        tens = f"{whole.format(':x / :power')} * :power"
        by = f"CASE WHEN :places < 0 THEN {tens} WHEN {places}".replace(":power", power)
        for form, double in (("places", f"CASE WHEN {places}"), ("tens", tens), ("by", by)):
            single = double.replace(":x", "CAST(:x AS DOUBLE)")
            unsure = f"CASE WHEN TYPEOF(:x) IN ('DOUBLE', 'FLOAT') THEN CAST_TO_TYPE({single}, :same) ELSE :same END"
            written[f"{name}.{form}.double"] = double
            written[f"{name}.{form}.float"] = f"CAST({single} AS FLOAT)"
            written[f"{name}.{form}.unsure"] = unsure
    return written


DUCKDB = Dialect(
    name="duckdb",
    sqlglot="duckdb",
    snippets={
        "instant.timestamp": ":x",
        "instant.timestamptz": ":x AT TIME ZONE 'UTC'",
        "instant.date": "CAST(:x AS TIMESTAMP)",
        "instant.text": "CAST(:x AS TIMESTAMPTZ) AT TIME ZONE 'UTC'",
        "instant.other": _NANOSECONDS,
        **_durations(),
        "try_instant": "TRY_CAST(:x AS TIMESTAMPTZ) AT TIME ZONE 'UTC'",
        "try_cast": "TRY_CAST(:x AS :type)",
        "from_zone": ":x AT TIME ZONE :zone AT TIME ZONE 'UTC'",
        "from_microseconds": "MAKE_TIMESTAMP(:x)",
        "date_trunc": "DATE_TRUNC(:unit, :x)",
        "wall": ":t AT TIME ZONE 'UTC' AT TIME ZONE :zone",
        "literal": "CAST(:x AS TIMESTAMP)",
        "bound.timestamp": "CAST(:x AS TIMESTAMP)",
        "bound.timestamptz": "CAST(:aware AS TIMESTAMPTZ)",
        "bound.date": "CAST(:x AS TIMESTAMP)",
        "microseconds": "EPOCH_US(:x)",
        "whole_division": ":x // :y",
        "row_number": "ROW_NUMBER() OVER ()",
        "shuffled": "HASH(:x, :seed)",
        "list_has": "LIST_CONTAINS(:list, :x)",
        "list_distinct": "LIST_DISTINCT([:x])",
        "each_of": "UNNEST(:list)",
        "place_of_each": "UNNEST(RANGE(1, LEN(:list) + 1))",
        "list_by_place": "LIST(:x ORDER BY :place)",
        "keys_of_list": "CASE WHEN LEN(:list) > :most THEN ERROR(:before || LEN(:list) || :after) ELSE :list END",
        "list_for_keys": "CASE WHEN :list IS NULL THEN NULL WHEN LEN(:list) = 0 THEN [] ELSE :x END",
        "matches": "REGEXP_MATCHES(:x, :pattern)",
        "raise": "CASE WHEN :condition THEN ERROR(:message) ELSE TRUE END",
        "is_odd_float": "NOT ISFINITE(:x)",
        **_roundings(),
        "list_sum.double": EXACT_LIST_SUM,
        "list_contains": "CASE WHEN LEN(:list) = 0 THEN FALSE ELSE :x END",
        "unsigned": "LIST_TRANSFORM(:x, LAMBDA z_ : z_ + 0e0)",
        # DuckDB 2.0.0 converts some large HUGEINTs to other doubles than the nearest; text becomes the nearest.
        "as_double": _AS_DOUBLE,
        # A time outside the years 1 to 9999 is an error at both ends.
        "in_years.date": _IN_YEARS.format("DATE"),
        "in_years.timestamp": _IN_YEARS.format("TIMESTAMP"),
    },
    plans=PlanRules(
        forms=("cascade", "asof", "range", "union"),
        window_forms=("pairs", "bands", "tiles", "sorted"),
        tiled_rows=250,
        scans_for_keys=True,
        wide=100,
    ),
    aggregates=AggregateRules(
        templates={
            "count": "COUNT(:x)",
            "count_distinct": "COUNT(DISTINCT :x)",
            "sum": "SUM(:x)",
            "min": "MIN(:x)",
            "max": "MAX(:x)",
            "min.float": f"MIN({_UNSIGNED})",
            "max.float": f"MAX({_UNSIGNED})",
            "bool_and": "BOOL_AND(:x)",
            "bool_or": "BOOL_OR(:x)",
            "first": "FIRST(:x ORDER BY :order)",
            "last": "LAST(:x ORDER BY :order)",
            "list": "LIST(:x ORDER BY :order)",
            "list_distinct": "LIST(DISTINCT :x ORDER BY :x)",
            "list_distinct.float": f"LIST(DISTINCT {_UNSIGNED} ORDER BY {_UNSIGNED})",
            "mode": "MODE(:x ORDER BY :x)",  # of equally frequent ones the first in order
            "mode.float": f"MODE({_UNSIGNED} ORDER BY {_UNSIGNED})",
            **dict.fromkeys(("histogram", "top_k"), "HISTOGRAM(:x)"),
            **dict.fromkeys(("histogram.float", "top_k.float"), f"HISTOGRAM({_UNSIGNED})"),
            **dict.fromkeys(("last_k", "first_k", "arg_min_k", "arg_max_k"), "LIST(:x ORDER BY :order)"),
            "min_k": "LIST(:x ORDER BY :x)",
            "max_k": "LIST(:x ORDER BY :x DESC)",
            "min_k.float": f"LIST({_UNSIGNED} ORDER BY {_UNSIGNED})",
            "max_k.float": f"LIST({_UNSIGNED} ORDER BY {_UNSIGNED} DESC)",
            "entropy": "ENTROPY(:x)",
            "entropy.float": f"ENTROPY({_UNSIGNED})",
            "string_agg.text": "STRING_AGG(:x, :separator ORDER BY :order)",
            "sorted.first": "LIST(:x ORDER BY :order)",  # with OVER, FIRST and LAST take no FILTER
            "sorted.last": "LIST(:x ORDER BY :order)",
            **{f"{name}.double": f"{name.upper()}(:x ORDER BY :order)" for name in ("first", "last")},
            **dict.fromkeys(("sorted.first.double", "sorted.last.double"), "LIST(:x ORDER BY :order)"),
            **{f"{name}.{kind}": "LIST(:x ORDER BY :order)" for name in ("first", "last") for kind in _SIGNS_LOST},
            "median": "MEDIAN(:x)",
            "median.float": f"MEDIAN({_UNSIGNED})",
            "median.hugeint": f"MEDIAN({_AS_DOUBLE})",
            "quantile_cont": "QUANTILE_CONT(:x, :share)",
            "quantile_cont.float": f"QUANTILE_CONT({_UNSIGNED}, :share)",
            "quantile_cont.hugeint": f"QUANTILE_CONT({_AS_DOUBLE}, :share)",
            "quantile_disc": "QUANTILE_DISC(:x, :share)",
            "quantile_disc.float": f"QUANTILE_DISC({_UNSIGNED}, :share)",
            **dict.fromkeys((*_VARIANCES, *moments()), "LIST(CAST(:x AS DOUBLE) ORDER BY :order)"),
            **dict.fromkeys(pair_moments(), "LIST({'y': CAST(:x AS DOUBLE), 'x': CAST(:y AS DOUBLE)} ORDER BY :order)"),
        },
        finalizers={
            # By two passes over the values in order, around the middle one: it is within a deviation of the mean, so
            # nothing cancels, and equal numbers do not vary at all.
            name: bind("l", ":value", text)
            for name, text in {**_VARIANCES, **moments(), **pair_moments()}.items()
        }
        | dict.fromkeys(("histogram", "histogram.float"), "MAP_ENTRIES(:value)")
        | dict.fromkeys(("top_k", "top_k.float"), _TOP_K)
        | {"last_k": "LIST_SLICE(:value, -:k, -1)"}
        | dict.fromkeys(
            ("first_k", "arg_min_k", "arg_max_k", "min_k", "max_k", "min_k.float", "max_k.float"),
            "LIST_SLICE(:value, 1, :k)",
        )
        | {
            f"{form}{name}{kind}": f"LIST_EXTRACT(:value, {place})"
            for name, place in (("first", 1), ("last", -1))
            for form, kind in (("sorted.", ""), ("sorted.", ".double"), *(("", f".{kind}") for kind in _SIGNS_LOST))
        },
        order={
            "float": (":x", "NOT SIGNBIT(:x)"),  # -0.0 equals 0.0, and is not the same value
            "list": (":x", "CAST(:x AS VARCHAR)"),
            "struct": (":x", "CAST(:x AS VARCHAR)"),
        },
    ),
    exact_sums=EXACT_SUMS,
    names=NameRules(quotes_all=False, own_schema="main"),
    ctes=CteRules(pins_ctes=True),
    relations=RelationRules(
        tables_in_order=True,
        readers={
            ".parquet": "read_parquet",
            ".csv": "read_csv",
            ".parq": "read_parquet",
            ".csv.gz": "read_csv",
            ".csv.zst": "read_csv",
            ".tsv": "read_csv",
            ".tsv.gz": "read_csv",
            ".json": "read_json",
            ".json.gz": "read_json",
            ".jsonl": "read_json",
            ".jsonl.gz": "read_json",
            ".ndjson": "read_json",
            ".ndjson.gz": "read_json",
        },
        values_name_columns=True,
    ),
    head=False,
    session=(
        "set TimeZone = 'UTC'",
        "set default_null_order = 'nulls_last'",
        "set default_order = 'asc'",
        "set default_collation = ''",
        "set preserve_insertion_order = true",
    ),
)

# An as-of join makes every hash join of its statement spill under a memory limit, whatever the limit is (DuckDB 2.0).
_FORMS = tuple(form for form in DUCKDB.plans.forms if form != "asof")


def under_a_limit(memory: int) -> Dialect:
    """The dialect of a session that may use so many bytes."""
    return replace(DUCKDB, plans=replace(DUCKDB.plans, forms=_FORMS, memory=memory))
