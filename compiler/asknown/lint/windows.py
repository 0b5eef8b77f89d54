"""Rules on windows: rows after each row, whole partitions, and rows that were not known yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import add, mul, sub

from sqlglot import exp

from asknown.lint.conditions import Reading
from asknown.lint.nodes import Found, Subject
from asknown.lint.order import Ordered, origins_of_role, plain, windows_of
from asknown.lint.paths import selects_of
from asknown.model.lineage import Computed, Stored

_SHIFTS = {"lag": -1, "lead": 1, "laginframe": -1, "leadinframe": 1}
_RANKS = ("row_number", "rank", "dense_rank")
# Their value divides by the number of rows in the partition, or by a part of it.
_SHARES = ("ntile", "percent_rank", "cume_dist")
_ARITHMETIC: dict[type[exp.Expr], Callable[[int, int], int]] = {exp.Add: add, exp.Sub: sub, exp.Mul: mul}
_FILTERS = (exp.Where, exp.Qualify, exp.Having, exp.Filter)


def reads_ahead(subject: Subject) -> Iterator[Found]:
    """Windows that give a row a value from rows after it."""
    for window in windows_of(subject):
        reached = _frame(window) if window.is_lifted else _reach(window)
        if reached is not None and not _is_excused(window):
            what, hint = reached
            at = subject.places.frame(window.window) if "FOLLOWING" in what else subject.places.window(window.window)
            yield Found(subject.says(f"{_named(window)} looks forward in time: {what}"), at, hint)


def reads_whole_partition(subject: Subject) -> Iterator[Found]:
    """Windows whose value depends on all rows of their partition, whenever these come."""
    for window in windows_of(subject):
        if window.is_lifted or _reach(window) is not None:
            continue
        what = _whole(window)
        if what is not None and not _is_excused(window):
            hint = "write over {{ last('30 days') }} in the view's outermost select, or order by the event time. "
            hint += "Allowed are a partition that contains the event time, and a source that says static: true"
            if window.name in _RANKS:
                hint = "order by the event time first, and by this after it; or put the event time into the partition"
            elif window.name in _SHARES:
                hint = "count instead: count(*) filter (where …) / count(*), each over {{ last('30 days') }}"
            yield Found(
                subject.says(f"{_named(window)} sees the rows after each row: {what}"),
                subject.places.window(window.window),
                hint,
            )


def reads_unknown_rows(subject: Subject) -> Iterator[Found]:
    """Windows over earlier rows, in a view whose rows are known late; in a model below the view, a warning."""
    config = subject.view.rendered.config
    if config.known_at is None or _is_event_time(subject):
        return
    for window in windows_of(subject):
        if window.is_lifted or _counts_rows(window) or window.reads_static_alone or picks_rows(window):
            continue
        if _reach(window) is not None or (not window.is_one_instant and _whole(window) is not None):
            continue  # said by the rules above
        if window.is_one_instant and window.is_known_at_once:
            continue
        if _has_known_at(window) and not _is_covered(window):
            message = f"{_named(window)} sees rows that were not known yet: {window.name}() reads earlier rows, and "
            message += f"those may be known later than {config.known_at} of the row that reads them"
            at = subject.places.window(window.window)
            if subject.is_view:
                yield Found(message, at, _instead(window))
            else:
                hint = f"give the row the greatest time of its window: max({config.known_at}) over (…) as known, and "
                yield Found(subject.says(message), at, f"{hint}say known_at='known' in the view", "warning")


def is_ordered_by_no_time(subject: Subject) -> Iterator[Found]:
    """Windows and limits whose order is no time: rows that come later may stand before a row, and change its value.

    Ranks in such an order are refused by ``leak-whole-partition``.
    """
    for window in windows_of(subject):
        if window.is_lifted or window.way != "no time" or _reach(window) or _whole(window) or _is_excused(window):
            continue
        if picks_rows(window):
            continue
        yield Found(
            subject.says(f"{_named(window)} follows the order of {_terms(window)}, which is no time"),
            subject.places.window(window.window),
            "order by the event time first, and by this after it",
        )
    for select in selects_of(subject.model.tree):
        order = select.args.get("order")
        if order is None or select.args.get("limit") is None or subject.reads_static_alone(select):
            continue
        reading, term = Reading(select, subject), order.expressions[0]
        if reading.way(term.this) == "no time" and not reading.ends_early():
            text = term.sql(subject.model.dialect)
            yield Found(
                subject.says(f"'{subject.model.name}' keeps the first rows in the order of {text}, which is no time"),
                subject.places.near(term),
                "keep all rows, or end them at an instant: where ts < timestamp '2023-01-01', or that of the outer row",
            )


def _named(window: Ordered) -> str:
    """The column that a window makes, and where."""
    model = window.subject.model
    item: exp.Expr | None = window.window
    while item is not None and item.parent is not window.select:
        item = item.parent
    name = item.alias_or_name if item is not None and item.arg_key == "expressions" else ""
    if not name:
        return f"a window of '{model.name}'"
    outermost = window.select is model.tree and window.subject.is_view
    return f"{'feature' if outermost else 'column'} '{name}' of '{model.name}'"


def _is_excused(window: Ordered) -> bool:
    """Whether a window may look around: among rows of one instant, or in what has no history."""
    return window.reads_static_alone or window.is_one_instant


def _reach(window: Ordered) -> tuple[str, str] | None:
    """The reason why a window looks forward and what to write instead; None if nothing surely does."""
    if window.name in _SHIFTS:
        return _shift(window)
    if window.way == "constant":
        return None
    if window.name in _RANKS:
        if window.way == "backward" and not picks_rows(window):
            return (
                f"{window.name}() counts from the newest row ({_terms(window)})",
                "order by the event time ascending, without desc",
            )
        # A rank counts the rows before the peers, unless something that is no time orders the peers.
        is_moved = window.name == "row_number" or window.ends_in_values
        is_moved = is_moved or (window.coarse is not None and window.coarse.grain == "cyclic")
        return _peers(window) if is_moved and not picks_rows(window) else None
    if window.name in _SHARES:
        return None
    return _frame(window) or (_peers(window) if _sees_peers(window) else None)


def _shift(window: Ordered) -> tuple[str, str] | None:
    """How lag() and lead() reach."""
    value, offset = _shifted(window)
    steps = 1 if offset is None else _integer(offset)
    if steps is None:
        return (
            f"the offset of {window.name}() is not a literal number, so it may reach forward",
            f"write a number, as in lag({value.sql()}, 1)",
        )
    if window.way == "constant":
        return None
    ahead = steps * _SHIFTS[window.name] * (-1 if window.way == "backward" else 1)
    if ahead <= 0:
        return None if ahead == 0 else _peers(window)
    if window.name.startswith("lead") and _is_time(window, value):
        hint = "leave it out: a row is valid until the next one, so an as-of feature needs no end of validity"
    elif window.subject.view.rendered.config.known_at is not None:
        hint = f"for earlier rows write {_known_rows(value)}"
    else:
        hint = f"for the row before write lag({value.sql()}{f', {ahead}' if ahead > 1 else ''}) over (… order by "
        hint += f"{_ascending(window)})"
    if window.way == "backward":
        return f"in the order {_terms(window)}, {window.name}() reads a row after each row", hint
    if window.name.startswith("lag"):
        return f"lag() with the offset {steps} reads a row after each row", hint
    return f"{window.name}() reads a row after each row", hint


def _shifted(window: Ordered) -> tuple[exp.Expr, exp.Expr | None]:
    """The argument of lag() or lead(), and the number of rows it is shifted by if that is written."""
    function = window.function
    if not isinstance(function, exp.Anonymous):
        return function.this, function.args.get("offset")
    arguments = [*function.expressions, None, None]
    return arguments[0] or exp.Star(), arguments[1]


def _frame(window: Ordered) -> tuple[str, str] | None:
    """How a frame reaches."""
    starts, ends = (_side(window.spec, side) for side in ("start", "end"))
    if window.is_lifted and "FOLLOWING" not in (starts, ends):
        return None  # if its order is not the event time, that is another error
    if window.way == "backward":
        if starts != "PRECEDING" or window.is_lifted:
            return None
        return (
            f"in the order {_terms(window)}, {window.name}() reads the rows after each row",
            "order by the event time ascending; for the newest value, select the plain column",
        )
    if "FOLLOWING" in (starts, ends):
        return "a frame with FOLLOWING", "end the frame at the current row: … and current row"
    return None


def _peers(window: Ordered) -> tuple[str, str] | None:
    """How an order that merges instants reaches: the rows that it does not tell apart are later ones, too."""
    coarse = window.coarse
    if coarse is None:
        return None
    text = coarse.expression.sql(window.subject.model.dialect)
    columns = {column.sql(window.subject.model.dialect): column for column in coarse.expression.find_all(exp.Column)}
    time = f", {next(iter(columns))}" if len(columns) == 1 and coarse.select is window.select else ""
    if coarse.grain == "cyclic":
        return f"{text} does not grow with time, so {window.name}() reads later rows", f"order by the time itself{time}"
    return (
        f"rows with the same {text} may be later, and {window.name}() reads them",
        f"order by the time itself{time}; for the time before only, end a RANGE frame with an interval PRECEDING",
    )


def _sees_peers(window: Ordered) -> bool:
    """Whether the frame of an aggregate contains rows that tie with the current one, or stand near it by chance."""
    spec = window.spec
    kind = str(spec.args.get("kind") or "RANGE").upper() if spec is not None else "RANGE"
    start, end = _side(spec, "start"), _side(spec, "end")
    if kind == "ROWS":
        return (start, end) != ("", "")
    if window.coarse is not None and window.coarse.grain == "cyclic":
        return True
    exclude = spec.args.get("exclude") if spec is not None else None
    if exclude is not None and exclude.name.upper() in ("TIES", "GROUP"):
        return False
    return (start if window.way == "backward" else end) == ""


def _side(spec: exp.WindowSpec | None, side: str) -> str:
    """PRECEDING, FOLLOWING, or nothing for the current row and for a distance of zero."""
    if spec is None:
        return "PRECEDING" if side == "start" else ""
    bound = spec.args.get(side)
    distance = bound.this if isinstance(bound, exp.Interval) else bound
    if isinstance(distance, exp.Literal) and distance.name.split(" ")[0] == "0":
        return ""
    return str(spec.args.get(f"{side}_side") or "").upper()


def _whole(window: Ordered) -> str | None:
    """Why a window depends on its whole partition, or None where it surely does not."""
    if window.name in _SHARES:
        return f"{window.name}() depends on the total number of rows"
    if window.name in _RANKS:
        if picks_rows(window):
            return None  # a row that is chosen: latest wins, say
        if window.way == "no time":
            return f"{window.name}() is ordered by {_terms(window)}, which is not a time"
    if window.way != "constant":
        return None
    if merged_order := window.window.args.get("order"):
        return f"{window.name}() is ordered by {merged_order.sql().removeprefix('ORDER BY ')}, the same in all of them"
    return f"{window.name}() is over a window without ORDER BY"


def picks_rows(window: Ordered) -> bool:
    """Whether a rank only chooses rows: it stands in a QUALIFY, or somebody filters by it."""
    if window.name not in _RANKS:
        return False
    if window.window.find_ancestor(exp.Qualify) is not None:
        return True
    item = window.window.parent
    if not isinstance(item, exp.Alias):
        return False
    name = item.alias.casefold()
    return any(
        column.name.casefold() == name and _filters(column)
        for model in window.subject.closure.values()
        if model is window.subject.model or window.subject.model.name in model.rendered.refs
        for column in model.tree.find_all(exp.Column)
    )


def _filters(column: exp.Column) -> bool:
    if column.find_ancestor(*_FILTERS) is not None:
        return True
    join = column.find_ancestor(exp.Join, exp.Select)
    return isinstance(join, exp.Join)


def _counts_rows(window: Ordered) -> bool:
    """Whether the window is an item over a frame of rows in the view's outermost select, which is another error."""
    kind = str(window.spec.args.get("kind") or "").upper() if window.spec is not None else ""
    return window.subject.is_view and window.select is window.subject.model.tree and kind in ("ROWS", "GROUPS")


