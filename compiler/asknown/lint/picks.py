"""Rules on choosing among rows: without an order, and in an order that leaves ties."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from asknown.errors import Where
from asknown.lint.nodes import Found, Subject
from asknown.lint.order import Ordered, same_origin, windows_of
from asknown.lint.order import origins as origins_in
from asknown.lint.paths import selects_of
from asknown.model.lineage import Origin, Stored
from asknown.model.total_order import follows_rows

_PICKS = (exp.First, exp.Last, exp.AnyValue, exp.ArrayAgg, exp.GroupConcat)
_NAMED = ("list", "first", "last", "any_value", "arbitrary", "string_agg", "array_agg", "group_concat", "listagg")
# What does not follow the order of a list.
_SORTS = ("list_sort", "array_sort", "list_distinct", "list_unique", "len", "array_length", "list_sum", "list_max")


def picks_without_order(subject: Subject) -> Iterator[Found]:
    """Rows that are chosen or put in a row by the order in which the engine happens to read them."""
    tree, dialect = subject.model.tree, subject.model.dialect
    for query in tree.find_all(exp.Query):
        limited = query.args.get("limit") or query.args.get("offset")
        if limited is not None and query.args.get("order") is None:
            yield Found(
                subject.says(
                    f"'{subject.model.name}' keeps some rows without an order: {limited.sql(dialect).strip()}"
                ),
                _place_of_limit(subject),
                "add order by with columns that are unique together, or keep all rows",
            )
    for select in selects_of(tree):
        distinct = select.args.get("distinct")
        if distinct is not None and distinct.args.get("on") is not None and select.args.get("order") is None:
            yield Found(
                subject.says(f"'{subject.model.name}' keeps some row of each group without an order: distinct on"),
                subject.places.near(distinct),
                "add order by with columns that are unique together, or keep all rows",
            )
    for join in tree.find_all(exp.Join):
        if str(join.args.get("method") or "").upper() == "POSITIONAL":
            yield Found(
                subject.says(f"'{subject.model.name}' joins rows by their places in the files: positional join"),
                subject.places.near(join.this),
                "join on columns",
            )
    for call in tree.find_all(*_PICKS, exp.Anonymous):
        if isinstance(call, exp.Anonymous) and call.name.casefold() not in _NAMED:
            continue
        if _is_ordered(call) or call.find_ancestor(exp.Window, exp.Select, exp.Columns) is not call.parent_select:
            continue
        yield Found(
            subject.says(f"'{subject.model.name}' follows the order of rows in the file: {call.sql(dialect)}"),
            subject.places.near(call),
            "give it an order, as in first(x order by id), or write min(x)",
        )


def _is_ordered(call: exp.Expr) -> bool:
    if call.find(exp.Order) is not None:
        return True
    above: exp.Expr | None = call.parent
    while isinstance(above, exp.Filter | exp.IgnoreNulls | exp.RespectNulls | exp.Paren):
        above = above.parent
    if isinstance(above, exp.WithinGroup | exp.ArraySort | exp.ArraySize | exp.ArrayDistinct | exp.Length):
        return True
    return isinstance(above, exp.Anonymous) and above.name.casefold() in _SORTS


def _place_of_limit(subject: Subject) -> Where:
    places = subject.places.words(("limit", "offset", "fetch"))
    return places[0] if places else subject.places.start()


def order_leaves_ties(subject: Subject) -> Iterator[Found]:
    """Windows over rows in a model below the view, whose order does not tell all rows apart.

    In the view itself asknown makes the order total.
    """
    if subject.is_view:
        return
    for window in windows_of(subject):
        if not window.order or not follows_rows(window.window, window.select) or _tells_apart(window):
            continue
        terms = ", ".join(term.sql(subject.model.dialect) for term in (*window.partition, *window.order))
        yield Found(
            subject.says(f"{window.name}() of '{subject.model.name}' depends on the order of rows that tie in {terms}"),
            subject.places.window(window.window),
            "order by more columns; or say unique: [[…]] of the source or model whose columns these are",
        )


def _tells_apart(window: Ordered) -> bool:
    """Whether the partition and the order have all columns of a declared key."""
    subject = window.subject
    terms = [*window.partition, *(t.this if isinstance(t, exp.Ordered) else t for t in window.order)]
    known = [origin for term in terms for origin in origins_in(term, window.select, subject.model, subject)]
    return any(all(_among(column, known) for column in key) for key in _keys(subject))


def _keys(subject: Subject) -> Iterator[list[list[Origin]]]:
    """The declared keys of sources and models: where each of their columns comes from."""
    for name, table in subject.context.tables.items():
        for key in table.unique:
            yield [[Stored(name, column.casefold(), None)] for column in key]
    for model in subject.closure.values():
        doc = subject.context.docs.get(model.name.casefold())
        for key in doc.unique if doc is not None else ():
            yield [subject.lineage.of_output(model, column) for column in key]


def _among(column: list[Origin], known: list[Origin]) -> bool:
    return any(same_origin(one, other) for one in column for other in known)
