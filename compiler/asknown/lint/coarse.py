"""Finds orders that do not tell instants apart: by the day, by a text of the hour, by seconds cut to minutes.

Rows that are equal in such an order are peers. A running aggregate ends at the last peer of a row, and `lag()` takes
peers in any order, so that a row gets a value from rows later on that day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from asknown.lint.nodes import Subject
from asknown.model.lineage import Computed, Stored
from asknown.model.nodes import Model
from asknown.types import TIME_KINDS

Grain = Literal["coarse", "cyclic"]
"""A coarse expression grows with time and stands still in between; a cyclic one, such as the hour, comes back."""

_LONGEST = 12  # expressions are followed through so many selects
_EXACT_UNITS = {"MICROSECOND", "MICROSECONDS", "NANOSECOND", "NANOSECONDS", "US", "NS"}
_DAY_UNITS = {"DAY", "DAYS", "DD", "D"}
_WITHIN_DAYS = {"HOUR", "HOURS", "MINUTE", "MINUTES", "SECOND", "SECONDS", "MILLISECOND", "MILLISECONDS"}
_EXACT_PARTS = {"EPOCH", "JULIAN", "EPOCH_MICROSECOND", "EPOCH_NANOSECOND", "EPOCH_US", "EPOCH_NS"}
_GROWING_PARTS = {
    *("YEAR", "YEARS", "ISOYEAR", "YEAROFWEEK", "YEAROFWEEKISO", "YEARWEEK", "DECADE", "CENTURY", "MILLENNIUM", "ERA"),
    *("EPOCH_SECOND", "EPOCH_MILLISECOND", "EPOCH_MS", "DATE"),
}
_TRUNCATIONS = (exp.TimestampTrunc, exp.DateTrunc, exp.DatetimeTrunc, exp.TimeTrunc, exp.DateBin, exp.TimeSlice)
_DISTANCES = (exp.DateDiff, exp.TimestampDiff, exp.DatetimeDiff)
_TO_DAYS = (exp.Date, exp.TsOrDsToDate, exp.ToDays, exp.UnixDate, exp.DateToDi, exp.TsOrDiToDi, exp.DateToDateStr)
_COARSE = (
    *(exp.Year, exp.LastDay, exp.UnixSeconds, exp.UnixMillis, exp.StrToUnix, exp.BitwiseRightShift, exp.IntDiv),
    *(exp.Sign, exp.Left),
)
_CYCLIC = (
    *(exp.Quarter, exp.Month, exp.Week, exp.WeekOfYear, exp.Day, exp.DayOfMonth, exp.DayOfWeek, exp.DayOfWeekIso),
    *(exp.DayOfYear, exp.Hour, exp.Minute, exp.Second, exp.Dayname, exp.Monthname, exp.Mod, exp.Abs, exp.BitwiseAnd),
    *(exp.Right, exp.RegexpExtract, exp.SplitPart, exp.MD5, exp.Predicate, exp.Connector, exp.Not),
)
_DATES = (exp.Date, exp.TsOrDsToDate, exp.LastDay, exp.DateFromParts)
_WHOLE = (exp.IntDiv, exp.DateDiff, exp.TimestampDiff, exp.Year, exp.UnixSeconds, exp.UnixMicros)
_WHOLE_NAMES = {"epoch_us", "epoch_ns", "epoch_ms", "unix_micros"}
# They give a value of the kind of their first argument.
_KEEPING = (exp.DateAdd, exp.DateSub, exp.TimestampTrunc, exp.DateTrunc, exp.AtTimeZone, exp.AggFunc)
_SHORT = (exp.DType.TIMESTAMP_S, exp.DType.TIMESTAMP_MS, exp.DType.SMALLDATETIME, exp.DType.FLOAT)
_MICROSECONDS = 6  # digits
# Functions that sqlglot has no class for, by what they give.
_COARSE_NAMES = {
    *("date_bin", "time_bucket", "epoch_ms", "unix_timestamp", "tounixtimestamp", "todate", "todate32", "intdiv"),
    *("yearweek", "isoyear", "decade", "century", "millennium", "era", "toyear", "toisoyear", "to_date"),
    *("tounixtimestamp64second", "tounixtimestamp64milli", "datetrunc", "date_trunc", "trunc_date"),
}
_COARSE_STARTS = ("tostartof", "toyyyymm", "torelative", "tolastdayof", "toyearweek")
_CYCLIC_NAMES = {
    *("tohour", "tominute", "tosecond", "todayofweek", "todayofmonth", "todayofyear", "tomonth", "toquarter", "totime"),
    *(
        "toweek",
        "toisoweek",
        "millisecond",
        "microsecond",
        "nanosecond",
        "dayofmonth",
        "isodow",
        "hash",
        "md5",
        "sha256",
    ),
    *("dayname", "monthname", "weekday", "weekofyear", "mod", "modulo", "pmod", "cityhash64", "xxhash64", "siphash64"),
}
_TEXT_NAMES = {"strftime", "format_datetime", "date_format", "to_char", "formatdatetime", "time_format"}
_PART_NAMES = {"date_part", "datepart"}
_DISTANCE_NAMES = {"date_diff", "datediff", "date_sub", "datesub", "age_in", "timestampdiff"}


@dataclass(frozen=True)
class Coarse:
    """An expression that gives several instants one value, and the select that it stands in."""

    expression: exp.Expr
    select: exp.Select
    grain: Grain


@dataclass(frozen=True)
class Grains:
    """Looks for coarse expressions in a subject's selects. ``follows`` says whether an expression moves with time."""

    subject: Subject
    follows: Callable[[exp.Expr, exp.Select, Model, Subject], bool]

    def of(self, value: exp.Expr, select: exp.Select, model: Model, depth: int = 0) -> Coarse | None:
        """The reason why an expression is coarse; None if it tells all instants apart, or that is not known."""
        value = value.unnest()
        if depth > _LONGEST:
            return None
        if isinstance(value, exp.Column):
            for origin in self.subject.lineage.of_column(value, select, model):
                if isinstance(origin, Computed) and not self._is_grouped(origin, depth):
                    found = self.of(origin.expression, origin.select, origin.model, depth + 1)
                    if found is not None:
                        return found
            return None
        parts = [part for part in value.iter_expressions() if self._moves(part, select, model)]
        inner = [self.of(part, select, model, depth + 1) for part in parts]
        own = self._grain(value, select, model) if parts else None
        if own == "cyclic" or (own is not None and None in inner):
            return Coarse(value, select, own)
        return None if None in inner else next(iter(inner), None)

    def _moves(self, value: exp.Expr, select: exp.Select, model: Model) -> bool:
        return not isinstance(value, exp.DataType | exp.Var) and self.follows(value, select, model, self.subject)

    def _is_grouped(self, origin: Computed, depth: int) -> bool:
        """Whether an expression is what its select groups by, so that no finer time is left in its rows."""
        keys = group_keys(origin.select)
        if not any(key == origin.expression for key in keys):
            return False
        finer = (key for key in keys if self._moves(key, origin.select, origin.model))
        return all(self.of(key, origin.select, origin.model, depth + 1) is not None for key in finer)

    def _grain(self, value: exp.Expr, select: exp.Select, model: Model) -> Grain | None:
        """How an expression merges the instants that its arguments tell apart."""
        kind = self._kind(value.this, select, model) if isinstance(value.this, exp.Expr) else None
        match value:
            case exp.Extract():
                return _part(value.name)
            case exp.Cast():
                return _cast(value.to, kind)
            case exp.TimeToStr():
                return _text(value.args["format"])
            case exp.Substring() | exp.Bracket():
                return "coarse" if _starts_at_first(value) else "cyclic"
            case exp.Anonymous():
                return self._named(value, select, model)
        if isinstance(value, _TRUNCATIONS):
            return _unit(value.args.get("unit"), kind)
        if isinstance(value, _DISTANCES):
            moving = next((p for p in (value.this, value.expression) if self._moves(p, select, model)), value.this)
            return _unit(value.args.get("unit"), self._kind(moving, select, model))
        if isinstance(value, _CYCLIC):
            return "cyclic"
        return "coarse" if isinstance(value, _COARSE) or _is_cut(value, kind) else None

    def _named(self, call: exp.Anonymous, select: exp.Select, model: Model) -> Grain | None:
        name, arguments = call.name.casefold(), call.expressions
        if name in _PART_NAMES and arguments:
            return _part(arguments[0].name) if not isinstance(arguments[0], exp.Array) else "cyclic"
        if name in _DISTANCE_NAMES and arguments:
            return _unit(arguments[0], self._kind(arguments[-1], select, model))
        if name in _TEXT_NAMES:
            return "coarse"
        if name in _CYCLIC_NAMES:
            return "cyclic"
        return "coarse" if name in _COARSE_NAMES or name.startswith(_COARSE_STARTS) else None

    def _kind(self, value: exp.Expr, select: exp.Select, model: Model, depth: int = 0) -> str | None:
        """The kind of an expression's values as far as it matters here: date, integer or that of a column's type."""
        value = value.unnest()
        if depth > _LONGEST:
            return None
        if isinstance(value, exp.Column):
            origins = self.subject.lineage.of_column(value, select, model)
            kinds = {
                (one.type.kind if one.type is not None else None)
                if isinstance(one, Stored)
                else self._kind(one.expression, one.select, one.model, depth + 1)
                for one in origins
            }
            return kinds.pop() if len(kinds) == 1 else None
        if isinstance(value, exp.Cast):
            whole = value.to.is_type(*exp.DataType.INTEGER_TYPES)
            return "date" if value.to.is_type("date", "date32") else "integer" if whole else None
        if isinstance(value, exp.Add | exp.Sub | exp.Mul):
            both = {self._kind(part, select, model, depth + 1) for part in (value.this, value.expression)}
            return "date" if "date" in both else "integer" if both == {"integer"} else None
        if isinstance(value, _KEEPING):
            return self._kind(value.this, select, model, depth + 1)
        whole = isinstance(value, _WHOLE) or (isinstance(value, exp.Literal) and value.is_int)
        whole = whole or (isinstance(value, exp.Anonymous) and value.name.casefold() in _WHOLE_NAMES)
        return "date" if isinstance(value, _DATES) else "integer" if whole else None