def _is_event_time(subject: Subject) -> bool:
    config = subject.view.rendered.config
    return (config.known_at or "").casefold() == (config.event_time or "").casefold()


def _has_known_at(window: Ordered) -> bool:
    """Whether a window reads the rows whose ``known_at`` the view has."""
    subject = window.subject
    tables: set[str] = set()
    for origin in origins_of_role(subject, subject.view.rendered.config.known_at):
        match origin:
            case Stored():
                tables.add(origin.relation)
            case Computed():
                tables |= subject.lineage.tables(origin.select, origin.model)
    return not tables or bool(tables & subject.lineage.tables(window.select, subject.model))


def _is_covered(window: Ordered) -> bool:
    """Whether the view's ``known_at`` is the greatest one of the window's own rows."""
    for origin in origins_of_role(window.subject, window.subject.view.rendered.config.known_at):
        if not isinstance(origin, Computed):
            return False
        greatest = origin.expression
        if greatest is window.window:
            continue
        if not isinstance(greatest, exp.Window):
            return False
        other = Ordered(greatest, origin.select, window.subject)
        same = [plain(p) for p in other.partition] == [plain(p) for p in window.partition]
        same = same and [plain(o) for o in other.order] == [plain(o) for o in window.order]
        if other.name != "max" or not same or not _reaches_as_far(other, window):
            return False
    return True


