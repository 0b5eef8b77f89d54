"""Functions of dates and timestamps in portable expressions. A timestamp is naive, in UTC."""

from __future__ import annotations

import re
from datetime import datetime

from sqlglot import exp

from asknown.durations import MICROSECONDS
from asknown.model.expressions import arithmetic as numbers
from asknown.model.expressions.arithmetic import Write, Writer, operation
from asknown.model.expressions.types import (
    BIGINT,
    DATE,
    DOUBLE,
    INTEGER,
    NULL,
    TIMESTAMP,
    TIMESTAMPTZ,
    VARCHAR,
    NotPortableError,
    Part,
    convert,
    holds,
)
from asknown.types import SqlType
from asknown.values.times import CUTS, DIFFERENCES, PARTS

_SPELLED = {
    **{f"{unit}s": unit for unit in ("year", "quarter", "month", "week", "day", "hour", "minute", "second")},
    **{"milliseconds": "millisecond", "microseconds": "microsecond", "ms": "millisecond", "us": "microsecond"},
    **{"dayofweek": "dow", "weekday": "dow", "dayofyear": "doy", "weekofyear": "week", "dayofmonth": "day"},
    **{"isodayofweek": "isodow", "dayofweekiso": "isodow"},
}
"""Other names of parts and units."""


def time_of(what: str, part: Part) -> Part:
    """The part, which must be a date or a timestamp."""
    if part.type is NULL:
        return convert(part, TIMESTAMP)
    if part.type.kind == "timestamptz":
        raise NotPortableError(
            f"{what} of a {part.type} depends on the session's zone: write … at time zone 'UTC' first"
        )
    if part.type.kind not in ("date", "timestamp"):
        raise NotPortableError(f"{what} of a {part.type} is not supported: it takes a date or a timestamp")
    return part


_ISO = re.compile(r"\d{4}-\d\d-\d\d(?P<time>[ T]\d\d:\d\d:\d\d(\.\d{1,6})?)?", re.ASCII)


def time_literal(part: Part, kind: SqlType) -> Part | None:
    """The date or timestamp that a text says, as a literal of that type; None if ``kind`` or the part is another."""
    if part.type != VARCHAR or kind not in (DATE, TIMESTAMP):
        return None
    text = str(part.tree[2])
    found = _ISO.fullmatch(text)
    try:
        moment = datetime.fromisoformat(text) if found and (kind == TIMESTAMP or not found["time"]) else None
    except ValueError:  # the 30th of February
        moment = None
    if moment is None:
        raise NotPortableError(f"'{text}' is not read as a {kind}: write '2024-02-29'"
                               + (" or '2024-02-29 12:30:00'" if kind == TIMESTAMP else ""))  # fmt: skip
    spelled = moment.date().isoformat() if kind == DATE else moment.isoformat(" ")
    return Part(("literal", kind.name, spelled), kind)


def _unit(node: exp.Expr | None) -> str:
    if not isinstance(node, exp.Var | exp.Literal | exp.Column):
        raise NotPortableError("the part of a time must be a literal, as in date_diff('hour', a, b)")
    name = node.name.casefold()
    return _SPELLED.get(name, name)


def _difference(writer: Writer, node: exp.Expr) -> Part:
    """date_diff(unit, a, b): how many bounds of the unit lie between a and b."""
    unit = _unit(node.args.get("unit"))
    if unit not in DIFFERENCES:
        instead = "write date_diff('day', a, b) // 7" if unit == "week" else f"there are {', '.join(DIFFERENCES)}"
        raise NotPortableError(f"date_diff('{unit}', …) is not supported: {instead}")
    start, end = (time_of("date_diff()", part) for part in writer.parts(node.expression, node.this))
    return operation(f"difference in {unit}s", BIGINT, start, end)


def _part(name: str, part: Part) -> Part:
    if name == "epoch":
        return operation("epoch", DOUBLE, time_of("epoch()", part))
    if name not in PARTS:
        raise NotPortableError(f"the part '{name}' of a time is not supported: there are {', '.join(PARTS)}, epoch")
    return operation(f"{name} of", BIGINT, time_of(f"{name}()", part))


