"""The aggregates of trailing windows on ClickHouse, over arrays if its own differ from DuckDB's in the last bit."""

from __future__ import annotations


def let(name: str, value: str, body: str) -> str:
    """SQL for ``body`` in which ``name`` stands for ``value``, by a lambda, because ClickHouse has no LET.

    Names begin with ``l_``: a lambda's ``m`` would hide the table ``m``.
    """
    return f"arrayMap({name} -> {body}, [{value}])[1]"


def lets(values: dict[str, str], body: str) -> str:
    """SQL for ``body`` with several names. A value may use the names before it."""
    for name, value in reversed(values.items()):
        body = let(name, value, body)
    return body


def lets_of(values: dict[str, str], body: str) -> str:
    """SQL for ``body`` with names for values that use none of the names, so columns may have the same names."""
    return f"arrayMap(({', '.join(values)}) -> {body}, {', '.join(f'[{value}]' for value in values.values())})[1]"


def order_of(x: str) -> str:
    """SQL for an integer that orders floats: NaN is the greatest, and -0.0 comes just before 0.0."""
    bits = f"reinterpretAsInt64(toFloat64({x}))"
    return f"multiIf(isNaN({x}), 9223372036854775807, {bits} < 0, bitXor({bits}, 9223372036854775807), {bits})"


UNSIGNED = "if(:x = 0, 0, :x)"  # a zero without its sign; a Float32 stays one


# a * b + c, rounded once: the product's own rounding error is computed, and the three are added by rounding to odd
# (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums").
def _split(x: str) -> str:
    return f"{x} * 134217729 - ({x} * 134217729 - {x})"


def _two_sum(x: str, y: str, name: str, body: str) -> str:
    """SQL for ``body`` with the rounded sum of x and y (``name`` + s) and its rounding error (``name`` + e)."""
    total = f"{name}s"
    lost = f"({x} - ({total} - ({total} - {x}))) + ({y} - ({total} - {x}))"
    return lets({total: f"{x} + {y}", f"{name}e": lost}, body)


def _fused(a: str, b: str, c: str) -> str:
    odd = (
        "if(l_ze = 0 OR bitAnd(reinterpretAsInt64(l_zs), 1) = 1, l_zs, "
        "reinterpretAsFloat64(reinterpretAsInt64(l_zs) + if((l_ze > 0) = (l_zs > 0), 1, -1)))"
    )
    body = _two_sum("l_te", "l_ve", "l_z", f"l_vs + {odd}")
    body = _two_sum("l_c", "l_pe", "l_t", _two_sum("l_p", "l_ts", "l_v", body))
    error = "((l_ah * l_bh - l_p) + l_ah * (l_b - l_bh) + (l_a - l_ah) * l_bh) + (l_a - l_ah) * (l_b - l_bh)"
    halves = {"l_ah": _split("l_a"), "l_bh": _split("l_b")}
    return lets({"l_a": a, "l_b": b, "l_c": c, "l_p": "l_a * l_b", **halves, "l_pe": error}, body)


_PLAIN_BLEND = "l_low * (1 - l_w) + l_high * l_w"
_BLEND = (
    "if(l_w = 0, l_low + 0., if(NOT isFinite(l_low) OR NOT isFinite(l_high * l_w) OR abs(l_low) > 1e290, "
    f"{_PLAIN_BLEND}, {_fused('l_low', '(1 - l_w)', '(l_high * l_w)')}))"
)


def continuous(share: str, values: str = ":value") -> str:
    """SQL for the continuous quantile ``share`` of a sorted array, interpolated with a fused multiply-add."""
    parts = {
        "l_s": f"arraySort({values})",
        "l_place": f"(toFloat64(length(l_s)) - 1) * {share}",
        "l_w": "l_place - floor(l_place)",
        "l_low": "toFloat64(l_s[toInt64(floor(l_place)) + 1])",
        "l_high": "toFloat64(l_s[toInt64(ceil(l_place)) + 1])",
    }
    return f"if(empty({values}), NULL, {lets(parts, _BLEND)})"


def discrete(share: str, values: str = ":value") -> str:
    """SQL for the discrete quantile ``share`` of a sorted array."""
    place = f"greatest(1, toInt64(ceil(toDecimal128(toString({share}), 20) * length(l_s))))"
    return f"if(empty({values}), NULL, {let('l_s', f'arraySort({values})', f'l_s[{place}]')})"


