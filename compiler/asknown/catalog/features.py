"""The fingerprint of one feature: two versions have the same iff their SQL gives the same values on any rows (rule 15).

A feature's SQL is the view's, wrapped so that it gives the keys, the times and this feature alone, with the models
below it as CTEs. What no row can tell apart is then removed: columns that nothing reads, names of CTEs and aliases,
layout. A difference that is left may be none, which costs a reload; what is removed is none for certain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from asknown.catalog.resolve import RAISED, SourceColumns, narrowed, only, resolve_view
from asknown.model.nodes import (
    AskedAt,
    FeatureColumn,
    FeatureView,
    InputColumn,
    KeyColumn,
    Model,
    OnDemandView,
    RequestColumn,
    View,
)
from asknown.model.total_order import items_by_row
from asknown.project.nodes import SourceTable


@dataclass(frozen=True)
class FeatureFingerprint:
    """``values`` changes when a value may differ. ``sql`` is what it was made of, for search and for messages.

    ``rows`` is ``values`` without the ttl, and ``unnamed`` is that without the feature's own name. ``order`` hashes
    the as-of features before this one, which break ties before it does (rule 3), and the others too where the view has
    windows over rows; it is None for a feature of trailing windows alone. ``whole`` says why the whole view's SQL
    stands for the feature's, and is empty where it does not.
    """

    values: str
    rows: str
    unnamed: str
    order: str | None
    sql: str
    whole: str = ""


def fingerprint_features(
    view: FeatureView, closure: Sequence[Model], sources: Mapping[tuple[str, str], SourceTable], columns: SourceColumns
) -> dict[str, FeatureFingerprint]:
    """The fingerprint of each feature of ``view``, by name.

    ``closure`` are the models that the view stands on and itself, each after those it refers to; ``columns`` the
    columns of each source in ``sources``.
    """
    below = [model for model in closure if model.name != view.name]
    expanded, reason = resolve_view(view, below, sources, columns)
    spelled = {}
    types = _types(sources, columns)
    names = [feature.name for feature in view.features]
    queries = dict(narrowed(expanded, view, names)) if expanded is not None else {}
    for name in names:
        sql, why = _of_one(queries[name], view, name, types) if name in queries else ("", reason)
        spelled[name] = (sql or _whole(view, below, types, name), why)
    facts = _facts(view, sources, columns, [*below, view.model])
    rows = {name: _hash([facts, sql]) for name, (sql, _) in spelled.items()}
    ttls = {name: view.ttl if _reads_newest(view, name) else None for name in rows}
    values = {name: rows[name] if ttls[name] is None else _hash([rows[name], ttls[name]]) for name in rows}
    found: dict[str, FeatureFingerprint] = {}
    before: list[str] = []  # the as-of features
    every: list[str] = []
    by_row = items_by_row(view.model)
    for name, (sql, why) in spelled.items():
        newest = _reads_newest(view, name)
        # Which of the rows that tie gets which value of such an item follows all items up to it and to this feature.
        # An item of this kind has those up to itself in its own SQL.
        order = _hash(every if by_row and name.casefold() not in by_row else before) if newest else None
        unnamed = _hash([facts, sql.replace(f'"{name.casefold()}"', '"?"')])
        found[name] = FeatureFingerprint(values[name], rows[name], unnamed, order, sql, why)
        every.append(rows[name])
        if newest:
            before.append(rows[name])
    return found


def fingerprint_on_demand(
    view: OnDemandView, found: Callable[[View], Mapping[str, FeatureFingerprint]]
) -> dict[str, FeatureFingerprint]:
    """The fingerprint of each feature of an on-demand view; ``found`` gives those of a view that it reads.

    A feature's is made of its expression and of what each column of the request is that the expression reads.
    """
    made = {}
    for item in view.items:
        columns = [view.column(name) for name in sorted(view.read_by(item.name))]
        origins = [_origin(column, found) for column in columns]
        sql = _spelled(item.expression, view.model.dialect)
        facts = [[c.name, c.type.name, origin] for c, (origin, _) in zip(columns, origins, strict=True)]
        read = "".join(f"-- {name} {kind} {' '.join(origin[:2])}\n" for name, kind, origin in facts)
        rows = _hash([view.model.dialect, sql, facts])
        orders = [order for _, order in origins if order is not None]
        made[item.name] = FeatureFingerprint(rows, rows, rows, _hash(orders) if orders else None, read + sql)
    return made


def _origin(
    column: RequestColumn, found: Callable[[View], Mapping[str, FeatureFingerprint]]
) -> tuple[list[Any], str | None]:
    """(what a column of a request is, what breaks ties before it)."""
    match column.origin:
        case KeyColumn():
            return ["key"], None
        case AskedAt():
            return ["asked_at"], None
        case InputColumn():
            return ["input"], None
        case FeatureColumn(view, label, keys, asked, by, each) if by:
            plain, order = _origin(replace(column, origin=FeatureColumn(view, label, keys, asked)), found)
            return ["lookup", *plain, by, *([] if each is None else [each])], order
        case FeatureColumn(view, label, keys, asked):
            prints = found(view)
            if asked.name in prints:
                return ["feature", f"{label}:{asked.name}", keys, prints[asked.name].values], prints[asked.name].order
            # A time of the newest row: it follows whatever decides which row that is.
            every = [[one.values, one.order] for one in prints.values()]
            return ["time", f"{label}:{asked.name}", keys, every], None
    assert_never(column.origin)


def _reads_newest(view: FeatureView, feature: str) -> bool:
    """Whether the feature, or a part of it, is read from the newest row: the ttl and the order of ties touch it."""
    item = view.item(feature)
    return item is None or bool(item.columns)


def _facts(
    view: FeatureView, sources: Mapping[tuple[str, str], SourceTable], columns: SourceColumns, models: Sequence[Model]
) -> dict[str, Any]:
    read = dict.fromkeys(key for model in models for key in model.rendered.sources)
    return {
        "keys": [[key.name.casefold(), key.type.name] for key in view.keys],
        "times": [None if c is None else c.name.casefold() for c in (view.event_time, view.known_at, view.created_at)],
        "dialect": view.model.dialect,
        "sources": [[".".join(key), _identity(sources[key])] for key in sorted(read)],
        "built": [model.name for model in models if model.rendered.config.materialized != "ephemeral"],
    }


def _identity(table: SourceTable) -> list[Any]:
    return [
        table.path,
        table.written or table.identifier,
        table.timezone,
        [[key, repr(value)] for key, value in table.options],
    ]


# -- one feature's SQL -----------------------------------------------------------------------------------------------


def _of_one(
    qualified: exp.Select, view: FeatureView, feature: str, types: Mapping[tuple[str, str], str]
) -> tuple[str, str]:
    """The canonical SQL of one feature, or an empty text and the reason why there is none.

    Comments in front have the types of the columns that it reads: the same SQL over other types gives other values.
    """
    try:
        tree = only(qualified, view, [feature])
        read = sorted(set(_columns_read(tree, types)))
        _rename(tree)
    except RAISED as error:
        return "", str(error).partition("\n")[0] or type(error).__name__
    return "\n".join([*read, _spelled(tree, view.model.dialect)]), ""


def _types(sources: Mapping[tuple[str, str], SourceTable], columns: SourceColumns) -> dict[tuple[str, str], str]:
    """The type of each column of each source, by the names that SQL has for both, in lower case."""
    return {
        (f"{sources[key].source}.{sources[key].name}".casefold(), column.name.casefold()): column.type.name
        for key, listed in columns.items()
        for column in listed
    }


def _columns_read(tree: exp.Select, types: Mapping[tuple[str, str], str]) -> Iterator[str]:
    for scope in traverse_scope(tree):
        for column in scope.columns:
            source = scope.sources.get(column.table)
            if isinstance(source, exp.Table):
                kind = types.get((source.name.casefold(), column.name.casefold()), "?")
                yield f"-- {source.name}.{column.name} {kind}"


def _whole(view: FeatureView, below: Sequence[Model], types: Mapping[tuple[str, str], str], feature: str) -> str:
    """The text for a feature whose own SQL cannot be resolved: all of the view, and the feature's name."""
    parts = [f"-- {table} {column} {kind}" for (table, column), kind in sorted(types.items())]
    parts += [f"{m.name}: {_spelled(m.tree, m.dialect)}" for m in below]
    return "\n".join([*parts, f"{feature} of {_spelled(view.model.tree, view.model.dialect)}"])