def group_keys(select: exp.Select) -> list[exp.Expr]:
    """The expressions that a select groups by, or all its items if they are distinct; without aliases and numbers."""
    items = [item.unalias() for item in select.expressions]
    distinct = select.args.get("distinct")
    if distinct is not None and distinct.args.get("on") is None:
        return items
    group = select.args.get("group")
    if group is None:
        return []
    if group.args.get("all"):
        return [item for item in items if item.find(exp.AggFunc) is None]
    by_alias = {item.alias.casefold(): item.this for item in select.expressions if isinstance(item, exp.Alias)}
    keys = []
    for key in group.expressions:
        number = _number(key)
        if number is not None and 0 < number <= len(items):
            keys.append(items[number - 1])
        elif isinstance(key, exp.Column) and not key.table:
            keys.append(by_alias.get(key.name.casefold(), key))
        else:
            keys.append(key)
    return keys


def _unit(unit: exp.Expr | None, kind: str | None) -> Grain | None:
    """The grain of a truncation to a unit, or of a distance in it, of values of a kind."""
    word = (unit.name if unit is not None else "").upper()
    is_exact = word in _EXACT_UNITS or (kind == "date" and word in (*_DAY_UNITS, *_WITHIN_DAYS))
    return None if is_exact else "coarse"