_MIDDLE = let("l_s", "arraySort(:value)", "l_s[intDiv(length(l_s) + 1, 2)]")
_DEVIATION = lets(
    {
        "l_m": _MIDDLE,
        "l_d": "arrayReduce('sumKahan', arrayMap(l_e -> (l_e - l_m) * (l_e - l_m), :value)) - "
        "pow(arrayReduce('sumKahan', arrayMap(l_e -> l_e - l_m, :value)), 2) / length(:value)",
    },
    "if(l_d < 0, 0., l_d)",
)
_POP = f"if(empty(:value), NULL, {_DEVIATION} / length(:value))"
_SAMP = f"if(length(:value) < 2, NULL, {_DEVIATION} / (length(:value) - 1))"
_LAST = "tupleElement(:value, 1)"
_LEAST = "arraySort(l_e -> l_e.1, :value)[1].1"
_OF_LEAST = let("l_y", _LEAST, "arrayFilter(l_e -> l_e.1 = l_y, :value)")
_JOINED = "arrayStringConcat(arrayMap(l_e -> assumeNotNull(l_e.2), arraySort(:value)), :separator)"

_VARIANCES = ("var_pop", "var_samp", "stddev_pop", "stddev_samp")

# ``:key`` are the terms of an order without direction, lowest first. There is no list(): an Array is never NULL.
AGGREGATES = {
    "count": "COUNT(:x)",
    "count_distinct": "COUNT(DISTINCT :x)",
    "count_distinct.float": f"COUNT(DISTINCT {UNSIGNED})",
    "sum": "SUM(toInt128(:x))",  # of integers and booleans
    "sum.decimal": "SUM(:x * toDecimal256('1', 0))",  # in 38 digits it would wrap around
    "sum.float": "SUM(:x)",
    "sum.part": "SUM(:x)",
    "min": "MIN(:x)",
    "max": "MAX(:x)",
    "min.float": f"argMin({UNSIGNED}, {order_of(UNSIGNED)})",
    "max.float": f"argMax({UNSIGNED}, {order_of(UNSIGNED)})",
    "min.uuid": "argMin(:x, toString(:x))",  # by its text: ClickHouse compares the halves the other way round
    "max.uuid": "argMax(:x, toString(:x))",
    "bool_and": "MIN(:x)",
    "bool_or": "MAX(:x)",
    "first": "argMin(tuple(:x), tuple(:key))",
    "last": "argMax(tuple(:x), tuple(:key))",
    "arg_max": "argMax(tuple(:x), tuple(:y, :key))",
    "arg_min": "groupArray(tuple(:y, tuple(:key), :x))",
    "string_agg.text": "groupArray(tuple(tuple(:key), :x))",
    **dict.fromkeys(("median.integer", "quantile_cont.integer", "quantile_disc"), "groupArray(:x)"),
    **{f"{name}.float": f"groupArray({UNSIGNED})" for name in ("median", "quantile_cont", "quantile_disc")},
    "median.text": "groupArray(:x)",
    "median.boolean": "groupArray(:x)",
    "quantile_disc.uuid": "groupArray(toString(:x))",
    **dict.fromkeys(_VARIANCES, "groupArray(toFloat64(:x))"),
}
FINALIZERS = {
    "count_distinct": "toInt64(:value)",
    "count_distinct.float": "toInt64(:value)",
    "first": _LAST,
    "last": _LAST,
    "arg_max": _LAST,
    "arg_min": f"if(empty(:value), NULL, {let('l_f', _OF_LEAST, 'arrayReverseSort(l_e -> l_e.2, l_f)[1].3')})",
    "string_agg.text": f"if(empty(:value), NULL, {_JOINED})",
    **dict.fromkeys(("median.integer", "median.float"), continuous("0.5")),
    **dict.fromkeys(("median.text", "median.boolean"), discrete("0.5")),
    **dict.fromkeys(("quantile_cont.integer", "quantile_cont.float"), continuous(":share")),
    **dict.fromkeys(("quantile_disc", "quantile_disc.float"), discrete(":share")),
    "quantile_disc.uuid": f"toUUID({discrete(':share')})",
    "var_pop": _POP,
    "var_samp": _SAMP,
    "stddev_pop": f"sqrt({_POP})",
    "stddev_samp": f"sqrt({_SAMP})",
}
ORDER = {
    "float": (order_of("if(:x = 0, 0, :x)"), order_of(":x")),
    "uuid": ("toString(:x)",),
    "list": (":x", "toString(:x)"),
    "struct": (":x", "toString(:x)"),
}
