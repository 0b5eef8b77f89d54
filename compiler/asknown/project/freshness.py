"""Reads how old the newest row may be: of a source's table, or of a view."""

from __future__ import annotations

from asknown.durations import microseconds
from asknown.errors import AsknownError, did_you_mean
from asknown.project.reader import Reader
from asknown.project.tests import Freshness
from asknown.project.values import Mapping

KEYS = ("warn_after", "error_after")
_PERIOD = ("count", "period")
_PERIODS = ("minute", "hour", "day")


def read_freshness(owner: Reader) -> Freshness | None:
    """The ``freshness`` of a table or view, or None. An age is a duration, or dbt's ``{count: 12, period: hour}``."""
    value = owner.value("freshness")
    if value is None:
        return None
    reader = Reader(value, f"'freshness' of {owner.what}", KEYS)
    ages = {key: _age(reader, key) for key in KEYS}
    if not any(ages.values()):
        raise AsknownError(
            "missing-key",
            f"{reader.what} has neither warn_after nor error_after",
            at=value.at,
            hint="freshness: {warn_after: 12 hours, error_after: 1 day}",
        )
    return Freshness(ages["warn_after"], ages["error_after"], value.at)


def _age(reader: Reader, key: str) -> int | None:
    value = reader.value(key)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return microseconds(reader.text(key), at=value.at)
    period = Reader(value, f"'{key}' of {reader.what}", _PERIOD)
    count, unit = period.integer("count", least=1), period.text("period", hint="period: hour")
    if count is None:
        raise AsknownError("missing-key", f"{period.what} lacks 'count'", at=value.at, hint="count: 12")
    if unit not in _PERIODS:
        raise AsknownError(
            "wrong-type",
            f"'period' of {period.what} is not '{unit}'",
            at=period.place("period"),
            hint=did_you_mean(unit, _PERIODS, what="periods"),
        )
    return microseconds(f"{count} {unit}")
