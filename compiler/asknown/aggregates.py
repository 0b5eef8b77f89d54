"""The aggregates that a trailing window may use: a table of facts, one entry each (rules 4 and 5).

An aggregate is supported if it gives exactly the same result in the training query and in the online table. Aggregates
that depend on the order in which rows are read are refused, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from asknown.types import Kind, SqlType, parse_type

Arguments = Literal[
    "none",
    "condition",
    "value",
    "value and order",
    "value and value",
    "value and number",
    "value and text",
    "value and count",
    "value, order and count",
]
"""The form of the arguments: ``count(*)``, ``count_if(x > 0)``, ``sum(x)``, ``arg_max(x, y)``, ``corr(y, x)``,
``quantile_cont(x, 0.9)``, ``string_agg(x, ', ')``, ``max(x, 3)``, ``arg_max(x, y, 3)``."""

State = Literal["count", "sum", "extreme", "flags", "counts", "ordered", "values"]
"""The part of the rows that must be kept to finish the aggregate.

``count``: a number; ``sum``: an exact sum and a count; ``extreme``: one value; ``flags``: which truth values occurred.
These four are of fixed size and merge, so parts of a window can be added up first. ``counts``: each value with its
number of rows; ``ordered``: a few values or numbers of an older part, which merge with those of a newer part.
``values``: every value. A query keeps every value for the last three, and the online table for the last one alone.
"""

Result = Literal["BIGINT", "DOUBLE", "BOOLEAN", "value", "sum"]


@dataclass(frozen=True)
class Aggregate:
    """One aggregate. ``empty`` is its value over no rows; all others are NULL.

    ``kinds`` are those of the values that it takes online. ``result`` says of which kind its result is: ``value``, of
    the values'; ``sum``, of theirs too, but BIGINT for booleans; else a type. ``family`` names the partial state from
    which it can be finished, and ``finalizer`` the function of :mod:`asknown.values.aggregates` that finishes it.
    ``ordered`` aggregates depend on the order of the values. ``sql`` begins with DuckDB's name.
    """

    name: str
    sql: tuple[str, ...]  # the spellings that are read as this aggregate, in lower case
    arguments: Arguments
    state: State
    kinds: frozenset[Kind]
    result: Result | None = None
    family: str | None = None
    finalizer: str = ""
    empty: float | None = None
    distinct: bool = False  # whether DISTINCT inside the parentheses changes anything
    exact: bool = True  # False: equal to 1e-12 relative, computed stably
    ordered: bool = False
    inside: str | None = (
        None  # the expression, in DuckDB's SQL, that must stand around the window ``:w``; ``:k`` a number
    )

    @property
    def merges(self) -> bool:
        """Whether a query adds up the states of parts of a window in any order."""
        return self.state not in ("counts", "ordered", "values")

    @property
    def paired(self) -> bool:
        """Whether the aggregate is of two columns."""
        return self.arguments in ("value and order", "value and value", "value, order and count")

    @property
    def arity(self) -> int:
        """The number of arguments that a call has; ``count(*)`` has none or one."""
        if self.arguments == "value, order and count":
            return 3
        return 2 if self.arguments.startswith("value and") else 1

    @property
    def counts_whole(self) -> bool:
        """Whether the result over integers is a whole number that the engine may give in 128 bits (rule 7)."""
        return self.result in ("BIGINT", "sum")

    def refuses(self, kind: SqlType | None, second: SqlType | None = None) -> str | None:
        """Why this aggregate over values of this type cannot be computed online, or None where it can.

        ``second`` is the type of the second column, where there are two.
        """
        if kind is None:
            return None
        if self.arguments == "value and value" and second is not None and second.kind not in self.kinds:
            return f"{self.name}() with a {second} is not supported online"
        if self.name in ("sum", "avg") and kind.name == "UHUGEINT":
            return f"{self.name}() of a UHUGEINT is not exact in the training query: cast it to HUGEINT"
        if kind.kind not in self.kinds:
            return f"{self.name}() of a {kind} is not supported online"
        if self.name in ("median", "quantile_cont") and (kind.name == "FLOAT" or kind.kind == "decimal"):
            return f"{self.name}() of a {kind} rounds as only this engine does: cast it to DOUBLE"
        return None

    def result_type(self, value: SqlType | None) -> SqlType | None:
        """A type of the kind that the result over values of this type has, where that is plain."""
        match self.result:
            case None:
                return None
            case "value":
                return value
            case "sum":
                return parse_type("BIGINT") if value is not None and value.kind == "boolean" else value
            case named:
                return parse_type(named)


_ANY: frozenset[Kind] = frozenset(get_args(Kind))
_FLAT: frozenset[Kind] = _ANY - {"list", "struct", "other"}
_NUMBERS: frozenset[Kind] = frozenset({"integer", "decimal", "float"})
_FLAGS: frozenset[Kind] = frozenset({"boolean"})
_TEXT: frozenset[Kind] = frozenset({"text"})
_MIDDLES: frozenset[Kind] = _NUMBERS | {"text", "boolean", "uuid", "blob"}
_TOP_K = (  # the macro top_k writes this
    "list_transform(list_sort(list_transform(map_entries(:w), "
    "lambda p_: {'n': -cast(p_.value as bigint), 'v': p_.key}))[1::k], lambda q_: q_.v)"
)

_ROWS = (
    Aggregate("count", ("count", "count_star"), "none", "count", _ANY, "BIGINT", "count", "count", empty=0),
    Aggregate("count_if", ("count_if", "countif"), "condition", "count", _ANY, "BIGINT", "count", "count", empty=0),
    Aggregate(
        "count_distinct",
        ("count",),
        "value",
        "counts",
        _FLAT,
        family="counts",
        finalizer="count_distinct",
        empty=0,
        distinct=True,
    ),
    Aggregate("sum", ("sum",), "value", "sum", _NUMBERS | _FLAGS, "sum", "sum", "sum"),
    Aggregate("avg", ("avg", "mean"), "value", "sum", _NUMBERS, "DOUBLE", "sum", "avg"),
    Aggregate("min", ("min",), "value", "extreme", _FLAT, "value", "min", "min"),
    Aggregate("max", ("max",), "value", "extreme", _FLAT, "value", "max", "max"),
    Aggregate("bool_and", ("bool_and",), "value", "flags", _FLAGS, "BOOLEAN", "bool_and", "bool_and"),
    Aggregate("bool_or", ("bool_or",), "value", "flags", _FLAGS, "BOOLEAN", "bool_or", "bool_or"),
    Aggregate(
        "stddev_samp", ("stddev_samp", "stddev"), "value", "values", _NUMBERS, finalizer="stddev_samp", exact=False
    ),
    Aggregate("stddev_pop", ("stddev_pop",), "value", "values", _NUMBERS, finalizer="stddev_pop", exact=False),
    Aggregate("var_samp", ("var_samp", "variance"), "value", "values", _NUMBERS, finalizer="var_samp", exact=False),
    Aggregate("var_pop", ("var_pop",), "value", "values", _NUMBERS, finalizer="var_pop", exact=False),
    Aggregate("first", ("first", "first_value"), "value", "ordered", _ANY, "value", "first", "first", ordered=True),
    Aggregate("last", ("last", "last_value"), "value", "ordered", _ANY, "value", "last", "last", ordered=True),
    Aggregate(
        "arg_min", ("arg_min", "min_by", "argmin"), "value and order", "ordered", _ANY, "value", "arg_min", "arg_min"
    ),
    Aggregate(
        "arg_max", ("arg_max", "max_by", "argmax"), "value and order", "ordered", _ANY, "value", "arg_max", "arg_max"
    ),
    *(
        Aggregate(f"{name}_k", (name,), "value and count", "ordered", _FLAT, family=f"{name}_k", finalizer=f"{name}_k")
        for name in ("min", "max")
    ),
    *(
        Aggregate(name, sql, "value, order and count", "ordered", _ANY, family=name, finalizer=name)
        for name, sql in (
            ("arg_min_k", ("arg_min", "min_by", "argmin")),
            ("arg_max_k", ("arg_max", "max_by", "argmax")),
        )
    ),
    Aggregate("median", ("median",), "value", "values", _MIDDLES, finalizer="median"),
    Aggregate(
        "quantile_cont",
        ("quantile_cont", "percentile_cont"),
        "value and number",
        "values",
        _NUMBERS,
        finalizer="quantile_cont",
    ),
    Aggregate(
        "quantile_disc",
        ("quantile_disc", "percentile_disc", "quantile"),
        "value and number",
        "values",
        _FLAT,
        "value",
        finalizer="quantile_disc",
    ),
    Aggregate("list", ("list", "array_agg"), "value", "values", _ANY, finalizer="list", ordered=True),
    Aggregate(
        "list_distinct",
        ("list", "array_agg"),
        "value",
        "counts",
        _FLAT,
        family="counts",
        finalizer="list_distinct",
        distinct=True,
    ),
    *(
        Aggregate(
            name,
            ("list", "array_agg"),
            "value",
            "ordered",
            _ANY,
            family=name,
            finalizer=name,
            ordered=True,
            inside=inside,
        )
        for name, inside in (("last_k", "(:w)[-:k:]"), ("first_k", "(:w)[1::k]"))
    ),
    *(
        Aggregate(name, ("histogram",), "value", "counts", _FLAT, family="counts", finalizer=name, inside=inside)
        for name, inside in (("top_k", _TOP_K), ("histogram", "map_entries(:w)"))
    ),
    Aggregate("mode", ("mode",), "value", "counts", _FLAT, "value", "counts", "mode"),
    Aggregate("entropy", ("entropy",), "value", "counts", _FLAT, "DOUBLE", "counts", "entropy", 0.0, exact=False),
    Aggregate(
        "string_agg",
        ("string_agg", "listagg", "group_concat"),
        "value and text",
        "values",
        _TEXT,
        "value",
        finalizer="string_agg",
        ordered=True,
    ),
    *(
        Aggregate(name, (name,), "value and value", "values", _NUMBERS, "DOUBLE", finalizer=name, exact=False)
        for name in ("regr_slope", "regr_intercept", "corr", "covar_pop", "covar_samp")
    ),
    *(
        Aggregate(name, (name,), "value", "values", _NUMBERS, "DOUBLE", finalizer=name, exact=False)
        for name in ("skewness", "kurtosis", "kurtosis_pop")
    ),
)

AGGREGATES: dict[str, Aggregate] = {aggregate.name: aggregate for aggregate in _ROWS}

RECOGNIZED: dict[str, Aggregate] = {
    name: Aggregate(name, (), "value", "ordered", kinds, family=family, finalizer=name, ordered=True)
    for name, kinds, family in (
        ("streak", _FLAGS, "runs"),
        ("longest_streak", _FLAGS, "runs"),
        ("since", _FLAGS, "runs"),
        ("drawdown", frozenset[Kind]({"float"}), "drawdown"),
        ("session", frozenset[Kind]({"timestamp"}), "session"),
        ("last_distinct", _FLAT, "last_distinct"),
    )
}
"""The aggregates that no one writes: expressions around a list, which the online table computes from a small state."""


def find_aggregate(name: str) -> Aggregate:
    """The aggregate of a call that the online table stores."""
    return AGGREGATES.get(name) or RECOGNIZED[name]


REFUSED: dict[str, str] = {
    "approx_count_distinct": "it is an approximation, and engines differ: write count(distinct …), which is exact",
    "approx_quantile": "its result depends on the order in which rows are merged: write quantile_cont(…, …)",
    "any_value": "it may return any of the values: write first(…), last(…), min(…) or max(…)",
    "arbitrary": "it may return any of the values: write first(…), last(…), min(…) or max(…)",
    "fsum": "sum(…) over floats is correctly rounded already",
    "favg": "avg(…) over floats is correctly rounded already",
    "kahan_sum": "sum(…) over floats is correctly rounded already",
    "product": "its result depends on the order of multiplication",
}
"""Aggregates that are not supported in a trailing window, and why or what to write instead."""
