"""On-demand expressions on each engine, over rows of edges: what the reader computes, or refused, or an error.

None differs silently. ``on_demand/<engine>.tsv`` lists those that are ``refused`` when they are compiled and those
that ``stop`` the query over rows of edges. ``--update-cases`` writes it.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlglot

from asknown import AsknownError, FeatureStore
from asknown.model.expressions.types import NotPortableError
from asknown.model.expressions.write import portable
from asknown.store.retrieval import RetrievalJob
from asknown.types import parse_type
from asknown.values.errors import EvaluationError
from asknown.values.expressions import compile_expression
from engines.harness import Warehouse
from on_demand.grammar import COLUMNS, FORMS, make_rows, of_columns
from on_demand.test_on_demand_expressions import APPENDIX

LISTS = ("tags", "codes")
"""Inputs of a spine that not every engine keeps."""
NEARLY = re.compile(r"\b(a?(sin|cos|tan)|atan2|ln|log|log2|log10|exp|pow|power|cbrt|degrees|radians)\(|\*\*")
"""What comes from the engine's own library of mathematics agrees to 1e-12."""
KNOWN = Path(__file__).parent / "on_demand"
AT_ONCE = 16  # expressions of a query
KINDS = {
    "DOUBLE": pa.float64(), "BIGINT": pa.int64(), "INTEGER": pa.int32(), "VARCHAR": pa.string(), "BOOLEAN": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us"), "DATE": pa.date32(), "DECIMAL(10,2)": pa.decimal128(10, 2),
    "DECIMAL(4,4)": pa.decimal128(4, 4),
}  # fmt: skip
MILD: dict[str, list[Any]] = {
    "amount": [1.5, -2.5, 0.25, None, 3.0],
    "lat": [0.5, 40.7, 0.75, None],
    "n": [1, 2, 7, 100, None],
    "i": [1, 2, 3, None],
    "price": [Decimal("2.50"), Decimal("1.15"), None],
    "rate": [Decimal("0.5000"), Decimal("0.1250"), None],
    "name": ["12", "-7", "3", None],
    "ip": ["1", "22", None],
    "ok": [True, False, None],
    "ts": [datetime(2024, 2, 29, 12, 30, 15, 500000), datetime(1969, 12, 31, 23, 59, 59), None],
    "last_ts": [datetime(2024, 2, 28, 23, 59, 59), datetime(1999, 1, 1), None],
    "d": [date(2024, 2, 29), date(1969, 12, 31), None],
}
"""Values over which an expression can be computed that stops at an edge."""
EDGES = make_rows(random.Random(2), 90)
EASY = [{name: values[place % len(values)] for name, values in MILD.items()} for place in range(24)]


def asked() -> list[str]:
    """The appendix, and every form of the grammar over columns; but for lists."""
    every = dict.fromkeys([*APPENDIX, *(of_columns(form) for forms in FORMS.values() for form in forms)])
    return [sql for sql in every if not any(re.search(rf"\b{name}\b", sql) for name in LISTS)]


class Reader:
    """An expression as the reader computes it, over the rows that it can compute."""

    def __init__(self, sql: str) -> None:
        types = {name: parse_type(kind) for name, (kind, _) in COLUMNS.items()}
        self._evaluate = compile_expression(portable(sqlglot.parse_one(sql, read="duckdb"), (), types), {})

    def value(self, row: Mapping[str, Any]) -> Any:
        try:
            return self._evaluate((), row)
        except EvaluationError:
            return EvaluationError