def _reaches_as_far(greatest: Ordered, window: Ordered) -> bool:
    """Whether the frame of the greatest ``known_at`` holds every row that a window reads."""
    spec = greatest.spec
    if spec is None or str(spec.args.get("start") or "").upper() == "UNBOUNDED":
        return _side(spec, "end") == ""
    if window.name in _SHIFTS:
        steps, back = _integer(window.function.args.get("offset") or exp.Literal.number(1)), spec.args.get("start")
        rows = str(spec.args.get("kind") or "").upper() == "ROWS"
        return (
            rows
            and isinstance(back, exp.Expr)
            and abs(steps or 0) <= (_integer(back) or 0)
            and _side(spec, "end") == ""
        )
    return window.spec is not None and window.spec.sql().upper() == spec.sql().upper()


def _instead(window: Ordered) -> str:
    """The hint for a window in a view with ``known_at``."""
    if window.name in _SHIFTS:
        write = f"write {_known_rows(_shifted(window)[0])}"
    elif window.name in _RANKS:
        write = "write count(*) over {{ last('365 days') }}"
    else:
        inner = window.window.this.sql(window.subject.model.dialect)
        write = f"write {inner} over {{{{ last('365 days') }}}}"
    return f"{write}, in the view's outermost select: it sees what was known at the instant asked for"