def _extract(writer: Writer, node: exp.Expr) -> Part:
    """extract(part from x)."""
    return _part(_unit(node.this), writer.part(node.expression))


def part_of(name: str) -> Write:
    """A function that is named as the part, such as hour(x)."""
    return lambda writer, node: _part(name, writer.part(node.this))


def _date_part(writer: Writer, node: exp.Expr) -> Part:
    """date_part('part', x)."""
    unit, value = node.expressions
    return _part(_unit(unit), writer.part(value))


def _named_part(name: str) -> Write:
    """A function of a part that sqlglot does not know."""
    return lambda writer, node: _part(name, writer.part(node.expressions[0]))


def _cut(writer: Writer, node: exp.Expr) -> Part:
    """date_trunc(unit, x)."""
    unit = _unit(node.args.get("unit"))
    if unit not in CUTS:
        raise NotPortableError(f"date_trunc('{unit}', …) is not supported: there are {', '.join(CUTS)}")
    return operation(f"cut to {unit}", TIMESTAMP, time_of("date_trunc()", writer.part(node.this)))


def _epoch(writer: Writer, node: exp.Expr) -> Part:
    """epoch(x), or epoch(a - b) of two timestamps."""
    inner = node.this.unnest()
    if isinstance(inner, exp.Sub) and not isinstance(inner.expression.unnest(), exp.Interval):
        left, right = writer.parts(inner.this, inner.expression)
        if left.type.kind == right.type.kind == "timestamp":
            return operation("seconds between", DOUBLE, left, right)
    return _part("epoch", writer.part(node.this))


def _epoch_in(name: str) -> Write:
    def write(writer: Writer, node: exp.Expr) -> Part:
        value = node.expressions[0] if isinstance(node, exp.Anonymous) else node.this
        return operation(name, BIGINT, time_of(f"{name}()", writer.part(value)))

    return write


def _unix(writer: Writer, node: exp.Expr) -> Part:
    """epoch_ms(x), which sqlglot reads as a conversion from milliseconds."""
    if node.args.get("scale") is None or node.args["scale"].name != "3":
        raise NotPortableError("to_timestamp() is not supported")
    return operation("epoch_ms", BIGINT, time_of("epoch_ms()", writer.part(node.this)))


# ---------------------------------------------------------------- sums and differences


def sum_or_difference(sign: str) -> Write:
    """x + y or x - y, of times or of numbers."""

    def write(writer: Writer, node: exp.Expr) -> Part:
        left, right = node.this.unnest(), node.expression.unnest()
        if isinstance(right, exp.Interval):
            return _with_interval(writer.part(node.this), _length(right) * (-1 if sign == "-" else 1))
        if isinstance(left, exp.Interval):
            if sign == "-":
                raise NotPortableError("an interval less a time is not supported")
            return _with_interval(writer.part(node.expression), _length(left))
        parts = writer.parts(node.this, node.expression)
        return _of_times(sign, *parts) or numbers.sum_or_difference(sign, *parts)

    return write


def _of_times(sign: str, *parts: Part) -> Part | None:
    """The sum or difference of two parts if one is a time, else None."""
    kinds = [part.type.kind for part in parts]
    match kinds, sign:
        case ["date", "date"], "-":
            return operation("days between", BIGINT, *parts)
        case ["date", "integer"], _:
            return _with_days(parts[0], parts[1], sign)
        case ["integer", "date"], "+":
            return _with_days(parts[1], parts[0], sign)
        case _ if "timestamptz" in kinds and kinds != ["timestamptz", "timestamptz"]:
            raise NotPortableError(
                f"{parts[0].type} {sign} {parts[1].type} depends on the session's zone: "
                "write … at time zone 'UTC' behind the one with a zone, also in a macro's argument, "
                "as in days_since(\"paid_at at time zone 'UTC'\")"
            )
        case _ if "timestamp" in kinds or "date" in kinds or "timestamptz" in kinds:
            raise NotPortableError(
                f"{parts[0].type} {sign} {parts[1].type} is not supported: write date_diff('second', b, a), "
                "epoch(a - b), or a fixed interval such as interval '7 days'"
            )
    return None


