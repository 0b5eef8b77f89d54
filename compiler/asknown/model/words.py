"""Says features in words: ``average of amount over the 30 days up to the asking instant``."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from asknown.durations import spell
from asknown.model.nodes import FeatureView, Frame, OnDemandView, PeriodFrame, View, WindowCall

# What an aggregate of ``{value}`` is, in words; ``{order}`` is its second column, ``{second}`` its number or text.
_WORDS = {
    "count_distinct": "number of different values of {value}",
    "sum": "sum of {value}",
    "avg": "average of {value}",
    "min": "least {value}",
    "max": "greatest {value}",
    "bool_and": "whether {value} holds in every row",
    "bool_or": "whether {value} holds in any row",
    "stddev_samp": "standard deviation of {value} (sample)",
    "stddev_pop": "standard deviation of {value} (population)",
    "var_samp": "variance of {value} (sample)",
    "var_pop": "variance of {value} (population)",
    "first": "first {value}",
    "last": "last {value}",
    "max_k": "the {second} greatest values of {value}",
    "min_k": "the {second} least values of {value}",
    "arg_max_k": "{value} in the {second} rows where {order} is greatest",
    "arg_min_k": "{value} in the {second} rows where {order} is least",
    "arg_min": "{value} where {order} is least",
    "arg_max": "{value} where {order} is greatest",
    "median": "median of {value}",
    "quantile_cont": "quantile {second} of {value}",
    "quantile_disc": "quantile {second} of {value}, one of its values",
    "list": "list of the values of {value}",
    "list_distinct": "list of the different values of {value}",
    "last_k": "the last {second} values of {value}",
    "first_k": "the first {second} values of {value}",
    "top_k": "the {second} most frequent values of {value}",
    "mode": "most frequent {value}",
    "histogram": "the values of {value}, each with its number of rows",
    "entropy": "entropy of {value} in bits",
    "regr_slope": "slope of {value} by {order}",
    "regr_intercept": "value of the line of {value} by {order} where {order} is 0",
    "corr": "correlation of {value} and {order}",
    "covar_pop": "covariance of {value} and {order} (population)",
    "covar_samp": "covariance of {value} and {order} (sample)",
    "skewness": "skewness of {value} (sample)",
    "kurtosis": "excess kurtosis of {value} (sample)",
    "kurtosis_pop": "excess kurtosis of {value} (population)",
    "string_agg": "the values of {value} as one text",
}
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def describe_features(view: View) -> dict[str, str]:
    """Each feature of a view in words, by its name.

    An as-of feature is a value of the newest row, a window an aggregate over a range of time, and a feature that
    computes with windows an expression of letters, each of which is explained.
    """
    if isinstance(view, OnDemandView):
        dialect = view.model.dialect
        written = {item.name: item.expression.unnest().sql(dialect, comments=False) for item in view.items}
        return {name: f"{text}, computed at the moment of asking" for name, text in written.items()}
    written = _written(view)
    return {feature.name: _describe(view, feature.name, written) for feature in view.features}


def _written(view: FeatureView) -> dict[str, str]:
    """The expression of each column of the view's rows, hidden ones too, by its name in lower case."""
    tree = view.lifted.tree if view.lifted is not None else view.model.tree
    return {
        item.alias_or_name.casefold(): item.unalias().sql(view.model.dialect, comments=False) for item in tree.selects
    }


def _describe(view: FeatureView, feature: str, written: Mapping[str, str]) -> str:
    item = view.item(feature)
    if view.lifted is None or item is None or item.expression is None:
        value = written.get(feature.casefold(), feature)
        old = "" if view.ttl is None else f", if it is at most {spell(view.ttl)} old"
        return f"{value} of the newest row{old}"
    calls = view.lifted.calls
    if not item.computes:
        return _call(calls[item.windows[0]], written)
    used = list(dict.fromkeys(item.windows))
    letters = {call: _LETTERS[place] if place < len(_LETTERS) else f"a{place}" for place, call in enumerate(used)}

    def name(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Parameter):
            return exp.column(letters[int(node.name)])
        if isinstance(node, exp.Column) and node.name.casefold() in written:
            return exp.Var(this=written[node.name.casefold()])
        return node

    formula = item.expression.copy().transform(name).sql(view.model.dialect, comments=False)
    meanings = "; ".join(
        f"{letter} is {_with_article(_call(calls[call], written))}" for call, letter in letters.items()
    )
    return f"{formula}, where {meanings}"


def _with_article(text: str) -> str:
    return text if text.startswith(("the ", "whether ")) else f"the {text}"


def _call(call: WindowCall, written: Mapping[str, str]) -> str:
    value, order, condition = (
        None if name is None else written.get(name.casefold(), name)
        for name in (call.value, call.order, call.condition)
    )
    if call.aggregate.state == "count":
        text = "number of rows" if value is None else f"number of rows that have {value}"
        if call.aggregate.arguments == "condition" and value is not None:
            text = f"number of rows with {value}"
        return f"{text}{'' if condition is None else f' with {condition}'} {_over(call.frame)}"
    words = _WORDS.get(call.aggregate.name, f"{call.aggregate.name}() of {{value}}")
    text = words.format(value=value, order=order, second=_number(call.second))
    return f"{text}{'' if condition is None else f' in rows with {condition},'} {_over(call.frame)}"


def _over(frame: Frame | PeriodFrame) -> str:
    if isinstance(frame, PeriodFrame):
        if frame.back:
            return f"over the whole {frame.period} before that of the asking instant"
        return f"over the {frame.period} of the asking instant, up to that instant"
    if frame.newest:
        return f"from {spell(frame.oldest)} to {spell(frame.newest)} before the asking instant"
    return f"over the {spell(frame.oldest).removeprefix('1 ')} up to the asking instant"


def _number(value: float | str | None) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
