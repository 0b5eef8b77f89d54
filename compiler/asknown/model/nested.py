"""Refuses a window inside another window's argument, and writes the select in two steps instead.

No engine computes ``max(count(*) over a) over b``. The inner window belongs in a CTE, where it ends at each event.
"""

from __future__ import annotations

from sqlglot import exp

from asknown.errors import AsknownError
from asknown.model.nodes import Model
from asknown.model.windows import is_trailing, merged, place_of

_CTE = "nested"


def refuse_nested_windows(model: Model) -> None:
    """Raises ``nested-window`` for a window inside another one, with the select rewritten."""
    for window in model.tree.find_all(exp.Window):
        inner = next((other for other in window.find_all(exp.Window) if other is not window), None)
        if inner is not None:
            raise AsknownError(
                "nested-window",
                f"'{model.name}' has a window inside another window's argument, which no engine computes",
                at=place_of(model, inner),
                hint=f"compute the inner one in a CTE: {_in_two_steps(model, window)}",
            )


def _in_two_steps(model: Model, window: exp.Window) -> str:
    """The select that a window stands in, with what is nested in its windows in a CTE before it."""
    select = window.find_ancestor(exp.Select)
    source = None if select is None else select.args.get("from_")
    relation = None if source is None else source.this
    if select is None or not isinstance(relation, exp.Table | exp.Subquery) or _does_more(select):
        return _sketch(model, window)
    outer = select.copy()
    found: dict[str, exp.Window] = {}
    for item in outer.selects:
        for above in [one for one in item.find_all(exp.Window) if one.find_ancestor(exp.Window) is None]:
            for inner in [one for one in above.find_all(exp.Window) if one is not above]:
                names = [name for name, known in found.items() if known == inner]
                name = names[0] if names else f"inside{'' if not found else f'_{len(found) + 1}'}"
                found[name] = inner.copy()
                inner.replace(exp.column(name))
    if any(inner.find(exp.Window) is not inner for one in found.values() for inner in one.find_all(exp.Window)):
        return _sketch(model, window)
    below = exp.select("*", *[exp.alias_(inner, name) for name, inner in found.items()])
    below.set("from_", source.copy() if source is not None else None)
    below.set("where", outer.args.get("where"))
    outer.set("where", None)
    nested = exp.Table(this=exp.to_identifier(_CTE))
    if relation.alias_or_name and any(column.table for column in outer.find_all(exp.Column)):
        nested.set("alias", exp.TableAlias(this=exp.to_identifier(relation.alias_or_name)))
    outer.set("from_", exp.From(this=nested))
    marks: dict[str, str] = {}
    _mark_trailing(model, outer, marks)
    _mark_relations(model, (outer, below), marks)
    ctes = [*outer.ctes, exp.CTE(this=below, alias=exp.TableAlias(this=exp.to_identifier(_CTE)))]
    outer.set("with_", exp.With(expressions=ctes))
    text = outer.sql(model.dialect, comments=False)
    for mark, written in marks.items():
        text = text.replace(f'"{mark}"', written).replace(mark, written)
    return text


def _does_more(select: exp.Select) -> bool:
    parts = ("joins", "laterals", "group", "having", "qualify", "distinct", "limit", "offset", "windows", "sample")
    return select.parent is not None or any(select.args.get(part) for part in parts)


def _mark_trailing(model: Model, select: exp.Select, marks: dict[str, str]) -> None:
    """Puts marks for ``{{ last('…') }}`` in the place of windows up to the asking instant."""
    for window in [one for item in select.selects for one in item.find_all(exp.Window)]:
        _, order, spec = merged(window, select)
        if not is_trailing(window, select) or spec is None or len(order) != 1:
            continue
        start, end = spec.args.get("start"), str(spec.args.get("end") or "CURRENT ROW").upper()
        when = order[0].this if isinstance(order[0], exp.Ordered) else order[0]
        by_time = isinstance(when, exp.Column) and when.name == model.rendered.config.event_time
        if not isinstance(start, exp.Interval) or start.unit is None or not isinstance(start.this, exp.Literal):
            continue
        if by_time and end == "CURRENT ROW":
            mark = f"mark{len(marks)}x"
            marks[mark] = f"{{{{ last('{start.this.name} {start.unit.name.lower()}') }}}}"
            for part in ("partition_by", "order", "spec"):
                window.set(part, None)
            window.set("alias", exp.to_identifier(mark))


def _mark_relations(model: Model, queries: tuple[exp.Select, ...], marks: dict[str, str]) -> None:
    """Puts marks for calls of ``ref()`` and ``source()`` in the place of the names that they render to."""
    calls = {name: f"{{{{ ref('{name}') }}}}" for name in model.rendered.refs}
    calls |= {f"{s}.{t}": f"{{{{ source('{s}', '{t}') }}}}" for s, t in model.rendered.sources}
    for table in [one for query in queries for one in query.find_all(exp.Table)]:
        if isinstance(table.this, exp.Identifier) and not table.db and table.name in calls:
            mark = f"mark{len(marks)}x"
            marks[mark] = calls[table.name]
            table.set("this", exp.to_identifier(mark))


def _sketch(model: Model, window: exp.Window) -> str:
    """The two steps without the rest of the select."""
    copy = window.copy()
    inner = next(other for other in copy.find_all(exp.Window) if other is not copy)
    first = f"with {_CTE} as (select *, {inner.sql(model.dialect)} as inside from …)"
    inner.replace(exp.column("inside"))
    return f"{first} select … {copy.sql(model.dialect)} from {_CTE}"