def _cast(to: exp.DataType, kind: str | None) -> Grain | None:
    """The grain of a cast of values of a kind."""
    digits = [_number(p.this) or 0 for p in to.expressions if isinstance(p, exp.DataTypeParam)]
    if to.is_type("time", "timetz"):
        return "cyclic"
    if kind == "date":
        return None
    if to.is_type(exp.DType.DATE, exp.DType.DATE32, *_SHORT):
        return "coarse"
    if to.is_type(*exp.DataType.INTEGER_TYPES):
        return None if kind == "integer" else "coarse"
    if to.is_type("decimal"):
        return None if kind == "integer" or (len(digits) > 1 and digits[1] >= _MICROSECONDS) else "coarse"
    least = _MICROSECONDS if to.is_type(*exp.DataType.TEMPORAL_TYPES) else len("2024-01-01 00:00:00.000000")
    return "coarse" if digits and digits[0] < least else None


def _is_cut(value: exp.Expr, kind: str | None) -> bool:
    """Whether a function drops the digits, or a limit the times, that tell instants apart."""
    match value:
        case exp.Floor() | exp.Ceil() | exp.Round() | exp.Trunc():
            return kind != "integer" and (_number(value.args.get("decimals")) or 0) < _MICROSECONDS
        case exp.UnixToTime():  # epoch_ms() of a time is its milliseconds
            return _number(value.args.get("scale")) == len("000") and kind in TIME_KINDS
        case exp.Div():
            return bool(value.args.get("typed")) and kind == "integer" and _number(value.expression) is not None
        case exp.Greatest() | exp.Least():
            return any(part.find(exp.Column) is None for part in value.iter_expressions())
    return isinstance(value, _TO_DAYS) and kind != "date"


def _part(name: str) -> Grain | None:
    """The grain of a part of a time, such as its year or its hour."""
    word = name.upper()
    if word in _EXACT_PARTS:
        return None
    return "coarse" if word in _GROWING_PARTS else "cyclic"


def _text(pattern: exp.Expr) -> Grain | None:
    """The grain of a time's text in a pattern."""
    text = pattern.name
    if text == "%s":
        return "coarse"
    if not text.startswith("%Y"):
        return "cyclic"
    return None if "%f" in text or "%n" in text else "coarse"


def _starts_at_first(value: exp.Substring | exp.Bracket) -> bool:
    """Whether a part of a text starts with its first character, as the first ten of a time's text do."""
    if isinstance(value, exp.Substring):
        return _number(value.args.get("start")) in (None, 1)
    (slice_,) = value.expressions[:1] or [None]
    return isinstance(slice_, exp.Slice) and (slice_.this is None or _number(slice_.this) in (0, 1))


def _number(value: object) -> int | None:
    return int(value.name) if isinstance(value, exp.Literal) and value.is_int else None
