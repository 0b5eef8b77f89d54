"""Makes the order of windows over rows total, so that their values do not depend on the order of rows in a file.

Two rows of one key at one instant may come in any order, and `lag()` then gives different values. Rule 3 decides which
is greater: by the times, then by the columns in select order, NULLs lowest. So these columns are added to the author's
order. Rows that tie in all columns that a select reads are the same to it, so their order does not matter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from sqlglot import exp

from asknown.model.lineage import Lineage
from asknown.model.nodes import Model
from asknown.model.windows import is_trailing, merged

_BY_ROW = (exp.Lag, exp.Lead, exp.RowNumber, exp.Ntile)
# Types whose values have no order in some engine.
_UNORDERED = ("other", "struct")


def follows_rows(window: exp.Window, select: exp.Select) -> bool:
    """Whether a window's value depends on the order of rows that tie in its own order."""
    _, order, spec = merged(window, select)
    if not order or is_trailing(window, select):
        return False
    function = function_of(window)
    kind = str(spec.args.get("kind") or "").upper() if spec is not None else ""
    return isinstance(function, _BY_ROW) or kind == "ROWS" or (isinstance(function, exp.FirstValue) and spec is None)


def function_of(window: exp.Window) -> exp.Expr:
    """The function that a window is over, without its FILTER and its treatment of NULLs."""
    function = window.this
    while isinstance(function, exp.Filter | exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
        function = function.this
    assert isinstance(function, exp.Expr)
    return function


def items_by_row(model: Model) -> set[str]:
    """The names, in lower case, of the items of a model's select that have a window over rows that may tie."""
    windows = [window for window, select in _orderable(model.tree) if select is model.tree]
    return {
        item.alias_or_name.casefold()
        for item in model.tree.selects
        if any(node is window for window in windows for node in item.find_all(exp.Window))
    }


def with_total_order(model: Model, lineage: Lineage, *, identity: Collection[str] | None = None) -> Model:
    """The model with every window over rows in a total order; the same model where it has none.

    ``identity`` are the names, in lower case, of a view's keys and times. Where they are given, the order in an item of
    the view's own select has none of the features after this item. Among rows of one key and time, these only decide
    which row gets which of the item's values, so the greatest is the same without them.
    """
    if not any(_orderable(model.tree)):
        return model
    tree = model.tree.copy()
    for window, select in list(_orderable(tree)):
        partition, order, spec = merged(window, select)
        descending = bool(order[0].args.get("desc"))
        present = {_text(term.this if isinstance(term, exp.Ordered) else term) for term in order}
        present |= {_text(term) for term in partition}
        more = []
        items = select.expressions if identity is None or select is not tree else _until(window, select, identity)
        for value in _deciding(select, items, model, lineage):
            if _text(value) not in present:
                present.add(_text(value))
                more.append(exp.Ordered(this=value.copy(), desc=descending, nulls_first=not descending))
        if not more:
            continue
        window.set("alias", None)
        window.set("partition_by", [term.copy() for term in partition])
        window.set("order", exp.Order(expressions=[*(term.copy() for term in order), *more]))
        window.set("spec", None if spec is None else spec.copy())
    return replace(model, tree=tree, sql=tree.sql(model.dialect, pretty=True, comments=False))


def _orderable(tree: exp.Query) -> Iterator[tuple[exp.Window, exp.Select]]:
    for window in tree.find_all(exp.Window):
        select = window.find_ancestor(exp.Select)
        if select is not None and window.arg_key != "windows" and follows_rows(window, select):
            yield window, select


def _until(window: exp.Window, select: exp.Select, identity: Collection[str]) -> list[exp.Expr]:
    """The items up to the one that the window stands in, and of the others those of ``identity``; all for QUALIFY."""
    items: list[exp.Expr] = select.expressions
    place = next((place for place, item in enumerate(items) if item is window or _has(item, window)), len(items))
    return [item for at, item in enumerate(items) if at <= place or item.alias_or_name.casefold() in identity]


def _has(item: exp.Expr, window: exp.Window) -> bool:
    return any(node is window for node in item.find_all(exp.Window))


def _deciding(select: exp.Select, of: Sequence[exp.Expr], model: Model, lineage: Lineage) -> Iterator[exp.Expr]:
    """The expressions that distinguish the rows of a select: its created-at time first, then what the items ``of`` it
    read, and its QUALIFY.
    """
    created_at = (model.rendered.config.created_at or "").casefold()
    items = sorted(of, key=lambda item: not created_at or item.alias_or_name.casefold() != created_at)
    computed = {
        item.alias.casefold()
        for item in select.expressions
        if isinstance(item, exp.Alias) and not _is_column(item.this, item.alias)
    }
    computed -= {name.casefold() for _, name in lineage.read_names(select, model) or []}
    qualify = select.args.get("qualify")
    for item in [*items, *([qualify.this] if qualify is not None else [])]:
        if item.is_star:
            yield from _starred(item, select, model, lineage)
            continue
        for value in _leaves(item.unalias()):
            read = list(value.find_all(exp.Column))
            own = [column for column in read if column.table or column.name.casefold() not in computed]
            if len(own) < len(read):  # with an item of this select, which has a window or is read where it stands
                yield from own
            elif read:
                yield value


def _leaves(value: exp.Expr) -> Iterator[exp.Expr]:
    """An item without windows, or what its windows and the rest of it read."""
    if value.find(exp.Query) is not None:
        return
    if value.find(exp.Window) is None:
        yield value
    elif isinstance(value, exp.Window):
        for argument in function_of(value).iter_expressions():  # one under DISTINCT, or ordered, is no value itself
            yield from argument.iter_expressions() if isinstance(argument, exp.Distinct | exp.Order) else [argument]
        if isinstance(value.this, exp.Filter):
            yield value.this.expression.this
    else:
        for part in value.iter_expressions():
            yield from _leaves(part)


def _starred(star: exp.Expr, select: exp.Select, model: Model, lineage: Lineage) -> Iterator[exp.Expr]:
    table = star.table if isinstance(star, exp.Column) else ""
    read = lineage.read_names(select, model, table) or []
    several = len({alias for alias, _ in read}) > 1
    for alias, name in read:
        column = exp.column(
            exp.to_identifier(name, quoted=True), exp.to_identifier(alias, quoted=True) if several else None
        )
        if not _is_unordered(column, select, model, lineage):
            yield column


def _is_unordered(column: exp.Column, select: exp.Select, model: Model, lineage: Lineage) -> bool:
    return any(
        getattr(getattr(origin, "type", None), "kind", None) in _UNORDERED
        for origin in lineage.of_column(column, select, model)
    )


def _is_column(value: exp.Expr, name: str) -> bool:
    return isinstance(value, exp.Column) and value.name.casefold() == name.casefold()


def _text(value: exp.Expr) -> str:
    """An expression as text, without what its columns are qualified by."""
    bare = value.copy()
    for column in bare.find_all(exp.Column):
        column.set("table", None)
        column.this.set("quoted", False)
    return bare.sql().casefold()
