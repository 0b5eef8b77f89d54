"""Reads data tests in dbt's shape: what must hold for the rows of a model or of a source's table."""

from __future__ import annotations

import re
from collections.abc import Mapping as Arguments
from typing import Any

from asknown.errors import AsknownError, did_you_mean
from asknown.project.reader import Reader, as_mapping
from asknown.project.tests import DataTest, Threshold
from asknown.project.values import Entry, Mapping, Scalar, Value, to_plain

# The arguments of each test that it must have, and those that it may have.
TESTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "not_null": ((), ()),
    "unique": ((), ("columns",)),
    "accepted_values": (("values",), ("quote",)),
    "relationships": (("to", "field"), ()),
    "range": ((), ("min", "max")),
    "row_count": ((), ("min", "max")),
    "expression": (("expression",), ()),
}
ARGUMENTS = ("columns", "values", "quote", "to", "field", "min", "max", "expression")
OPTIONS = ("name", "description", "severity", "warn_if", "error_if", "where")
_OF_COLUMNS = ("not_null", "accepted_values", "relationships", "range")
_THRESHOLD = re.compile(r"\s*(>=|<=|!=|<>|==|=|>|<)\s*([0-9]{1,18})\s*")
_FAILS = Threshold("!=", 0)


def read_data_tests(reader: Reader, column: str | None = None) -> tuple[DataTest, ...]:
    """The tests in ``data_tests``, or in ``tests`` by dbt's older name, of a model, a table or a ``column``."""
    items = (*reader.items("tests"), *reader.items("data_tests"))
    return tuple(_read(item, column) for item in items)


def _read(value: Value, column: str | None) -> DataTest:
    if isinstance(value, Scalar) and isinstance(value.value, str):
        kind, body = value.value, Mapping({}, value.at)
    else:
        entries = as_mapping(value, "a data test").entries
        kind, entry = next(iter(entries.items()), ("", None))
        if entry is None or len(entries) != 1:
            raise AsknownError(
                "wrong-type",
                "a data test is a name, or one name with its arguments",
                at=value.at,
                hint="- accepted_values: {values: [open, closed]}",
            )
        empty = isinstance(entry.value, Scalar) and entry.value.value is None
        body = Mapping({}, value.at) if empty else as_mapping(entry.value, f"the data test '{kind}'")
    if kind not in TESTS:
        raise AsknownError(
            "unknown-key",
            f"there is no data test '{kind}'",
            at=value.at,
            hint=f"{did_you_mean(kind, TESTS, what='data tests')}; any other test is a query below the test-paths",
        )
    must, may = TESTS[kind]
    allowed = (*must, *may, *OPTIONS)
    flat = _flat(body)
    for key, entry in flat.entries.items():
        if key in ARGUMENTS and key not in allowed:
            hint = f"its keys: {', '.join(allowed)}"
            raise AsknownError("unknown-key", f"the data test '{kind}' has no key '{key}'", at=entry.at, hint=hint)
    test = Reader(flat, f"the data test '{kind}'", (*ARGUMENTS, *OPTIONS))
    for key in must:
        if test.value(key) is None:
            raise AsknownError("missing-key", f"the data test '{kind}' lacks '{key}'", at=value.at)
    if column is None and kind in _OF_COLUMNS:
        raise AsknownError(
            "wrong-type", f"the data test '{kind}' belongs to a column", at=value.at, hint="write it below the column"
        )
    arguments = {key: to_plain(found) for key in (*must, *may) if (found := test.value(key)) is not None}
    _check(kind, column, arguments, test)
    severity = (test.optional_text("severity") or "error").lower()
    if severity not in ("error", "warn"):
        raise AsknownError("wrong-type", f"'severity' of {test.what} is error or warn", at=test.place("severity"))
    return DataTest(
        kind=kind,
        column=column,
        arguments=arguments,
        name=test.optional_text("name"),
        severity=severity,
        warn_if=_threshold(test, "warn_if"),
        error_if=_threshold(test, "error_if"),
        where=test.optional_text("where"),
        at=value.at,
    )


def _flat(body: Mapping) -> Mapping:
    """The mapping with what stands in its ``arguments`` and its ``config``, where dbt's newer files have it."""
    entries: dict[str, Entry] = {}
    for key, entry in body.entries.items():
        if key in ("arguments", "config") and isinstance(entry.value, Mapping):
            entries |= entry.value.entries
        else:
            entries[key] = entry
    return Mapping(entries, body.at)


def _check(kind: str, column: str | None, arguments: Arguments[str, Any], test: Reader) -> None:
    """Raises ``missing-key`` or ``wrong-type`` where the arguments do not say what is tested."""
    hint = {"unique": "columns: [id, day]", "range": "min: 0", "row_count": "min: 1"}.get(kind)
    lacks = (kind == "unique" and column is None and not arguments.get("columns")) or (
        kind in ("range", "row_count") and not arguments
    )
    if lacks:
        raise AsknownError("missing-key", f"{test.what} does not say what must hold", at=test.at, hint=hint)
    for key in ("columns", "values"):
        if key in arguments and not isinstance(arguments[key], list):
            raise AsknownError("wrong-type", f"'{key}' of {test.what} must be a list", at=test.place(key))
    for key in ("to", "field", "expression"):
        if key in arguments and not isinstance(arguments[key], str):
            raise AsknownError("wrong-type", f"'{key}' of {test.what} must be text", at=test.place(key))


def _threshold(test: Reader, key: str) -> Threshold:
    text = test.optional_text(key)
    if text is None:
        return _FAILS
    found = _THRESHOLD.fullmatch(text)
    if found is None:
        raise AsknownError(
            "wrong-type", f"'{key}' of {test.what} compares a count", at=test.place(key), hint=f'{key}: "> 10"'
        )
    return Threshold({"==": "=", "<>": "!="}.get(found[1], found[1]), int(found[2]))
