"""Judges data tests: from counts to outcomes."""

from __future__ import annotations

from operator import eq, ge, gt, le, lt, ne
from typing import Any

from asknown.checks.results import Outcome, TestResult
from asknown.project.tests import DataTest, Threshold

_COMPARE = {">": gt, ">=": ge, "<": lt, "<=": le, "=": eq, "!=": ne}


def judge(test: DataTest, of: str, checked: int, found: int) -> TestResult:
    """The result of a test of which ``found`` of ``checked`` rows fail; of a row count, ``found`` is that count."""
    failing = found if test.kind != "row_count" else int(not _is_between(found, test.arguments))
    outcome: Outcome = "pass"
    if test.severity == "error" and exceeds(failing, test.error_if):
        outcome = "fail"
    elif exceeds(failing, test.warn_if):
        outcome = "warn"
    details = () if outcome == "pass" else (_said(test, checked, found, failing),)
    return TestResult("data", name_of(test, of), of, outcome, checked, failing, details, test.at)


def name_of(test: DataTest, of: str) -> str:
    """The test's own name, or one made as dbt makes it: ``not_null_orders_id``."""
    if test.name is not None:
        return test.name
    columns = test.arguments.get("columns") or [test.column]
    return "_".join([test.kind, of.replace(".", "_"), *(str(c) for c in columns if c is not None)])


def exceeds(count: int, threshold: Threshold) -> bool:
    """Whether a number of failing rows is beyond the threshold."""
    return bool(_COMPARE[threshold.comparison](count, threshold.count))


def _is_between(count: int, arguments: dict[str, Any]) -> bool:
    least, most = arguments.get("min"), arguments.get("max")
    return (least is None or count >= least) and (most is None or count <= most)


def _said(test: DataTest, checked: int, found: int, failing: int) -> str:
    if test.kind == "row_count":
        wanted = [f"{key} {test.arguments[key]:,}" for key in ("min", "max") if key in test.arguments]
        return f"{found:,} rows, {' and '.join(wanted)}"
    return f"{failing:,} of {checked:,} rows: {_WORDS[test.kind]}"


_WORDS = {
    "not_null": "the value is NULL",
    "unique": "the key was there already",
    "accepted_values": "the value is none of those accepted",
    "relationships": "the value is not there, in what it refers to",
    "range": "the value is out of range",
    "expression": "the expression is false",
}
