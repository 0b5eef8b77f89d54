"""The rule on stacks: an as-of feature from one of the relations is NULL while another has the newest row."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from asknown.lint.known import feature_names, item_of
from asknown.lint.nodes import Found, Subject
from asknown.lint.paths import steps_below
from asknown.model.lineage import Computed
from asknown.model.nodes import Model
from asknown.model.stacks import Stack, as_stack
from asknown.model.windows import is_trailing


def reads_one_of_a_stack(subject: Subject) -> Iterator[Found]:
    """As-of features that read a column which not all relations of a stack have."""
    view = subject.view
    if not subject.is_view or not isinstance(view.tree, exp.Select):
        return
    for name in feature_names(subject):
        item = item_of(view, name)
        columns = [exp.column(name)] if item.is_star else list(_as_of(item, view.tree))
        found = next(filter(None, (_lacking(subject, column, view.tree) for column in columns)), None)
        if found is not None:
            column, there, missing = found
            yield Found(
                f"'{name}' of '{view.name}' comes from {_named(there)} alone: it is NULL while the newest row is of "
                f"{_named(missing)}",
                subject.places.near(item),
                f"write last({column}) over {{{{ last('ever') }}}}, which skips NULLs",
            )


def _as_of(item: exp.Expr, select: exp.Select) -> Iterator[exp.Column]:
    """The columns of an item that stand outside its trailing windows."""
    for column in item.find_all(exp.Column):
        window = column.find_ancestor(exp.Window, exp.Select)
        if not (isinstance(window, exp.Window) and is_trailing(window, select)):
            yield column


def _lacking(
    subject: Subject, column: exp.Column, select: exp.Select
) -> tuple[str, tuple[str, ...], tuple[str, ...]] | None:
    """The column as the stack has it, the relations that have it, and those that do not; None where all do."""
    for step in steps_below(subject.context, column, select, subject.view):
        stack = _stack_of(step.select)
        if stack is None or not isinstance(step.expression, exp.Column):
            continue
        name = step.expression.name
        has = {part.name: _has(subject, part.select, name, step.model) for part in stack.parts}
        there, missing = (tuple(one for one, it in has.items() if it is wanted) for wanted in (True, False))
        if there and missing:
            return name, there, missing
    return None


def _stack_of(select: exp.Select) -> Stack | None:
    """The stack that a select is a part of."""
    whole = select.parent
    while isinstance(whole, exp.Union) and isinstance(whole.parent, exp.Union):
        whole = whole.parent
    return as_stack(whole) if isinstance(whole, exp.Union) else None


def _has(subject: Subject, part: exp.Select, name: str, model: Model) -> bool:
    """Whether a part of a stack has values in a column, as far as can be told."""
    lineage = subject.context.lineage
    names = lineage.names(part, model)
    if names is None or name.casefold() not in {one.casefold() for one in names}:
        return names is None
    origins = lineage.of_column(exp.column(name), part, model)
    return not origins or not all(isinstance(one, Computed) and _is_null(one.expression) for one in origins)


def _is_null(value: exp.Expr) -> bool:
    while isinstance(value, exp.Cast | exp.Paren):
        value = value.this
    return isinstance(value, exp.Null)


def _named(names: tuple[str, ...]) -> str:
    return " and ".join(f"'{name}'" for name in names)