def _rename(tree: exp.Select) -> None:
    """Names CTEs and aliases of tables by their places, so that a name of the author's does not count.

    Columns follow their table's alias. The names of sources, which stand for tables outside, stay.
    """
    fresh = (f"t{number}" for number in range(1_000_000))
    ctes: dict[int, str] = {}
    planned: list[Callable[[], None]] = []
    for scope in traverse_scope(tree):
        aliases = dict(_aliases(scope, fresh))
        planned += [_setter(c, "table", aliases[c.table]) for c in scope.columns if c.table in aliases]
        for name, (node, source) in scope.selected_sources.items():
            alias = node.args.get("alias")
            if alias is not None and name in aliases:
                planned.append(_setter(alias, "this", aliases[name]))
            if isinstance(source, Scope) and isinstance(node, exp.Table):
                cte = source.expression.parent
                while cte is not None and not isinstance(cte, exp.CTE):
                    cte = cte.parent
                if cte is not None:
                    named = ctes.setdefault(id(cte), next(fresh))
                    planned += [_setter(node, "this", named), _setter(cte.args["alias"], "this", named)]
    for rename in planned:
        rename()


def _aliases(scope: Scope, fresh: Iterator[str]) -> Iterator[tuple[str, str]]:
    for name in scope.selected_sources:
        yield name, next(fresh)


def _setter(node: exp.Expr, part: str, name: str) -> Callable[[], None]:
    return lambda: node.set(part, exp.to_identifier(name))


def _spelled(tree: exp.Expr, dialect: str) -> str:
    return tree.sql(dialect, comments=False, identify=True, normalize=True)


def _hash(facts: Any) -> str:
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
