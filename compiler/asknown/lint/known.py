"""Rules on knowing: from when a row, a column or a label is known, and whether the view says so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from asknown.errors import Where
from asknown.lint.nodes import Found, Subject
from asknown.lint.order import origins_of_role, plain, same_origin, way_of
from asknown.model.lineage import Computed, Lineage, Origin, Stored
from asknown.model.nodes import Model
from asknown.project.nodes import ColumnDoc

_LOADED = re.compile(r"(?:^|_)(?:loaded|ingested|inserted|landed|updated|created)_?(?:at|on|ts|time|timestamp)$")
_DEEPEST = 24  # columns are followed through so many expressions


@dataclass(frozen=True)
class _FoundRead:
    """A declared column that an item of the view reads, and the item."""

    item: str
    relation: str
    column: ColumnDoc
    at: Where


def known_at_is_constant(subject: Subject) -> Iterator[Found]:
    """A ``known_at`` that is a literal, or a time minus something."""
    name = subject.view.rendered.config.known_at
    for origin in origins_of_role(subject, name):
        if not isinstance(origin, Computed) or origin.model is not subject.model:
            continue
        if subject.reads_static_alone(origin.select):
            continue
        value = origin.expression
        while isinstance(value, exp.Paren | exp.Cast):
            value = value.this
        what = "the same for all rows" if value.find(exp.Column) is None else None
        if what is None and _is_moved_back(value, origin, subject):
            what = "before the time that it is made of"
        if what is not None:
            yield Found(
                subject.says(f"known_at '{name}' is {what}: {value.sql(subject.model.dialect)}"),
                subject.places.near(value if value.find(exp.Column) else origin.select),
                "name the column that says when the row reached the warehouse: known_at='loaded_at'",
            )


def _is_moved_back(value: exp.Expr, origin: Computed, subject: Subject) -> bool:
    if isinstance(value, exp.Sub):
        return way_of(value.this, origin.select, origin.model, subject) == "forward"
    return isinstance(value, exp.Add) and any(
        isinstance(side.unnest(), exp.Neg) or (isinstance(side, exp.Interval) and side.sql().startswith("INTERVAL '-"))
        for side in (value.left, value.right)
    )


def known_at_is_missing(subject: Subject) -> Iterator[Found]:
    """Load times of sources that the view does not use."""
    if not subject.is_view:
        return
    config, context = subject.view.rendered.config, subject.context
    if any(
        isinstance(o, Computed) and o.expression.find(exp.Column) is None
        for o in origins_of_role(subject, config.known_at)
    ):
        return  # a constant: known-at-constant says so
    used = list(_times_used(subject, (config.known_at, config.event_time)))
    for name in sorted(subject.lineage.tables(subject.view.tree, subject.view)):
        table = context.tables.get(name)
        if table is None or table.static:
            continue
        if table.loaded_at_field is not None:
            if not any(same_origin(Stored(name, table.loaded_at_field.casefold(), None), one) for one in used):
                yield Found(
                    f"'{subject.view.name}' does not use {table.loaded_at_field} of source '{name}', which says when "
                    "a row became known",
                    subject.places.config(),
                    f"select it, and say known_at='{table.loaded_at_field}'; of several, the greatest()",
                )
            continue
        columns = [] if config.known_at is not None else list(context.known(name) or {})
        for column in columns:
            stored = Stored(name, column.casefold(), None)
            if _LOADED.search(stored.column) and not any(same_origin(stored, one) for one in used):
                yield Found(
                    f"'{subject.view.name}' does not use {column} of source '{name}', which may say when a row "
                    "became known",
                    subject.places.config(),
                    f"known_at='{column}'; or loaded_at_field: {column} of the source, if that is what it says",
                    "warning",
                )


def known_at_is_too_early(subject: Subject) -> Iterator[Found]:
    """Columns that say from when they are known, in a view that says an earlier time."""
    for read in _declared_reads(subject):
        if read.column.known_at is not None and not _uses(subject, read):
            config = subject.view.rendered.config
            yield Found(
                subject.says(
                    f"'{read.item}' reads {read.column.name} of '{read.relation}', which is known at "
                    f"{read.column.known_at}; '{subject.view.name}' says {config.known_at or config.event_time}"
                ),
                read.at,
                f"say known_at='{read.column.known_at}' in the view's config, or leave the column out",
            )


def label_is_a_feature(subject: Subject) -> Iterator[Found]:
    """Labels among the features of a view."""
    for read in _declared_reads(subject):
        if read.column.label and read.column.known_at is None:
            yield Found(
                subject.says(f"'{read.item}' reads {read.column.name} of '{read.relation}', which is a label"),
                read.at,
                f"leave it out; or say from when it is known: {{name: {read.column.name}, label: true, known_at: …}}",
            )


def _declared_reads(subject: Subject) -> Iterator[_FoundRead]:
    """The columns with ``label`` or ``known_at`` that the features of the view read. Only the view itself has any."""
    if not subject.is_view or not subject.context.declared:
        return
    context = subject.context
    for name in feature_names(subject):
        for relation, column in dict.fromkeys(stored_below(subject, name)):
            declared = context.declared.get((relation, column))
            if declared is not None:
                yield _FoundRead(name, relation, declared, subject.places.near(item_of(subject.view, name)))


def feature_names(subject: Subject) -> list[str]:
    """The output columns of the view that are neither keys nor times, stars expanded."""
    config, context = subject.view.rendered.config, subject.context
    entities = context.project.entities
    others = {(name or "").casefold() for name in (config.event_time, config.known_at, config.created_at)}
    others |= {key.name.casefold() for name in config.entity or () if name in entities for key in entities[name].keys}
    names = context.lineage.names(subject.view.tree, subject.view) or subject.view.tree.named_selects
    return [name for name in dict.fromkeys(names) if name.casefold() not in others]


def stored_below(subject: Subject, name: str) -> Iterator[tuple[str, str]]:
    """(relation, column) of all that an output column of the view is made of, ends at declared columns included."""
    lineage = subject.context.declared_lineage
    waiting: list[tuple[Origin, int]] = [(origin, 0) for origin in lineage.of_output(subject.view, name)]
    seen: set[int] = set()
    while waiting:
        origin, depth = waiting.pop()
        match origin:
            case Stored():
                yield origin.relation, origin.column
            case Computed():
                if id(origin.expression) not in seen and depth < _DEEPEST:
                    seen.add(id(origin.expression))
                    waiting += [(below, depth + 1) for below in _below(lineage, origin)]


def _below(lineage: Lineage, origin: Computed) -> Iterator[Origin]:
    for column in origin.expression.find_all(exp.Column):
        inner = column.find_ancestor(exp.Select)
        select = inner if inner is not None and _is_within(inner, origin.expression) else origin.select
        yield from lineage.of_column(column, select, origin.model)


def _is_within(select: exp.Expr, expression: exp.Expr) -> bool:
    above: exp.Expr | None = select
    while above is not None and above is not expression:
        above = above.parent
    return above is expression


def _uses(subject: Subject, read: _FoundRead) -> bool:
    """Whether the view's ``known_at`` or event time is made of the time from which a column is known."""
    config = subject.view.rendered.config
    text = read.column.known_at or ""
    try:
        told = parse_one(text, dialect=subject.view.dialect)
    except SqlglotError:
        return False
    used = list(_times_used(subject, (config.known_at, config.event_time)))
    if not isinstance(told, exp.Column):
        return any(isinstance(one, Computed) and plain(one.expression) == plain(told) for one in used)
    model = next((m for name, m in subject.closure.items() if name.casefold() == read.relation), None)
    name = told.name.casefold()
    wanted = [Stored(read.relation, name, None)] if model is None else subject.lineage.of_output(model, name)
    return any(same_origin(one, other) for one in wanted for other in used)


def _times_used(subject: Subject, roles: tuple[str | None, ...]) -> Iterator[Origin]:
    """Where these times of the view come from, and all that they are made of without going back in time."""
    waiting = [(origin, 0) for role in roles for origin in origins_of_role(subject, role)]
    while waiting:
        origin, depth = waiting.pop()
        yield origin
        if isinstance(origin, Computed) and depth < _DEEPEST and not isinstance(origin.expression, exp.Sub):
            waiting += [(below, depth + 1) for below in _below(subject.lineage, origin)]


def item_of(view: Model, name: str) -> exp.Expr:
    """The select's item of this name, or the select where a star gives it."""
    for item in view.tree.selects:
        if item.alias_or_name.casefold() == name.casefold():
            return item
    stars = [item for item in view.tree.selects if item.is_star]
    return stars[0] if stars else view.tree
