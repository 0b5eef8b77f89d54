"""The aggregates of trailing windows on Spark, over sorted arrays if its own differ from DuckDB's in the last bit."""

from __future__ import annotations

_UNSIGNED = "CASE WHEN :x = 0D THEN 0D ELSE :x END"
_SORTED = "SORT_ARRAY(:value)"

# Kahan sums over the sorted values, of the differences from the middle one.
_MIDDLE = "l[(SIZE(l) + 1) DIV 2 - 1]"


def _sum(term: str) -> str:
    """SQL for the compensated sum of a term over the values x of the array l."""
    y = f"({term} - s.c)"
    return (
        "AGGREGATE(l, NAMED_STRUCT('s', 0D, 'c', 0D), "
        f"(s, x) -> NAMED_STRUCT('s', s.s + {y}, 'c', ((s.s + {y}) - s.s) - {y}), s -> s.s)"
    )


_FAR = f"(x - {_MIDDLE})"
_DEVIATION = f"GREATEST(0D, {_sum(f'{_FAR} * {_FAR}')} - POW({_sum(_FAR)}, 2D) / SIZE(l))"
_VARIANCES = {
    "var_pop": f"{_DEVIATION} / SIZE(l)",
    "var_samp": f"CASE WHEN SIZE(l) > 1 THEN {_DEVIATION} / (SIZE(l) - 1) END",
    "stddev_pop": f"SQRT({_DEVIATION} / SIZE(l))",
    "stddev_samp": f"SQRT(CASE WHEN SIZE(l) > 1 THEN {_DEVIATION} / (SIZE(l) - 1) END)",
}


def with_list(value: str, body: str) -> str:
    """SQL for ``body``, in which l is the array; NULL if the array is empty."""
    return f"TRY_ELEMENT_AT(TRANSFORM(FILTER(ARRAY({value}), l -> SIZE(l) > 0), l -> {body}), 1)"


# The point between two neighbours, the first product fused into the sum: both roundings are put back (Dekker, Knuth).
_SPLITTER = "134217729D"


def _high(x: str) -> str:
    return f"({_SPLITTER} * {x} - ({_SPLITTER} * {x} - {x}))"


_HA, _HB = _high("p.a"), _high("p.b")
_LOST = (
    f"((({_HA} * {_HB} - p.a * p.b) + {_HA} * (p.b - {_HB})) + (p.a - {_HA}) * {_HB}) + (p.a - {_HA}) * (p.b - {_HB})"
)
_S = "(p.a * p.b + p.c)"
_TWO = f"((p.a * p.b - ({_S} - ({_S} - p.a * p.b))) + (p.c - ({_S} - p.a * p.b)))"
_BETWEEN = f"CASE WHEN ABS({_S}) < 1e290D AND ABS(p.a) < 1e290D THEN {_S} + ({_TWO} + ({_LOST})) ELSE {_S} END"
_PLACE = "((SIZE(l) - 1) * CAST(:share AS DOUBLE))"
_BELOW = f"l[CAST(FLOOR({_PLACE}) AS INT)]"
_ABOVE = f"l[CAST(CEIL({_PLACE}) AS INT)]"
_SHARE = f"({_PLACE} - FLOOR({_PLACE}))"
_CONT = (
    f"CASE WHEN {_SHARE} = 0D THEN {_BELOW} ELSE "
    f"TRANSFORM(ARRAY(NAMED_STRUCT('a', {_BELOW}, 'b', 1D - {_SHARE}, 'c', {_ABOVE} * {_SHARE})), "
    f"p -> {_BETWEEN})[0] END"
)
# 0.9 is nine tenths: the share is a decimal.
DISCRETE = "l[CAST(GREATEST(1, CEIL(CAST(:share AS DECIMAL(18, 17)) * SIZE(l))) AS INT) - 1]"

_MODAL = ("integer", "decimal", "text", "boolean", "date", "timestamp", "timestamptz")
_VALUES = "COLLECT_LIST(:x)"
_DOUBLES = "COLLECT_LIST(CASE WHEN :x = 0 THEN 0D ELSE CAST(:x AS DOUBLE) END)"

AGGREGATES = {
    "count": "COUNT(:x)",
    "count_distinct": "COUNT(DISTINCT :x)",
    "sum": "SUM(:x)",
    "sum.part": "SUM(:x)",
    "sum.integer": "SUM(CAST(:x AS DECIMAL(38, 0)))",
    "sum.boolean": "SUM(CAST(:x AS DECIMAL(38, 0)))",
    "min": "MIN(:x)",
    "max": "MAX(:x)",
    "min.float": f"MIN({_UNSIGNED})",
    "max.float": f"MAX({_UNSIGNED})",
    "bool_and": "BOOL_AND(:x)",
    "bool_or": "BOOL_OR(:x)",
    "first": "MIN_BY(:x, STRUCT(:key))",
    "last": "MAX_BY(:x, STRUCT(:key))",
    "list": "COLLECT_LIST(STRUCT(STRUCT(:key) AS k, :x AS x))",
    "list_distinct": _VALUES,
    "list_distinct.float": f"COLLECT_LIST({_UNSIGNED})",
    **{f"mode.{kind}": "MODE(:x, TRUE)" for kind in _MODAL},
    "string_agg.text": "COLLECT_LIST(STRUCT(STRUCT(:key) AS k, :x AS x))",
    "arg_max": "MAX_BY(:x, STRUCT(:y, :key))",
    "arg_min": "COLLECT_LIST(STRUCT(:y AS y, STRUCT(:key) AS k, :x AS x))",
    **{f"{name}.{kind}": _DOUBLES for name in ("median", "quantile_cont") for kind in ("integer", "float")},
    "median.text": _VALUES,
    "median.boolean": _VALUES,
    "median.blob": _VALUES,
    "quantile_disc": _VALUES,
    "quantile_disc.float": f"COLLECT_LIST({_UNSIGNED})",
    **dict.fromkeys(_VARIANCES, "COLLECT_LIST(CAST(:x AS DOUBLE))"),
}
FINALIZERS = {
    "list": with_list(_SORTED, "TRANSFORM(l, e -> e.x)"),
    **dict.fromkeys(("list_distinct", "list_distinct.float"), with_list("SORT_ARRAY(ARRAY_DISTINCT(:value))", "l")),
    "string_agg.text": with_list(_SORTED, "ARRAY_JOIN(TRANSFORM(l, e -> e.x), :separator)"),
    "arg_min": with_list(_SORTED, "ELEMENT_AT(FILTER(l, e -> e.y <=> l[0].y), -1).x"),
    **dict.fromkeys(("median.integer", "median.float"), with_list(_SORTED, _CONT.replace(":share", "0.5"))),
    **{f"median.{kind}": with_list(_SORTED, DISCRETE.replace(":share", "0.5")) for kind in ("text", "boolean", "blob")},
    **dict.fromkeys(("quantile_cont.integer", "quantile_cont.float"), with_list(_SORTED, _CONT)),
    "quantile_disc": with_list(_SORTED, DISCRETE),
    "quantile_disc.float": with_list(_SORTED, DISCRETE),
    **{name: with_list(_SORTED, text) for name, text in _VARIANCES.items()},
}
ORDER = {
    # -0.0 equals 0.0, and is not the same value.
    "float": (":x", "NOT (:x = 0D AND STARTSWITH(CAST(:x AS STRING), '-'))"),
    "list": ("TRANSFORM(:x, e -> STRUCT(e IS NULL, e))", "CAST(:x AS STRING)"),  # a NULL among values is the greatest
    "struct": (":x", "CAST(:x AS STRING)"),
}
