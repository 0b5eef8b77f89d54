"""Takes trailing windows out of a feature view's select, so that their frames can end at the spine's instant (rule 4).

A trailing window partitions by the entity's keys, orders by the event time and has a RANGE frame of fixed intervals.
The rest of the select gives plain rows: the keys, times and as-of columns and, under hidden names, the arguments of
the windows. For example ::

    select carrier, ts, delay, avg(delay) over (partition by carrier order by ts range interval '1 day' preceding) as m

becomes ``select carrier, ts, delay, delay as _1`` and the call ``avg(_1)`` over a frame of one day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sqlglot import exp

from asknown.aggregates import AGGREGATES, REFUSED, Aggregate
from asknown.durations import microseconds
from asknown.errors import AsknownError, Where, did_you_mean
from asknown.model.nodes import Frame, Item, Lifted, Model, PeriodFrame, WindowCall
from asknown.model.period_frames import read_period_frame
from asknown.model.window_patterns import Around, around_window
from asknown.periods import CalendarPeriod
from asknown.project.sources import check_zone

_COUNT = re.compile(r"[1-9][0-9]{0,5}")


def is_trailing(window: exp.Window, select: exp.Expr | None) -> bool:
    """Whether a window's frame, or that of the named window it extends, is a RANGE with a bound that is an interval."""
    spec = merged(window, select)[2]
    bounds = (spec.args.get("start"), spec.args.get("end")) if spec is not None else ()
    return spec is not None and _word(spec, "kind") == "RANGE" and any(isinstance(b, exp.Expr) for b in bounds)


def has_trailing_windows(model: Model) -> bool:
    """Whether a model's select has a trailing window."""
    windows = (window for item in model.tree.selects for window in item.find_all(exp.Window))
    return any(is_trailing(window, window.find_ancestor(exp.Select)) for window in windows)


def lift_windows(model: Model, keys: tuple[str, ...], event_time: str, columns: Sequence[str]) -> Lifted | None:
    """The select of ``model`` with its trailing windows taken out, or None if it has none.

    ``columns`` are the names of all its columns, with stars expanded. Raises ``leak-frame-ahead`` for a frame that
    reaches ahead. Raises ``bad-window`` for a window that is no trailing window of the entity, for one in a place where
    its frame cannot end at the spine's instant, and for an aggregate that is not supported.
    """
    outer = [window for item in model.tree.selects for window in item.find_all(exp.Window)]
    if not any(is_trailing(window, window.find_ancestor(exp.Select)) for window in outer):
        return None
    return _Lifter(model, keys, event_time, columns).lift()


