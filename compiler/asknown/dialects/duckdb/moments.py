"""SQL of skewness, kurtosis, covariance, correlation and regression over a list of the values in a window.

DuckDB's own functions add raw powers, which cancel where the values are far from zero, and give NaN where nothing
varies. Here a result needs two passes and agrees with the online table's to 1e-12; what divides by zero is NULL.
"""

from __future__ import annotations

_POWERS = {"two": 2, "three": 3, "four": 4}


def bind(name: str, value: str, text: str) -> str:
    """SQL of ``text`` in which ``name`` is ``value``, computed once."""
    return f"LIST_EXTRACT(LIST_TRANSFORM([{value}], LAMBDA {name} : {text}), 1)"


def _fsum(over: str, term: str) -> str:
    """SQL of the sum of ``term``, in which ``x`` is an item of the list ``over``."""
    return f"LIST_AGGREGATE(LIST_TRANSFORM({over}, LAMBDA x : {term}), 'fsum')"


def _field(of: str, name: str) -> str:
    return f"STRUCT_EXTRACT({of}, '{name}')"


def _sum(name: str) -> str:
    """A sum in the struct ``m``; NaN where it is infinite, as in Python."""
    return f"({_field('m', name)} + 0e0 * {_field('m', name)})"


def moments() -> dict[str, str]:
    """SQL of the moments of a list ``l``.

    Distances are taken from the first item, and then from their own mean: nothing cancels, and equal numbers do not
    vary at all.
    """
    shift = f"{_fsum('l', 'x - l[1]')} / LEN(l)"
    distances = f"LIST_TRANSFORM(l, LAMBDA x : x - l[1] - {_field('c', 'shift')})"
    powers = ", ".join(f"'{name}': {_fsum('a', ' * '.join('x' * power))} / LEN(a)" for name, power in _POWERS.items())
    n, two, three, four = "LEN(l)", *map(_sum, _POWERS)
    excess = f"({four} / ({two} * {two}) - 3e0)"
    written = {
        "skewness": (3, f"SQRT({n} * ({n} - 1)) / ({n} - 2) * ({three} / POW({two}, 1.5e0))"),
        "kurtosis": (4, f"({n} - 1) / (({n} - 2) * ({n} - 3)) * (({n} + 1) * {excess} + 6e0)"),
        "kurtosis_pop": (2, excess),
    }
    found = {}
    for name, (least, text) in written.items():
        value = f"CASE WHEN LEN(l) >= {least} AND {two} <> 0 THEN {text} END"
        inner = bind("a", distances, bind("m", f"{{{powers}}}", value))
        found[name] = bind("c", f"{{'shift': {shift}}}", inner)
    return found


def pair_moments() -> dict[str, str]:
    """The same of a list ``l`` of pairs of ``y`` and ``x``."""
    first = {name: _field("l[1]", name) for name in ("y", "x")}
    from_first = {name: f"{_field('x', name)} - {first[name]}" for name in first}
    shifts = ", ".join(f"'{name}': {_fsum('l', from_first[name])} / LEN(l)" for name in first)
    y, x = (f"({from_first[name]} - {_field('c', name)})" for name in first)
    products = {"xx": (x, x), "yy": (y, y), "xy": (x, y)}
    sums = ", ".join(f"'{name}': {_fsum('l', f'{one} * {other}')}" for name, (one, other) in products.items())
    xx, yy = _sum("xx"), _sum("yy")
    mean_y, mean_x = (f"({first[name]} + {_field('c', name)})" for name in first)
    xy, spread = _sum("xy"), f"(SQRT({xx}) * SQRT({yy}))"
    slope = f"{xy} / {xx}"
    written = {
        "regr_slope": f"CASE WHEN {xx} <> 0 THEN {slope} END",
        "regr_intercept": f"CASE WHEN {xx} <> 0 THEN {mean_y} - {slope} * {mean_x} END",
        "corr": f"CASE WHEN {spread} <> 0 THEN {xy} / {spread} END",
        "covar_pop": f"{xy} / LEN(l)",
        "covar_samp": f"CASE WHEN LEN(l) > 1 THEN {xy} / (LEN(l) - 1) END",
    }
    return {name: bind("c", f"{{{shifts}}}", bind("m", f"{{{sums}}}", text)) for name, text in written.items()}
