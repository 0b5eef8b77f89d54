"""Accepts what came out of unit tests: writes it into their YAML files as what they expect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asknown.checks.results import TestResult, could_not_run
from asknown.checks.unit import Row, differences, is_vacuous, matched, same, shown, shown_row
from asknown.engines.output_files import whole_file
from asknown.errors import AsknownError
from asknown.project.expectations import unit_test_of, with_rows, with_values
from asknown.project.files import read_bytes
from asknown.project.tests import UnitTest
from asknown.store.typed_catalog import TypedCatalog
from asknown.store.unit_tests import CameOut, come_out, judge


@dataclass(frozen=True)
class Acceptance:
    """A unit test whose expectation was written, with a line for each other value; none where it passed before.

    ``result`` is the test's result with what it expects now, or says why nothing could be written.
    """

    test: UnitTest
    changes: tuple[str, ...]
    result: TestResult


def accept_unit_tests(typed: TypedCatalog, tests: Iterable[UnitTest]) -> list[Acceptance]:
    """Writes what comes out as what each test expects, where that differs, and runs the test again.

    Each test is read anew from its file, whose other text stays. A file is written whole or not at all. Nothing is
    written where the two ends differ, where all would be NULL, or where YAML cannot hold a value.
    """
    return [_accept(typed, test) for test in tests]


def _accept(typed: TypedCatalog, loaded: UnitTest) -> Acceptance:
    file = typed.project.settings.root / loaded.at.path
    try:
        text = read_bytes(file, loaded.at.path, "bad-yaml").decode("utf-8-sig")
        test = unit_test_of(text, loaded.at.path, loaded.name)
        came = come_out(typed, test)
        found = _agreed(test, came)
        edited, changes = _edited(text, test, came, found)
        if not changes:
            return Acceptance(test, (), judge(test, came))
        test = unit_test_of(edited, loaded.at.path, loaded.name)
        result = judge(test, come_out(typed, test))
        if result.is_failure:
            raise AsknownError(
                "bad-test",
                f"what came out of unit test '{test.name}' cannot be written as YAML: {result.details[0]}",
                at=test.expect.at,
                hint="expect: {sql: select …}",
            )
        _write(file, text, edited)
    except AsknownError as error:
        result = could_not_run("unit", loaded.name, loaded.target, error, loaded.at)
        return Acceptance(loaded, (), result)
    return Acceptance(test, tuple(changes), result)


def _agreed(test: UnitTest, came: CameOut) -> Sequence[Row]:
    """The rows that came out at every end of the test. Raises ``bad-test`` where the ends differ."""
    first, *others = came.found
    names = _names(came)
    for end in others:
        wanted = [{name: row[name] for name in names} for row in came.found[first]]
        lines = differences(end, wanted, came.found[end], test.approx)
        if lines:
            raise AsknownError(
                "bad-test",
                f"the ends of unit test '{test.name}' differ, so nothing is written: {lines[0]} by {first}",
                at=test.at,
            )
    return came.found[first]


def _names(came: CameOut) -> Sequence[str]:
    """The columns that the test expects, in the order of their first rows; all that came out where it expects none."""
    return list(dict.fromkeys(name for row in came.expected for name in row)) or came.names


def _edited(text: str, test: UnitTest, came: CameOut, found: Sequence[Row]) -> tuple[str, list[str]]:
    """(the text of the test's file with what came out, a line for each other value)."""
    if test.kind == "model":
        found = matched(came.expected, found, test.approx)
    if len(found) == len(came.expected):
        values: dict[tuple[int, str], Any] = {}
        changes = []
        for place, (row, expected) in enumerate(zip(found, came.expected, strict=True)):
            for name, value in expected.items():
                if not same(value, row[name], test.approx):
                    values[place, name] = row[name]
                    changes.append(f"row {place + 1}: {name} was {shown(value)}, is {shown(row[name])}")
        if not values:
            return text, []
        after = [{**e, **{n: r[n] for n in e}} for e, r in zip(came.expected, found, strict=True)]
        _refuse_nulls(test, after)
        return with_values(text, test, values), changes
    rows = [{name: row[name] for name in _names(came)} for row in found]
    _refuse_nulls(test, rows)
    changes = [f"{len(rows)} row{'' if len(rows) == 1 else 's'}, expected {len(came.expected)}"]
    return with_rows(text, test, rows), [*changes, *map(shown_row, rows)]


def _refuse_nulls(test: UnitTest, rows: Sequence[Row]) -> None:
    if is_vacuous(rows):
        raise AsknownError(
            "bad-test",
            f"every value that came out of unit test '{test.name}' is NULL, which shows nothing",
            at=test.expect.at,
            hint="give rows that are visible at the spine's instants",
        )


def _write(file: Path, before: str, text: str) -> None:
    """Replaces the file's text, with its byte order mark if it has one. Raises ``output`` if it has changed since."""
    path = file.resolve()
    content = path.read_bytes()
    mark = "\ufeff" if content.startswith(b"\xef\xbb\xbf") else ""
    if content != (mark + before).encode():
        raise AsknownError("output", f"{file.name} was edited meanwhile", hint="asknown test --accept once more")
    with whole_file(path) as beside:
        beside.write_bytes((mark + text).encode())
        beside.chmod(path.stat().st_mode)