def _with_days(day: Part, days: Part, sign: str) -> Part:
    if days.literal is None and days.type.bits > INTEGER.bits:
        raise NotPortableError(f"a DATE and a {days.type} are not added by the engine: cast it to INTEGER")
    if days.literal is not None and not holds(INTEGER, days.literal):
        raise NotPortableError(f"a DATE and a number of days as {days.literal} are not added")
    count = convert(days, INTEGER)
    return operation("add days", DATE, day, count if sign == "+" else _negative(count))


def _negative(days: Part) -> Part:
    return operation("negative", BIGINT, convert(days, BIGINT))


def _with_interval(part: Part, length: int) -> Part:
    return operation("add interval", TIMESTAMP, time_of("an interval", part), _literal(length))


def _literal(value: int) -> Part:
    return Part(("literal", BIGINT.name, value), BIGINT)


def _length(node: exp.Interval) -> int:
    """A fixed interval in microseconds."""
    number = node.this
    while isinstance(number, exp.Paren):
        number = number.this
    sign = 1
    if isinstance(number, exp.Neg):
        number, sign = number.this, -1
    text = number.name if isinstance(number, exp.Literal) else ""
    unit = node.args.get("unit")
    name = _SPELLED.get(unit.name.casefold(), unit.name.casefold()) if unit is not None else ""
    if text.startswith("-"):
        text, sign = text[1:], -sign
    if not text.isdecimal() or name not in MICROSECONDS:
        raise NotPortableError(
            f"{node.sql('duckdb')} is not supported: write a whole number of a fixed unit, as in interval '7 days'"
        )
    return sign * int(text) * MICROSECONDS[name]


def _interval(_: Writer, node: exp.Expr) -> Part:
    raise NotPortableError(f"{node.sql('duckdb')} alone is not supported: add it to a time, or take it from one")


def _zone(writer: Writer, node: exp.Expr) -> Part:
    """x at time zone 'UTC'."""
    return _in_zone(writer.part(node.this), node.args["zone"])


def _timezone(writer: Writer, node: exp.Expr) -> Part:
    """timezone('UTC', x)."""
    zone, value = node.expressions
    return _in_zone(writer.part(value), zone)


def _in_zone(part: Part, zone: exp.Expr) -> Part:
    if not isinstance(zone, exp.Literal) or zone.name.upper() != "UTC":
        raise NotPortableError("a zone other than 'UTC' is not supported: convert the time in a model below")
    results: dict[str, SqlType] = {"timestamptz": TIMESTAMP, "timestamp": TIMESTAMPTZ}
    kind = results.get(part.type.kind)
    if kind is None:
        raise NotPortableError(f"a {part.type} at a time zone is not supported")
    return operation("in utc", kind, part)


NODES: dict[type[exp.Expr], Write] = {
    exp.DateDiff: _difference,
    exp.Extract: _extract,
    exp.Year: part_of("year"),
    exp.Quarter: part_of("quarter"),
    exp.Month: part_of("month"),
    exp.Week: part_of("week"),
    exp.WeekOfYear: part_of("week"),
    exp.Day: part_of("day"),
    exp.DayOfMonth: part_of("day"),
    exp.DayOfYear: part_of("doy"),
    exp.DayOfWeek: part_of("dow"),
    exp.DayOfWeekIso: part_of("isodow"),
    exp.Hour: part_of("hour"),
    exp.Minute: part_of("minute"),
    exp.Second: part_of("second"),
    exp.TimestampTrunc: _cut,
    exp.DateTrunc: _cut,
    exp.TimeToUnix: _epoch,
    exp.UnixToTime: _unix,
    exp.Interval: _interval,
    exp.AtTimeZone: _zone,
}

FUNCTIONS: dict[str, Write] = {
    **{name: _named_part(_SPELLED.get(name, name)) for name in ("millisecond", "microsecond", "isoyear", "weekday")},
    "date_part": _date_part,
    "datepart": _date_part,
    "epoch_us": _epoch_in("epoch_us"),
    "epoch_ms": _epoch_in("epoch_ms"),
    "timezone": _timezone,
}
"""Functions that sqlglot does not know, by name."""
