"""Reads unit tests: rows that models are given, and the values that must come out."""

from __future__ import annotations

import re
from typing import Any

from asknown.errors import AsknownError, did_you_mean
from asknown.project.reader import Reader, as_mapping, as_text, wrong_type
from asknown.project.tests import GivenRows, TestRows, UnitTest
from asknown.project.values import Scalar, Value, to_plain

ENDS = ("training", "online")
_TEST = ("name", "description", "view", "service", "model", "given", "spine", "expect", "ends", "approx")
_GIVEN = ("input", "rows", "csv", "sql")
_ROWS = ("rows", "csv", "sql")
_CALL = re.compile(r"(ref|source)\(\s*(['\"])([^'\"]+)\2\s*(?:,\s*(['\"])([^'\"]+)\4\s*)?\)")


def read_unit_test(value: Value) -> UnitTest:
    """The unit test that one item of ``unit_tests:`` describes."""
    reader = Reader(value, "a unit test", _TEST)
    name = reader.text("name", hint="name: …")
    targets = [kind for kind in ("view", "service", "model") if reader.value(kind) is not None]
    if len(targets) != 1:
        raise AsknownError(
            "missing-key" if not targets else "wrong-type",
            f"unit test '{name}' must name what it tests: one of view, service and model",
            at=reader.at,
            hint="view: my_view",
        )
    kind = targets[0]
    spine = _rows(reader, "spine", name)
    if (spine is None) != (kind == "model"):
        raise AsknownError(
            "missing-key" if spine is None else "unknown-key",
            f"unit test '{name}' of a {kind} {'needs' if spine is None else 'has'} a spine",
            at=reader.place("spine"),
            hint="spine: {rows: [{key: 1, event_timestamp: '2024-01-31 12:00'}]}" if spine is None else "remove it",
        )
    expect = _rows(reader, "expect", name)
    if expect is None:
        raise AsknownError(
            "missing-key", f"unit test '{name}' lacks 'expect'", at=reader.at, hint="expect: {rows: [{feature: 1}]}"
        )
    return UnitTest(
        name=name,
        kind=kind,
        target=reader.text(kind),
        given=tuple(_given(item, name) for item in reader.items("given")),
        spine=spine,
        expect=expect,
        ends=_ends(reader),
        approx=_approx(reader),
        at=reader.place("name"),
    )


def _given(value: Value, test: str) -> GivenRows:
    reader = Reader(value, f"an input of unit test '{test}'", _GIVEN)
    text = reader.text("input", hint="input: ref('my_model')")
    call = _CALL.fullmatch(text.strip())
    if call is None or (call[1] == "source") != (call[5] is not None):
        raise AsknownError(
            "wrong-type",
            f"'input' of unit test '{test}' must be ref('model') or source('source', 'table')",
            at=reader.place("input"),
        )
    name = call[3] if call[1] == "ref" else (call[3], call[5])
    return GivenRows(name, _one_of_rows(reader, test))


def _rows(reader: Reader, key: str, test: str) -> TestRows | None:
    value = reader.value(key)
    return None if value is None else _one_of_rows(Reader(value, f"'{key}' of unit test '{test}'", _ROWS), test)


def _one_of_rows(reader: Reader, test: str) -> TestRows:
    given = [key for key in _ROWS if reader.value(key) is not None]
    if len(given) > 1:
        raise AsknownError(
            "wrong-type", f"{reader.what} has both {given[0]} and {given[1]}", at=reader.at, hint="remove one of them"
        )
    rows = [as_mapping(item, f"a row of unit test '{test}'") for item in reader.items("rows")]
    return TestRows(
        rows=tuple({key: to_plain(entry.value) for key, entry in row.entries.items()} for row in rows),
        csv=reader.text("csv") if reader.value("csv") is not None else None,
        sql=reader.text("sql") if reader.value("sql") is not None else None,
        at=reader.at,
    )


def _ends(reader: Reader) -> tuple[str, ...]:
    named = tuple(as_text(item, f"an item of 'ends' of {reader.what}") for item in reader.items("ends"))
    for end in named:
        if end not in ENDS:
            raise AsknownError(
                "wrong-type",
                f"'ends' of {reader.what} are training and online, not '{end}'",
                at=reader.place("ends"),
                hint=did_you_mean(end, ENDS, what="ends"),
            )
    return named or ENDS


def _approx(reader: Reader) -> float | None:
    value = reader.value("approx")
    if value is None:
        return None
    number: Any = value.value if isinstance(value, Scalar) else None
    if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
        raise wrong_type(f"'approx' of {reader.what}", "a number such as 1e-12", value)
    return float(number)
