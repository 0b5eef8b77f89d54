"""The aggregates that a trailing window may use: a table of facts, one entry each (rules 4 and 5).

An aggregate is offered when it means exactly the same in the training query and in the online table. What depends on
the order in which rows happen to be seen is refused, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Arguments = Literal["none", "value", "value and order", "value and number"]
"""What stands between the parentheses: ``count(*)``, ``sum(x)``, ``arg_max(x, y)``, ``quantile_cont(x, 0.9)``."""

State = Literal["count", "sum", "extreme", "flags", "values"]
"""What of the rows must be kept to finish the aggregate.

``count``: a number; ``sum``: an exact sum and a count; ``extreme``: one value; ``flags``: which truth values occurred;
``values``: every value. All but ``values`` are of fixed size and merge, so parts of a window can be added up first.
"""


@dataclass(frozen=True)
class Aggregate:
    """One aggregate. ``empty`` is its value over no rows; all others are NULL."""

    name: str
    sql: tuple[str, ...]  # the spellings that are read as this aggregate, in lower case
    arguments: Arguments
    state: State
    empty: int | None = None
    distinct: bool = False  # whether DISTINCT inside the parentheses changes anything
    exact: bool = True  # False: equal to 1e-12 relative, computed stably

    @property
    def merges(self) -> bool:
        """Whether the states of two parts of a window add up to the state of the whole."""
        return self.state != "values"

    @property
    def inverts(self) -> bool:
        """Whether the state of a part can be taken away again."""
        return self.state in ("count", "sum")


AGGREGATES: dict[str, Aggregate] = {
    aggregate.name: aggregate
    for aggregate in (
        Aggregate("count", ("count", "count_star"), "none", "count", empty=0),
        Aggregate("count_distinct", ("count",), "value", "values", empty=0, distinct=True),
        Aggregate("sum", ("sum",), "value", "sum"),
        Aggregate("avg", ("avg", "mean"), "value", "sum"),
        Aggregate("min", ("min",), "value", "extreme"),
        Aggregate("max", ("max",), "value", "extreme"),
        Aggregate("bool_and", ("bool_and",), "value", "flags"),
        Aggregate("bool_or", ("bool_or",), "value", "flags"),
        Aggregate("stddev_samp", ("stddev_samp", "stddev"), "value", "values", exact=False),
        Aggregate("stddev_pop", ("stddev_pop",), "value", "values", exact=False),
        Aggregate("var_samp", ("var_samp", "variance"), "value", "values", exact=False),
        Aggregate("var_pop", ("var_pop",), "value", "values", exact=False),
        Aggregate("first", ("first", "first_value"), "value", "values"),
        Aggregate("last", ("last", "last_value"), "value", "values"),
        Aggregate("arg_min", ("arg_min", "min_by", "argmin"), "value and order", "values"),
        Aggregate("arg_max", ("arg_max", "max_by", "argmax"), "value and order", "values"),
        Aggregate("median", ("median",), "value", "values"),
        Aggregate("quantile_cont", ("quantile_cont", "percentile_cont"), "value and number", "values"),
        Aggregate("quantile_disc", ("quantile_disc", "percentile_disc", "quantile"), "value and number", "values"),
        Aggregate("list", ("list", "array_agg"), "value", "values"),
    )
}

REFUSED: dict[str, str] = {
    "approx_count_distinct": "its sketch is the engine's own: write count(distinct …), which is exact",
    "approx_quantile": "its result depends on the order in which rows are merged: write quantile_cont(…, …)",
    "any_value": "which value it gives is left open: write first(…), last(…), min(…) or max(…)",
    "arbitrary": "which value it gives is left open: write first(…), last(…), min(…) or max(…)",
    "string_agg": "text of any length has no place in an online table: write list(…)",
    "listagg": "text of any length has no place in an online table: write list(…)",
    "mode": "among values that are as frequent, which one it gives is left open",
    "fsum": "sum(…) over floats is correctly rounded already",
    "favg": "avg(…) over floats is correctly rounded already",
    "kahan_sum": "sum(…) over floats is correctly rounded already",
    "product": "its result depends on the order of multiplication",
    "corr": "it is not offered yet",
    "covar_pop": "it is not offered yet",
    "covar_samp": "it is not offered yet",
    "skewness": "it is not offered yet",
    "kurtosis": "it is not offered yet",
    "entropy": "it is not offered yet",
    "histogram": "it is not offered yet",
}
"""Aggregates that are not offered in a trailing window, and why or what to write instead."""
