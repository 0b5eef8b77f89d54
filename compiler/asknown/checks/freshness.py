"""Judges how old the newest row is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from asknown.checks.results import Outcome, TestResult
from asknown.durations import MICROSECONDS, spell
from asknown.project.tests import Freshness


def judge_age(name: str, of: str, newest: Any, now: datetime, limits: Freshness) -> TestResult:
    """The result for the newest instant, None where there is no row. Both instants are naive, in UTC."""
    if newest is None:
        return TestResult("freshness", name, of, "fail", None, None, ("there is no row",), limits.at)
    age = now - _instant(newest)
    outcome: Outcome = "pass"
    passed = ""
    for severity, limit in (("warn", limits.warn_after), ("fail", limits.error_after)):
        if limit is not None and age > timedelta(microseconds=limit):
            outcome = "fail" if severity == "fail" else "warn"
            passed = f", and may be {spell(limit)} old"
    details = (f"the newest is {shown_age(age)} old{passed}",)
    return TestResult("freshness", name, of, outcome, None, None, details, limits.at)


def shown_age(age: timedelta) -> str:
    """An age in the largest unit that it has: ``3 days``, ``59 minutes``."""
    length = max(age // timedelta(microseconds=1), 0)
    for unit in ("day", "hour", "minute", "second"):
        if length >= MICROSECONDS[unit]:
            return spell(length - length % MICROSECONDS[unit])
    return "0 seconds"


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    assert isinstance(value, date)
    return datetime(value.year, value.month, value.day)
