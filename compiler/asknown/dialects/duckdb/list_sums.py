"""The exact sum of a list of doubles in DuckDB's SQL, rounded once as ``math.fsum`` rounds it (rule 5).

The sum is computed in three steps:

1. *Shorten* a long list. Doubles of usual size are cut into three whole numbers, which 128-bit integers add exactly.
   Their sums are written as doubles again. Doubles of any other size stay as they are.
2. *Add* the doubles one by one, and keep the rounding error of each addition as a further double. The result are a few
   doubles of growing size whose exact sum is that of the list (Shewchuk, 1997).
3. *Round* these few doubles once, to nearest, ties to even.

A lambda that is called with one value, ``LIST_TRANSFORM([value], LAMBDA name_ : …)``, gives a value a name. Fields are
read by ``STRUCT_EXTRACT``, because ``s_.x`` could be a column of a user's table ``s_``.
"""

from __future__ import annotations

_LEAST, _MOST = 2.0**-147, 2.0**98  # such a double is a multiple of 2^-200, and 2^29 of them fit into a part
_LARGEST = 2.0**960  # of larger doubles, the sum could be beyond a double
_FEW = 8  # doubles that are not worth the first step
_NOTHING = "CAST([] AS DOUBLE[])"


def _named(value: str, name: str, body: str) -> str:
    """SQL for ``body``, in which ``name`` is the value."""
    return f"LIST_EXTRACT(LIST_TRANSFORM([{value}], LAMBDA {name} : {body}), 1)"


def _field(struct: str, name: str) -> str:
    return f"STRUCT_EXTRACT({struct}, '{name}')"


# ---------------------------------------------------------------- shorten

_USUAL = f"(x_ = 0 OR ABS(x_) BETWEEN {_LEAST!r} AND {_MOST!r})"


def _cut() -> dict[str, str]:
    """Three whole numbers a, b and c for the double ``x_``, which is a + b / 2^100 + c / 2^200."""
    unit = repr(2.0**100)
    below = f"((x_ - TRUNC(x_)) * {unit})"
    return {"a": "TRUNC(x_)", "b": f"TRUNC({below})", "c": f"(({below} - TRUNC({below})) * {unit})"}


def _as_doubles(whole: str, power: int) -> list[str]:
    """The doubles whose sum is a 128-bit integer times 2^power."""
    high, low = f"CAST({2**84} AS HUGEINT)", f"CAST({2**42} AS HUGEINT)"
    parts = {84: f"{whole} // {high}", 42: f"({whole} % {high}) // {low}", 0: f"{whole} % {low}"}
    return [f"CAST(CAST({part} AS BIGINT) AS DOUBLE) * {2.0 ** (power + more)!r}" for more, part in parts.items()]


def _shortened() -> str:
    """SQL for a short list of doubles with the same sum as the list ``l_``."""
    sums = ", ".join(
        f"'{name}': LIST_SUM(LIST_TRANSFORM(u_, LAMBDA x_ : CAST({part} AS HUGEINT)))" for name, part in _cut().items()
    )
    doubles = [
        double
        for name, power in (("a", 0), ("b", -100), ("c", -200))
        for double in _as_doubles(_field("s_", name), power)
    ]
    usual = f"LIST_FILTER(l_, LAMBDA x_ : {_USUAL})"
    short = _named(usual, "u_", _named(f"{{{sums}}}", "s_", f"[{', '.join(doubles)}]"))
    return (
        f"CASE WHEN LEN(l_) <= {_FEW} THEN l_ ELSE LIST_CONCAT({short}, LIST_FILTER(l_, LAMBDA x_ : NOT {_USUAL})) END"
    )


# ---------------------------------------------------------------- add


def _added(doubles: str) -> str:
    """SQL for the list of a few doubles, of growing size, with the same sum as ``doubles``."""
    x, y = _field("s_", "x"), _field("q_", "x")
    total = f"({x} + {y})"
    of_y = f"({total} - {x})"
    error = f"(({x} - ({total} - {of_y})) + ({y} - {of_y}))"
    states = f"LIST_TRANSFORM(p_, LAMBDA q_ : {{'x': q_, 'errors': {_NOTHING}}})"
    step = f"{{'x': {total}, 'errors': LIST_APPEND({_field('s_', 'errors')}, {error})}}"
    one_more = _named(
        f"LIST_REDUCE({states}, LAMBDA s_, q_ : {step}, {{'x': LIST_EXTRACT(x_, 1), 'errors': {_NOTHING}}})",
        "r_",
        f"LIST_FILTER(LIST_APPEND({_field('r_', 'errors')}, {_field('r_', 'x')}), LAMBDA z_ : z_ <> 0)",
    )
    there = f"LIST_TRANSFORM(LIST_FILTER({doubles}, LAMBDA x_ : x_ <> 0), LAMBDA x_ : [x_])"
    return f"LIST_REDUCE({there}, LAMBDA p_, x_ : {one_more}, {_NOTHING})"


# ---------------------------------------------------------------- round


def _rounded(doubles: str) -> str:
    """SQL for the rounded sum of a few doubles of growing size.

    The greatest are added until an addition is not exact. ``h`` is then the sum and ``l`` the error. If the error is
    half of the last digit, the next double, ``n``, says to which side the exact sum lies.
    """
    h, low, after, y = (_field("s_", "h"), _field("s_", "l"), _field("s_", "n"), _field("y_", "h"))
    step = (
        f"CASE WHEN {low} = 0 THEN {{'h': {h} + {y}, 'l': {y} - (({h} + {y}) - {h}), 'n': 0e0}} "
        f"WHEN {after} = 0 THEN {{'h': {h}, 'l': {low}, 'n': {y}}} ELSE s_ END"
    )
    states = f"LIST_TRANSFORM(LIST_REVERSE({doubles}), LAMBDA x_ : {{'h': x_, 'l': 0e0, 'n': 0e0}})"
    h, low, after = (_field("t_", name) for name in "hln")
    same_side = f"({low} < 0 AND {after} < 0 OR {low} > 0 AND {after} > 0)"
    is_half = f"({h} + {low} * 2) - {h} = {low} * 2"
    return _named(
        f"LIST_REDUCE({states}, LAMBDA s_, y_ : {step}, {{'h': 0e0, 'l': 0e0, 'n': 0e0}})",
        "t_",
        f"CASE WHEN {same_side} AND {is_half} THEN {h} + {low} * 2 ELSE {h} END",
    )


def _sum() -> str:
    """SQL for the sum of the list ``:x``. NULLs are left out; of nothing, and of a NULL list, it is NULL."""
    smaller = f"ABS(x_) < {_LARGEST!r}"
    odd = "LIST_FILTER(l_, LAMBDA x_ : NOT ISFINITE(x_))"
    beyond = "CAST(ERROR('list_sum() of a double from 2^960 on') AS DOUBLE)"
    return _named(
        "LIST_FILTER(:x, LAMBDA x_ : NOT x_ IS NULL)",
        "l_",
        "CASE WHEN l_ IS NULL OR LEN(l_) = 0 THEN NULL "
        f"WHEN LIST_BOOL_AND(LIST_TRANSFORM(l_, LAMBDA x_ : {smaller})) THEN {_rounded(_added(_shortened()))} "
        f"WHEN LIST_BOOL_AND(LIST_TRANSFORM(l_, LAMBDA x_ : {smaller} OR NOT ISFINITE(x_))) THEN LIST_SUM({odd}) "
        f"ELSE {beyond} END",
    )


EXACT_LIST_SUM = _sum()
