"""Rules on totals: over all rows, over groups without a time, and picks of the newest row alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlglot import exp

from asknown.lint.conditions import Reading, has_own_aggregate
from asknown.lint.nodes import Found, Subject
from asknown.lint.order import Way, way_of, windows_of
from asknown.lint.paths import path_of, selects_of
from asknown.lint.windows import picks_rows
from asknown.model.lineage import relations

_TRUNCATED = (exp.TimestampTrunc, exp.DateTrunc, exp.DatetimeTrunc, exp.DateBin, exp.Date, exp.TsOrDsToDate)
_TRUNCATING = ("time_bucket", "date_trunc", "trunc", "tostartofday", "tostartofhour", "tostartofinterval", "date_bin")
_TIMELESS = ("no time", "constant")


def totals_all_rows(subject: Subject) -> Iterator[Found]:
    """Aggregates over all rows of a dated source, those after each row included."""
    for select in selects_of(subject.model.tree):
        if select.args.get("group") is not None or not has_own_aggregate(select):
            continue
        if subject.reads_static_alone(select) or Reading(select, subject).ends_early():
            continue
        call = next(c for c in select.find_all(exp.AggFunc) if c.find_ancestor(exp.Window, exp.Select) is select)
        yield Found(
            subject.says(f"'{subject.model.name}' reads a total over all rows: {call.sql(subject.model.dialect)}"),
            subject.places.near(call),
            "end the rows at an instant: where ts < timestamp '2023-01-01', or at that of the outer row; or write a "
            "trailing window. A source without history says static: true",
        )


def groups_without_time(subject: Subject) -> Iterator[Found]:
    """Joins to totals by key that carry no time: they hold the rows after each row, too."""
    for select in selects_of(subject.model.tree):
        group = select.args.get("group")
        if group is None or not _is_joined(select, subject):
            continue
        if subject.reads_static_alone(select) or Reading(select, subject).ends_early():
            continue
        if any(way not in _TIMELESS for way in _ways(select, subject)):
            continue
        keys = ", ".join(term.sql(subject.model.dialect) for term in group.expressions) or "all"
        yield Found(
            subject.says(f"'{subject.model.name}' joins totals by {keys}, which hold the rows after each row, too"),
            subject.places.near(group if group.expressions else select),
            "write a trailing window; or group by the day too, and join on g.day < date_trunc('day', e.ts)",
        )


def reads_latest_only(subject: Subject) -> Iterator[Found]:
    """Picks of the newest row: at an earlier instant another row was the newest."""
    hint = "keep all rows and let created_at decide between rows of one event time; or put the time into the partition"
    for window in windows_of(subject):
        is_newest = picks_rows(window) and window.way == "backward" and not window.is_one_instant
        if is_newest and not window.reads_static_alone:
            message = f"'{subject.model.name}' keeps the newest row alone, and forgets what was known before"
            yield Found(subject.says(message), subject.places.window(window.window), hint)
    for select in selects_of(subject.model.tree):
        at = _newest(select, subject)
        if at is not None and not subject.reads_static_alone(select):
            message = f"'{subject.model.name}' keeps the newest value alone, and forgets what was known before"
            yield Found(subject.says(message), subject.places.near(at), hint)


def truncates_time(subject: Subject) -> Iterator[Found]:
    """An event time that is cut to its day, say, over an aggregate that holds the rest of the day."""
    config = subject.view.rendered.config
    if config.known_at is not None:
        return
    steps = path_of(subject.context, config.event_time)
    for place, step in enumerate(steps):
        if step.model is not subject.model or not _is_truncated(step.expression):
            continue
        above = steps[: place + 1]
        if subject.reads_static_alone(step.select) or any(_is_cut(s.expression) for s in steps[:place]):
            continue
        if any(s.select.args.get("group") is not None or has_own_aggregate(s.select) for s in above):
            yield Found(
                subject.says(f"event_time '{config.event_time}' is the start of the time that a total is over"),
                subject.places.near(step.expression),
                f"say from when it is known: {config.event_time} + interval '1 day' as known, and known_at='known'",
            )


def starts_at_the_first(subject: Subject) -> Iterator[Found]:
    """An event time that is the first one of a group, over an aggregate that holds the rest of the group."""
    config = subject.view.rendered.config
    if config.known_at is not None:
        return
    for step in path_of(subject.context, config.event_time):
        first = step.expression.unnest()
        if step.model is not subject.model or not isinstance(first, exp.Min) or subject.reads_static_alone(step.select):
            continue
        if way_of(first.this, step.select, subject.model, subject) != "forward":
            continue
        for call in step.select.find_all(exp.AggFunc):
            if call.find_ancestor(exp.Window, exp.Select) is step.select and not _is_of_the_first(call, first):
                yield Found(
                    subject.says(
                        f"event_time '{config.event_time}' is the first time of the rows that a total is over"
                    ),
                    subject.places.near(call),
                    f"the total is known at the last of them: max({first.this.sql()}) as {config.event_time}",
                )
                break


def _is_of_the_first(call: exp.AggFunc, first: exp.Min) -> bool:
    """Whether an aggregate reads the first row of its group alone."""
    match call:
        case exp.Min():
            return bool(call.this == first.this)
        case exp.ArgMin():
            return bool(call.expression == first.this)
        case exp.First():
            return isinstance(call.this, exp.Order) and bool(call.this.expressions[0].this == first.this)
    return False


def _is_truncated(value: exp.Expr) -> bool:
    value = value.unnest()
    if isinstance(value, exp.Cast):
        return value.to.is_type("date") or _is_truncated(value.this)
    if isinstance(value, exp.Anonymous):
        return value.name.casefold() in _TRUNCATING
    return isinstance(value, _TRUNCATED)


def _is_cut(value: exp.Expr) -> bool:
    """Whether something is added to a time on its way up."""
    return value.find(exp.Add) is not None


def _ways(select: exp.Select, subject: Subject) -> Iterator[Way]:
    """How the keys and the columns of a grouped select move with time."""
    for item in [*select.args["group"].expressions, *select.expressions]:
        value = item.unalias()
        aggregated = value.find(exp.AggFunc)
        if aggregated is not None and not isinstance(value.unnest(), exp.Max | exp.Min):
            continue
        if isinstance(value, exp.Literal):
            continue
        yield way_of(value, select, subject.model, subject)


def _newest(select: exp.Select, subject: Subject) -> exp.Expr | None:
    """The construct of a select that keeps the newest value by its keys, if there is one."""
    distinct, order = select.args.get("distinct"), select.args.get("order")
    on = distinct.args.get("on") if distinct is not None else None

    def way(value: exp.Expr) -> Way:
        return way_of(value, select, subject.model, subject)

    if on is not None and order is not None:
        keys = {term.sql() for term in on.expressions}
        if any(way(term) == "forward" for term in on.expressions):
            return None
        first = next((term for term in order.expressions if term.this.sql() not in keys), None)
        if first is not None and way(first.this) == ("forward" if first.args.get("desc") else "backward"):
            return first if isinstance(first, exp.Expr) else None
    if on is None and order is not None and select.args.get("limit") is not None:
        first = order.expressions[0]
        is_newest = way(first.this) == ("forward" if first.args.get("desc") else "backward")
        if is_newest and not Reading(select, subject).ends_early():
            return first if isinstance(first, exp.Expr) else None
    return _newest_of_group(select, way)


def _newest_of_group(select: exp.Select, way: Callable[[exp.Expr], Way]) -> exp.Expr | None:
    """The aggregate that keeps the newest value of a group without a time."""
    group = select.args.get("group")
    if group is None or any(w not in _TIMELESS for w in map(way, _group_terms(select, group))):
        return None
    for call in select.find_all(exp.ArgMax, exp.First, exp.Last):
        if call.find_ancestor(exp.Window, exp.Select) is not select:
            continue
        match call:
            case exp.ArgMax() if way(call.expression) == "forward":
                return call
            case exp.First() | exp.Last() if isinstance(call.this, exp.Order):
                term = call.this.expressions[0]
                moves = way(term.this)
                down = bool(term.args.get("desc"))
                if moves == "forward" and down == isinstance(call, exp.First):
                    return call
    return None


def _group_terms(select: exp.Select, group: exp.Expr) -> list[exp.Expr]:
    terms = []
    for term in group.expressions:
        if isinstance(term, exp.Literal) and not term.is_string and 0 < int(term.name) <= len(select.expressions):
            terms.append(select.expressions[int(term.name) - 1].unalias())
        else:
            terms.append(term)
    if group.args.get("all"):
        terms = [item.unalias() for item in select.expressions if item.find(exp.AggFunc) is None]
    return terms


def _is_joined(select: exp.Select, subject: Subject) -> bool:
    """Whether a select reads this one beside another relation, directly or through selects that only pass it on."""
    for model in subject.closure.values():
        if model is not subject.model and subject.model.name not in model.rendered.refs:
            continue
        for reader in selects_of(model.tree):
            read = relations(reader)
            if len(read) > 1 and any(
                _leads_to(select, relation, reader, Subject(model, subject.context)) for _, relation in read
            ):
                return True
    return False


def _leads_to(select: exp.Select, relation: exp.Expr, reader: exp.Select, subject: Subject) -> bool:
    """Whether a relation of ``reader``, which stands in the subject, gives the rows of ``select``."""
    found = subject.lineage.query_of(relation, reader, subject.model)
    if found is None:
        return False
    query, of = found[0].unnest(), found[1]
    if query is select:
        return True
    if isinstance(query, exp.SetOperation):
        return any(side is select for side in query.find_all(exp.Select))
    if not isinstance(query, exp.Select) or len(relations(query)) != 1:
        return False
    return _leads_to(select, relations(query)[0][1], query, Subject(of, subject.context))