class _Lifter:
    def __init__(self, model: Model, keys: tuple[str, ...], event_time: str, columns: Sequence[str]) -> None:
        self.model = model
        self.keys = keys
        self.event_time = event_time
        self.calls: list[WindowCall] = []
        self.hidden: dict[str, tuple[str, exp.Expr]] = {}  # by SQL text
        self.reserved_names = {name.casefold() for name in columns}

    def lift(self) -> Lifted:
        select = self._plain_select()
        items: list[Item] = []
        kept: list[exp.Expr] = []
        for item in select.selects:
            windows = [w for w in item.find_all(exp.Window) if is_trailing(w, select)]
            if not windows:
                kept.append(item)
                items.append(Item(item.alias_or_name, None, (), ()))
                continue
            lifted = self._lift_item(item, select)
            items.append(lifted)
        hidden = [exp.alias_(value, name, quoted=True) for name, value in self.hidden.values()]
        rows = select.copy()
        rows.set("expressions", [*(item.copy() for item in kept), *hidden])
        if not any(item.find(exp.Window) for item in rows.selects):
            rows.set("windows", None)  # nobody refers to them any more
        return Lifted(rows, tuple(name for name, _ in self.hidden.values()), tuple(items), tuple(self.calls))

    def _plain_select(self) -> exp.Select:
        tree = self.model.tree
        if not isinstance(tree, exp.Select):
            raise self._refuse(
                "a trailing window cannot stand in a union", "put the union into a CTE or into a model of its own"
            )
        for part, what in (("group", "GROUP BY"), ("distinct", "DISTINCT"), ("limit", "LIMIT"), ("qualify", "QUALIFY")):
            if tree.args.get(part) is not None:
                raise self._refuse(
                    f"a trailing window cannot stand in a select with {what}",
                    f"move the {what} into a CTE or a model of its own, and read from that",
                )
        return tree

    def _lift_item(self, item: exp.Expr, select: exp.Select) -> Item:
        name = item.alias_or_name
        check_lambdas(self.model, item, self.model.reads)
        if not name:
            raise self._refuse("a trailing window needs a name", "write: … over (…) as some_name", near=item)
        if item.find(exp.Query) is not None:
            raise self._refuse(f"feature '{name}' mixes a window and a subquery", "compute the subquery in a CTE")
        used: list[int] = []
        columns: list[str] = []

        def replace(node: exp.Expr) -> exp.Expr:
            around = around_window(node)
            window = node if isinstance(node, exp.Window) else around.window if around is not None else None
            if window is not None:
                if not is_trailing(window, select):
                    raise self._refuse(f"feature '{name}' mixes windows of two kinds", "compute one of them in a CTE")
                place = self._call(window, select, name, around)
                used.append(place)
                return exp.Parameter(this=exp.Literal.number(place))
            if isinstance(node, exp.Column):
                hidden = self._hide(node)
                columns.append(hidden)
                return exp.column(exp.to_identifier(hidden, quoted=True))
            return node

        value = item.this if isinstance(item, exp.Alias) else item
        return Item(name, value.copy().transform(replace), tuple(used), tuple(dict.fromkeys(columns)))

    def _call(self, window: exp.Window, select: exp.Select, feature: str, around: Around | None) -> int:
        partition, order, spec = merged(window, select)
        assert spec is not None
        self._check_partition(partition, feature, window)
        self._check_order(order, feature, window)
        frame = self._frame(spec, order, feature, window)
        inner, conditions = window.this, []
        if isinstance(inner, exp.Filter):
            conditions.append(inner.expression.this)
            inner = inner.this
        if isinstance(inner, exp.IgnoreNulls):
            inner = inner.this
        aggregate, arguments = self._aggregate(inner, feature, window, around)
        second = self._second(aggregate, arguments, feature, window) if around is None else around.number
        if aggregate.arguments == "condition":
            conditions.append(arguments.pop())
        call = WindowCall(
            aggregate,
            self._hide(arguments[0]) if arguments else None,
            self._hide(arguments[1]) if aggregate.paired else None,
            second,
            self._hide(exp.and_(*conditions)) if conditions else None,
            frame,
        )
        if call not in self.calls:
            self.calls.append(call)
        return self.calls.index(call)

    def _aggregate(
        self, inner: exp.Expr, feature: str, window: exp.Window, around: Around | None
    ) -> tuple[Aggregate, list[exp.Expr]]:
        """The aggregate of a window, and its arguments; none for ``count(*)``."""
        spelled, arguments = _taken_apart(inner)
        distinct = bool(arguments) and isinstance(arguments[0], exp.Distinct)
        if distinct:
            arguments = [*arguments[0].expressions, *arguments[1:]]
        bare = [a for a in AGGREGATES.values() if a.inside is None]
        found = [a for a in bare if spelled in a.sql and (a.distinct == distinct or not a.distinct)]
        found = found if around is None else [around.aggregate]
        if not found and (inside := next((a.inside for a in AGGREGATES.values() if spelled in a.sql), None)):
            hint = f"write: {inside.replace(':w', f'{spelled}(x) over …')}"
            raise self._refuse_aggregate(feature, f"{spelled}() alone is not supported", hint, window)
        if not found or spelled in REFUSED:
            known = sorted({name for a in AGGREGATES.values() for name in a.sql})
            hint = REFUSED.get(spelled) or did_you_mean(spelled, known, what="aggregates")
            raise self._refuse_aggregate(feature, f"{spelled}() is not supported", hint, window)
        found = [a for a in found if a.arity == len(arguments)] or found[:1]
        aggregate = max(found, key=lambda a: a.distinct == distinct)
        if distinct and not aggregate.distinct and aggregate.state != "extreme":
            hint = "count(distinct …) and list(distinct …) are; or remove duplicates in a model below this one"
            raise self._refuse_aggregate(feature, f"{spelled}(distinct …) is not supported", hint, window)
        if any(isinstance(argument, exp.Order | exp.RespectNulls) for argument in arguments):
            hint = "rows are in the order of event_time, NULLs are skipped; for another order use arg_min or arg_max"
            raise self._refuse_aggregate(feature, f"an order inside {spelled}() is not supported", hint, window)
        if aggregate.name == "count" and (not arguments or isinstance(arguments[0], exp.Star)):
            return aggregate, []
        expected = aggregate.arity
        if len(arguments) != expected:
            hint = f"write {spelled}(x)" if expected == 1 else f"write {spelled}(x, …)"
            raise self._refuse_aggregate(
                feature, f"{spelled}() takes {expected} here, not {len(arguments)}", hint, window
            )
        return aggregate, arguments

    def _second(
        self, aggregate: Aggregate, arguments: list[exp.Expr], feature: str, window: exp.Window
    ) -> float | str | None:
        """The second of the arguments where it must be a literal."""
        second = arguments[-1] if len(arguments) > 1 else None
        match aggregate.arguments:
            case "value and count" | "value, order and count":
                if isinstance(second, exp.Literal) and _COUNT.fullmatch(second.name) and not second.is_string:
                    return int(second.name)
                name = f"{aggregate.sql[0]}(x, {'y, ' if aggregate.paired else ''}"
                raise self._refuse(
                    f"feature '{feature}': {aggregate.sql[0]}() takes a whole number from 1 to 999999 as its last "
                    "argument",
                    f"write: {name}3) over …",
                    near=window,
                )
            case "value and number":
                if isinstance(second, exp.Literal) and not second.is_string and 0 <= float(second.name) <= 1:
                    return float(second.name)
                needed, example = "a number from 0 to 1", "0.9"
            case "value and text":
                if isinstance(second, exp.Literal) and second.is_string:
                    return second.name
                needed, example = "a text in quotes", "', '"
            case _:
                return None
        name = aggregate.sql[0]
        raise self._refuse(
            f"feature '{feature}': {name}() takes {needed} as its second argument",
            f"write: {name}(x, {example}) over …",
            near=window,
        )

    def _refuse_aggregate(self, feature: str, what: str, hint: str, window: exp.Window) -> AsknownError:
        return self._refuse(f"feature '{feature}': {what} over a trailing window", hint, near=window)

    def _hide(self, value: exp.Expr) -> str:
        text = value.sql("duckdb")
        if text not in self.hidden:
            name = f"_{len(self.hidden) + 1}"
            while name in self.reserved_names:
                name = f"_{name}"
            self.hidden[text] = (name, value.copy())
        return self.hidden[text][0]

    # -- the frame ---------------------------------------------------------------------------------------------

    def _check_partition(self, partition: list[exp.Expr], feature: str, window: exp.Window) -> None:
        missing = [key for key in self.keys if not any(self._is_item(value, key) for value in partition)]
        if missing or len(partition) != len(self.keys):
            keys = ", ".join(self.keys) or "nothing"
            raise self._refuse(
                f"the window of '{feature}' partitions by {', '.join(p.sql() for p in partition) or 'nothing'}, "
                f"and the keys are {keys}",
                "write over {{ last('7 days') }}, which partitions by the keys",
                near=window,
            )

    def _check_order(self, order: list[exp.Expr], feature: str, window: exp.Window) -> None:
        plain = [o.this if isinstance(o, exp.Ordered) else o for o in order]
        ascending = all(not o.args.get("desc") for o in order if isinstance(o, exp.Ordered))
        if len(plain) == 1 and ascending and self._is_item(plain[0], self.event_time):
            return
        raise self._refuse(
            f"the window of feature '{feature}' orders by {', '.join(o.sql() for o in plain) or 'nothing'}; "
            f"a trailing window orders by the event time, {self.event_time}",
            "write over {{ last('7 days') }}, which orders by it",
            near=window,
        )

    def _is_item(self, value: exp.Expr, name: str) -> bool:
        """Whether an expression inside the select is that of the item ``name``, or refers to it by name."""
        item = next((i for i in self.model.tree.selects if i.alias_or_name.casefold() == name.casefold()), None)
        named = isinstance(value, exp.Column) and value.name.casefold() == name.casefold()
        if item is None:
            return named  # of a star
        written = item.this if isinstance(item, exp.Alias) else item
        if value.sql("duckdb").casefold() == written.sql("duckdb").casefold():
            return True
        same = isinstance(written, exp.Column) and written.name.casefold() == name.casefold()
        return named and isinstance(value, exp.Column) and (same or not value.table)

    def _frame(
        self, spec: exp.Expr, order: Sequence[exp.Expr], feature: str, window: exp.Window
    ) -> Frame | PeriodFrame:
        if "FOLLOWING" in (_word(spec, "start_side"), _word(spec, "end_side")):
            raise AsknownError(
                "leak-frame-ahead",
                f"feature '{feature}' of '{self.model.name}' looks forward in time: a frame with FOLLOWING",
                at=place_of(self.model, window),
                hint="end the frame at the current row: … and current row",
            )
        if spec.args.get("exclude"):
            raise self._refuse(f"the window of feature '{feature}' has EXCLUDE", "leave it out", near=window)
        event_time = order[0].this if isinstance(order[0], exp.Ordered) else order[0]
        period = read_period_frame(spec.args.get("start"), spec.args.get("end"), event_time)
        if period is not None:
            if isinstance(period.period, CalendarPeriod):
                check_zone(period.period.zone, place_of(self.model, window))
            return period
        oldest, newest = (self._bound(spec.args.get(side), feature, window) for side in ("start", "end"))
        if oldest < newest:
            raise self._refuse(
                f"the window of feature '{feature}' ends before it begins", "swap its bounds", near=window
            )
        return Frame(oldest, newest)

    def _bound(self, bound: object, feature: str, window: exp.Window) -> int:
        if bound is None or (isinstance(bound, str) and bound.upper() == "CURRENT ROW"):
            return 0
        if isinstance(bound, exp.Cast) and bound.is_type("interval"):
            bound = exp.Interval(this=bound.this)
        if not isinstance(bound, exp.Interval) or not isinstance(bound.this, exp.Literal | exp.Paren):
            raise self._refuse(
                f"the window of feature '{feature}' has a bound that is not a fixed interval",
                "write: range between interval '7 days' preceding and current row; "
                "for the calendar: over {{ this('month') }} or over {{ previous('month') }}",
                near=window,
            )
        unit = bound.args.get("unit")
        number = bound.this
        while isinstance(number, exp.Paren):
            number = number.this
        return microseconds(
            f"{number.name} {unit.name if unit is not None else ''}".strip(), at=place_of(self.model, window)
        )

    def _refuse(self, message: str, hint: str, *, near: exp.Expr | None = None) -> AsknownError:
        at = self.model.rendered.where(1) if near is None else place_of(self.model, near)
        return AsknownError("bad-window", f"{message} (feature view '{self.model.name}')", at=at, hint=hint)


