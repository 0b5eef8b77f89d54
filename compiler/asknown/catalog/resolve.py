"""The SQL of a view over its sources alone, with every name resolved: what fingerprints and lineage are read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from asknown.durations import MICROSECONDS
from asknown.model.nodes import FeatureView, Model
from asknown.project.nodes import SourceTable
from asknown.types import Column

SourceColumns = Mapping[tuple[str, str], Sequence[Column]]

VIEW = "v_"
"""The alias of the view's own select in the resolved SQL."""
RAISED = (SqlglotError, KeyError, ValueError, AttributeError, TypeError, RecursionError)
"""The errors that sqlglot's optimizer may raise at SQL that it does not understand."""


def resolve_view(
    view: FeatureView,
    below: Sequence[Model],
    sources: Mapping[tuple[str, str], SourceTable],
    columns: SourceColumns,
) -> tuple[exp.Select | None, str]:
    """The view's SQL over its sources alone, with every name resolved; or None and the reason.

    It selects the keys, the times and the features from the view's own select, with the models ``below`` as CTEs.
    """
    read = dict.fromkeys(key for model in (*below, view.model) for key in model.rendered.sources)
    schema = MappingSchema(dialect=view.model.dialect)
    for key in read:
        name = f"{sources[key].source}.{sources[key].name}"
        kinds = {column.name: column.type.name for column in columns[key]}
        try:
            schema.add_table(exp.Table(this=exp.to_identifier(name, quoted=True)), kinds, dialect=view.model.dialect)
        except RAISED as error:
            return None, f"a column's type: {type(error).__name__}"
    chosen = [*view.keys, *(c for c in (view.event_time, view.known_at, view.created_at) if c), *view.features]
    inside = exp.Subquery(this=_plain(view.model.tree), alias=exp.TableAlias(this=exp.to_identifier(VIEW)))
    names = [exp.column(exp.to_identifier(column.name, quoted=True), table=VIEW) for column in chosen]
    query = exp.select(*names).from_(inside)
    for model in below:
        query = query.with_(exp.to_identifier(model.name, quoted=True), as_=_plain(model.tree), copy=False)
    try:
        qualified = qualify(
            query, dialect=view.model.dialect, schema=schema, validate_qualify_columns=False, quote_identifiers=False
        )
    except RAISED as error:
        return None, str(error).partition("\n")[0] or type(error).__name__
    assert isinstance(qualified, exp.Select)
    lost = next((c for c in qualified.find_all(exp.Column) if not c.table and not _is_alias(c)), None)
    if lost is not None:
        return None, f"the column '{lost.name}' may belong to several tables"
    if any(isinstance(star.parent, exp.Select | exp.Column) for star in qualified.find_all(exp.Star)):
        return None, "a * is left"
    return qualified, ""


def _is_alias(column: exp.Column) -> bool:
    """Whether a column may name an item of its own select: in ORDER BY and after it, SQL says so."""
    clause = column.find_ancestor(exp.Order, exp.Select, exp.Window)
    query = column.find_ancestor(exp.Query)
    return isinstance(clause, exp.Order) and query is not None and column.name in query.named_selects


def only(qualified: exp.Select, view: FeatureView, feature: str) -> exp.Select:
    """The resolved SQL of one feature, without the columns on any level that it does not read."""
    others = {column.name.casefold() for column in view.features} - {feature.casefold()}
    tree = qualified.copy()
    tree.set("expressions", [item for item in tree.selects if item.alias_or_name.casefold() not in others])
    return pushdown_projections(tree)


def _plain(tree: exp.Query) -> exp.Query:
    """A copy without names of windows, without parentheses that say nothing, and with plain frames."""
    copy = tree.copy()
    for select in list(copy.find_all(exp.Select)):
        named = {window.name.casefold(): window for window in select.args.get("windows") or []}
        for window in [w for w in select.find_all(exp.Window) if w.args.get("alias") and w.this is not None]:
            _inline(window, named)
        if named and not any(w.args.get("alias") for w in select.find_all(exp.Window) if w.arg_key != "windows"):
            select.set("windows", None)
    for paren in list(copy.find_all(exp.Paren)):
        if isinstance(paren.this, exp.Column | exp.Literal | exp.Paren) and paren.parent is not None:
            paren.replace(paren.this)
    for spec in copy.find_all(exp.WindowSpec):
        for interval in spec.find_all(exp.Interval):
            _in_microseconds(interval)
    return copy


def _inline(window: exp.Window, named: Mapping[str, exp.Window]) -> None:
    """Puts the definition of a named window in the place of its name."""
    definition = named.get(window.args["alias"].name.casefold())
    if definition is None:
        return
    if definition.args.get("alias"):
        _inline(definition, named)
    for part in ("partition_by", "order", "spec"):
        value = definition.args.get(part)
        if value and not window.args.get(part):
            window.set(part, [v.copy() for v in value] if isinstance(value, list) else value.copy())
    window.set("alias", None)


def _in_microseconds(interval: exp.Interval) -> None:
    unit = interval.unit.name.casefold().rstrip("s") if interval.unit is not None else ""
    length = MICROSECONDS.get(unit)
    value = interval.this
    if length is None or not isinstance(value, exp.Literal) or not value.name.isdecimal():
        return
    interval.set("this", exp.Literal.string(str(int(value.name) * length)))
    interval.set("unit", exp.Var(this="MICROSECOND"))
