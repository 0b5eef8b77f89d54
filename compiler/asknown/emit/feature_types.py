"""The types of features over sums of integers: BIGINT, though the engine's own sum is wider (rule 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.snippets import cast, snippet
from asknown.emit.sql import ident, named
from asknown.emit.statement import Statement
from asknown.model.nodes import FeatureView, Item, Model
from asknown.project.nodes import ModelDoc
from asknown.types import Column, SqlType, parse_type

BIGINT = parse_type("BIGINT")
WIDEST = parse_type("DECIMAL(38,0)")
"""The type that an author may declare for a feature whose sums need more than 64 bits."""


def with_sums(
    view: FeatureView,
    doc: ModelDoc | None,
    describe: Callable[[Statement], Sequence[tuple[str, SqlType]]],
    dialect: Dialect,
) -> FeatureView:
    """The view, in which features over sums of integers have the type BIGINT, or DECIMAL(38,0) where it is declared.

    A feature that is wide for another reason, such as a cast to HUGEINT, keeps its type. ``doc`` has the declared
    types; ``describe`` returns the columns of a query.
    """
    wide = _wide_items(view)
    if not wide:
        return view
    assert view.lifted is not None
    described = describe(compile_item_types(view, wide, dialect))
    narrow = {item.name for item, (_, kind) in zip(wide, described, strict=True) if kind == BIGINT}
    said = {c.name.casefold(): parse_type(c.data_type) for c in (doc.columns if doc is not None else ()) if c.data_type}
    types = {name: WIDEST if said.get(name.casefold()) == WIDEST else BIGINT for name in narrow}
    features = tuple(replace(feature, type=types.get(feature.name, feature.type)) for feature in view.features)
    items = tuple(replace(item, narrowed=item.name in narrow) for item in view.lifted.items)
    return replace(view, features=features, lifted=replace(view.lifted, items=items))


def _wide_items(view: FeatureView) -> tuple[Item, ...]:
    """The items whose type in the model's SQL is HUGEINT, and that read a sum of integers."""
    if view.lifted is None:
        return ()
    sums = {place for place, call in enumerate(view.lifted.calls) if call.aggregate.counts_whole}
    types = {feature.name: feature.type.name for feature in view.features}
    return tuple(i for i in view.lifted.items if types.get(i.name) == "HUGEINT" and sums & {*i.windows})


def compile_item_types(view: FeatureView, items: Iterable[Item], dialect: Dialect) -> Statement:
    """A query whose columns have the types of ``items`` if sums of integers are BIGINT. It is described, never run.

    ``SELECT "@0" - "@1" AS "0" FROM (SELECT CAST(NULL AS BIGINT) AS "@0", CAST(NULL AS BIGINT) AS "@1") AS v``
    """
    assert view.lifted is not None
    values: dict[str, SqlType] = {}

    def put(node: exp.Expr) -> exp.Expr:
        return exp.column(ident(f"@{node.name}")) if isinstance(node, exp.Parameter) else node

    columns = []
    for place, item in enumerate(items):
        assert item.expression is not None
        columns.append(named(item.expression.copy().transform(put), str(place)))
        values |= {name: view.column(name).type for name in item.columns}
        for call in item.windows:
            kind = view.lifted.call_types[call] if view.lifted.call_types else BIGINT
            is_sum = view.lifted.calls[call].aggregate.counts_whole and kind.kind == "integer"
            values[f"@{call}"] = BIGINT if is_sum else kind
    nulls = [named(cast(dialect, exp.null(), kind), name) for name, kind in values.items()]
    return Statement((), exp.select(*columns).from_(exp.select(*nulls).subquery("v")))


def fits(dialect: Dialect, value: exp.Expr, feature: Column, model: Model) -> exp.Expr | None:
    """A condition that is true, and raises an error that names the feature if the ``value`` is out of its type's range.

    ``CASE WHEN NOT w0 BETWEEN -9223372036854775808 AND … THEN ERROR('asknown: feature …') ELSE TRUE END``; None for a
    dialect that cannot raise an error.
    """
    if "raise" not in dialect.snippets:
        return None
    if feature.type == BIGINT:
        (low, high), width, hint = BIGINT.bounds, "64 bits", "declare data_type: decimal(38,0) for it"
    else:
        most = 10**WIDEST.precision - 1
        low, high, width, hint = -most, most, "38 digits", "cast its input to double"
    message = f"asknown: feature '{feature.name}' of '{model.name}' is a sum of integers beyond {width}: {hint}"
    within = exp.Between(this=value.copy(), low=exp.Literal.number(low), high=exp.Literal.number(high))
    return snippet(dialect, "raise", condition=exp.not_(within), message=exp.Literal.string(message))