def check_lambdas(model: Model, item: exp.Expr, columns: Iterable[str]) -> None:
    """Refuses a parameter of a lambda that a column or a relation has the name of.

    In ``lambda e: e.v``, DuckDB reads a column if a relation is called ``e``.
    """
    taken = {name.casefold() for name in columns}
    taken |= {table.alias_or_name.casefold() for table in model.tree.find_all(exp.Table)}
    for function in item.find_all(exp.Lambda):
        for parameter in function.expressions:
            if parameter.name.casefold() in taken:
                raise AsknownError(
                    "bad-model",
                    f"'{model.name}' has a function whose parameter '{parameter.name}' is also the name of a column "
                    "or a relation, which could be read in its place",
                    at=place_of(model, parameter),
                    hint=f"write {parameter.name}_: macros and examples end parameters in _",
                )


def place_of(model: Model, node: exp.Expr) -> Where:
    """The place of a window's frame in the author's file, or of an expression's start."""
    starts = [int(n.meta["start"]) for n in node.walk() if "start" in n.meta]
    sql = model.rendered.sql
    start = min(starts, default=0)
    frame = re.compile(r"\b(range|rows|groups)\b", re.IGNORECASE).search(sql, start)
    if isinstance(node, exp.Window) and node.args.get("spec") is not None and frame is not None:
        start = frame.start()
    line = sql.count("\n", 0, start) + 1
    return model.rendered.where(line, start - sql.rfind("\n", 0, start))