def test_no_expression_differs_silently(warehouse: Warehouse, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    readers = {}
    for sql in asked():
        try:
            readers[sql] = Reader(sql)
        except NotPortableError:
            continue
    warehouse.load(tmp_path, {"edges": pa.table({"id": [1]})})  # makes the schema
    project = write_project(warehouse, list(readers), tmp_path)
    with closing(FeatureStore(project)) as store:
        place = Place(store, {sql: f"v{number}" for number, sql in enumerate(readers)})
        found = place.verdicts(readers)
    path = KNOWN / f"{warehouse.name}.tsv"
    listed = {sql: f"{word}\t{sql}\t{reason}" for sql, (word, reason) in found.items() if word != "same"}
    if pytestconfig.getoption("--update-cases"):
        path.write_text("".join(f"{line}\n" for line in listed.values()), encoding="utf-8")
    known = dict(line.split("\t")[1::-1] for line in path.read_text(encoding="utf-8").splitlines())
    assert len(found) > 300
    wrong = [f"{sql}: {word} ({why})" for sql, (word, why) in found.items() if word != known.get(sql, "same")]
    differing = [f"{sql}: {why}" for sql, (word, why) in found.items() if word == "differs"]
    assert not differing, "\n".join(differing)
    assert not wrong, "\n".join(wrong)


class Place:
    """An engine, with a view of one feature for each expression."""

    def __init__(self, store: FeatureStore, views: Mapping[str, str]) -> None:
        self._store = store
        self._views = views

    def verdicts(self, readers: Mapping[str, Reader]) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for sql in readers:
            if (refused := self._refusal(sql)) is not None:
                found[sql] = ("refused", refused)
        rest = [sql for sql in readers if sql not in found]
        mild = self._compared(rest, readers, EASY)
        edges = self._compared(rest, readers, EDGES)
        for sql in rest:
            word, why = mild[sql]
            found[sql] = edges[sql] if word == "same" else (word, f"{why} (of common values)")
        return {sql: found[sql] for sql in readers}

    def _refusal(self, sql: str) -> str | None:
        try:
            self._job([sql], EASY[:1]).sql()
        except AsknownError as error:
            assert error.code == "not-in-dialect", f"{sql}: {error}"
            assert error.message.startswith("feature 'value' of"), error.message
            return error.message.partition(": ")[2]
        return None

    def _compared(
        self, some: Sequence[str], readers: Mapping[str, Reader], rows: list[dict[str, Any]]
    ) -> dict[str, tuple[str, str]]:
        found = {}
        for start in range(0, len(some), AT_ONCE):
            part = some[start : start + AT_ONCE]
            values = {sql: [readers[sql].value(row) for row in rows] for sql in part}
            for sql, theirs in self._trained(part, rows, values).items():
                found[sql] = judge(sql, values[sql], theirs)
        return found

    def _trained(
        self, some: Sequence[str], rows: list[dict[str, Any]], values: Mapping[str, list[Any]]
    ) -> dict[str, list[Any] | AsknownError]:
        """The columns of a query over ``rows``; those that stop it apart, over the rows that the reader can compute."""
        failing = [sql for sql in some if EvaluationError in values[sql]]
        found: dict[str, list[Any] | AsknownError] = {}
        whole = [sql for sql in some if sql not in failing]
        try:
            found |= self._train(whole, rows) if whole else {}
        except AsknownError as error:
            if len(whole) == 1:
                return {whole[0]: error} | self._apart(failing, rows, values)
            half = len(whole) // 2
            found |= self._trained(whole[:half], rows, values) | self._trained(whole[half:], rows, values)
        return found | self._apart(failing, rows, values)

    def _apart(
        self, some: Sequence[str], rows: list[dict[str, Any]], values: Mapping[str, list[Any]]
    ) -> dict[str, list[Any] | AsknownError]:
        found: dict[str, list[Any] | AsknownError] = {}
        for sql in some:
            kept = [row for row, value in zip(rows, values[sql], strict=True) if value is not EvaluationError]
            try:
                computed = iter(self._train([sql], kept)[sql])
            except AsknownError as error:
                found[sql] = error
                continue
            found[sql] = [v if v is EvaluationError else next(computed) for v in values[sql]]
        return found

    def _train(self, some: Sequence[str], rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
        table = self._job(some, rows).to_arrow()
        return {sql: table[f"{self._views[sql]}__value"].to_pylist() for sql in some}

    def _job(self, some: Sequence[str], rows: list[dict[str, Any]]) -> RetrievalJob:
        columns = {n: pa.array([row[n] for row in rows], KINDS[k]) for n, (k, _) in COLUMNS.items() if n not in LISTS}
        instants = pa.array([datetime(2024, 1, 1)] * len(rows), pa.timestamp("us"))
        spine = pa.table({"event_timestamp": instants, **columns})
        names = [f"{self._views[sql]}:value" for sql in some]
        return self._store.get_historical_features(spine, names, full_feature_names=True)


def judge(sql: str, ours: list[Any], theirs: list[Any] | AsknownError) -> tuple[str, str]:
    if isinstance(theirs, AsknownError):
        return "stops", theirs.message.splitlines()[0][:120]
    nearly = NEARLY.search(sql) is not None
    differ = (f"{a!r} and {b!r}" for a, b in zip(ours, theirs, strict=True) if not same(a, b, nearly))
    first = next(differ, None)
    return ("same", "") if first is None else ("differs", first)


def same(ours: Any, theirs: Any, nearly: bool) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        if nearly and math.isfinite(ours):
            return math.isclose(ours, theirs, rel_tol=1e-12, abs_tol=1e-12)
        return (ours == theirs and math.copysign(1, ours) == math.copysign(1, theirs)) or (
            math.isnan(ours) and math.isnan(theirs)
        )
    if isinstance(ours, int) and isinstance(theirs, Decimal):  # an integer of 128 bits
        return ours == theirs
    return type(ours) is type(theirs) and ours == theirs


def write_project(warehouse: Warehouse, expressions: list[str], folder: Path) -> Path:
    """A project with an on-demand view for each expression."""
    (folder / "models").mkdir()
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "edges"\n', encoding="utf-8")
    output = {"type": warehouse.name, **warehouse.options}
    (folder / "profiles.yml").write_text(json.dumps({"edges": {"target": "dev", "outputs": {"dev": output}}}))
    inputs = {name: kind for name, (kind, _) in COLUMNS.items() if name not in LISTS}
    for place, sql in enumerate(expressions):
        text = f"{{{{ config(inputs={inputs!r}) }}}} select {sql} as value from {{{{ request() }}}}"
        (folder / "models" / f"v{place}.sql").write_text(text, encoding="utf-8")
    return folder