def _known_rows(value: exp.Expr) -> str:
    return f"list({value.sql()}) over {{{{ last('30 days') }}}}, the newest row last"


def _is_time(window: Ordered, value: exp.Expr) -> bool:
    first = window.order[0]
    return plain(value) == plain(first.this if isinstance(first, exp.Ordered) else first)


def _terms(window: Ordered) -> str:
    return ", ".join(term.sql(window.subject.model.dialect) for term in window.order)


def _ascending(window: Ordered) -> str:
    """The first term of the order in ascending order, or the event time if the term counts down."""
    first = window.order[0]
    if window.way == "backward" and not first.args.get("desc"):
        return window.subject.view.rendered.config.event_time or ""
    return (first.this if isinstance(first, exp.Ordered) else first).sql(window.subject.model.dialect)


def _integer(value: exp.Expr) -> int | None:
    """The whole number that an expression of literals is, or None."""
    match value:
        case exp.Literal() if not value.is_string and value.name.isdigit():
            return int(value.name)
        case exp.Neg():
            inner = _integer(value.this)
            return None if inner is None else -inner
        case exp.Paren() | exp.Cast():
            return _integer(value.this)
        case exp.Add() | exp.Sub() | exp.Mul():
            left, right = _integer(value.left), _integer(value.right)
            if left is not None and right is not None:
                return _ARITHMETIC[type(value)](left, right)
    return None