def merged(window: exp.Window, select: exp.Expr | None) -> tuple[list[exp.Expr], list[exp.Expr], exp.WindowSpec | None]:
    """A window's partition, order and frame, with those of the named window that it extends."""
    partition = list(window.args.get("partition_by") or [])
    order = window.args.get("order")
    spec = window.args.get("spec")
    named = window.args.get("alias")
    if named is not None and select is not None:
        for base in select.args.get("windows") or []:
            if base.this.name.casefold() == named.name.casefold():
                below = merged(base, select)
                return partition or below[0], (list(order.expressions) if order else below[1]), spec or below[2]
    return partition, list(order.expressions) if order else [], spec


def calls_of(window: exp.Window) -> tuple[str, bool]:
    """The name of the function that a window is over, in lower case, and whether it is over DISTINCT values."""
    inner = window.this
    while isinstance(inner, exp.Filter | exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
        inner = inner.this
    name, arguments = _taken_apart(inner)
    return name, bool(arguments) and isinstance(arguments[0], exp.Distinct)


def _taken_apart(call: exp.Expr) -> tuple[str, list[exp.Expr]]:
    """The function's name in lower case, and its arguments."""
    if isinstance(call, exp.RespectNulls):
        name, arguments = _taken_apart(call.this)
        return name, [*arguments, call]
    name = call.sql("duckdb").partition("(")[0].strip().casefold()
    name = "string_agg" if isinstance(call, exp.GroupConcat) else name  # which sqlglot writes as LISTAGG
    arguments = [] if isinstance(call, exp.Anonymous) else [call.this]
    arguments += [value for key, value in call.args.items() if key not in ("this", "expressions")]
    arguments += call.args.get("expressions") or []
    return name, [value for value in arguments if isinstance(value, exp.Expr)]


def _word(spec: exp.Expr, part: str) -> str:
    return str(spec.args.get(part) or "").upper()
