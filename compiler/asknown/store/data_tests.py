"""Runs data tests and singular tests on the target: all tests of one model in one scan."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from asknown.catalog.catalog import Catalog
from asknown.catalog.selectors import Selection
from asknown.checks.data import judge, name_of
from asknown.checks.freshness import judge_age
from asknown.checks.results import TestResult, could_not_run
from asknown.emit.data_tests import NEWEST, ROWS, counts_query, failures_query, newest_query, rows_query
from asknown.engines.engine import Engine
from asknown.errors import AsknownError, Where, did_you_mean
from asknown.online.nodes import Owner
from asknown.online.reader import OnlineReader
from asknown.paths import is_there
from asknown.project.nodes import ModelFile, Project
from asknown.project.tests import DataTest, Freshness
from asknown.render.nodes import Rendered, ViewConfig
from asknown.store.training import compile_relation
from asknown.store.type_engine import open_catalog

_NAME = "asknown_data_test"
_CALL = re.compile(r"(ref|source)\(\s*(['\"])([^'\"]+)\2\s*(?:,\s*(['\"])([^'\"]+)\4\s*)?\)")
FAILURES = "test_failures"
"""The folder of the files with the rows that fail, below the project."""


@dataclass(frozen=True)
class _Group:
    """The tests of one model, or of one table of a source."""

    of: str | tuple[str, str]
    tests: tuple[DataTest, ...]

    @property
    def name(self) -> str:
        return self.of if isinstance(self.of, str) else ".".join(self.of)


class DataTests:
    """The data tests of a project, run on the engine of its target. ``keep`` keeps the rows that fail, in files."""

    def __init__(self, models: Catalog, engine: Engine, *, keep: bool, selection: Selection | None = None) -> None:
        self._selection = selection
        self._models = models
        self._project: Project = models.project
        self._engine = engine
        self._keep = keep

    def run(self) -> Iterator[TestResult]:
        """The result of each test, the models' first, then those of sources and the singular ones."""
        for group in self._groups():
            if self._is_chosen(group.of):
                yield from self._run_group(group)
        for file in self._project.tests.values():
            if self._reads_chosen(file):
                yield self._run_singular(file)

    def _is_chosen(self, of: str | tuple[str, str]) -> bool:
        return self._selection is None or self._selection.has(of)

    def _reads_chosen(self, file: ModelFile) -> bool:
        """Whether a singular test reads a model or source that is chosen; one that does not render does, to say so."""
        if self._selection is None:
            return True
        try:
            rendered = self._models.renderer.render_model(file)
        except AsknownError:
            return True
        read: list[str | tuple[str, str]] = [*rendered.refs, *rendered.sources]
        return any(self._selection.has(one) for one in read)

    def _groups(self) -> Iterator[_Group]:
        for name, doc in self._project.docs.items():
            tests = _all(doc.data_tests, doc.columns, doc.unique, doc.at)
            if tests:
                yield _Group(name, tests)
        for key, table in self._project.sources.items():
            tests = _all(table.data_tests, table.columns, table.unique, table.at)
            if tests:
                yield _Group(key, tests)

    def _run_group(self, group: _Group) -> Iterator[TestResult]:
        try:
            others = [self._other(test) for test in group.tests]
            rendered, relation = self._relation(group.of)
            query = counts_query(group.tests, others, relation, self._dialect)
            (counts,) = self._stream(self._with(rendered, query, group.tests))
        except AsknownError as error:
            if len(group.tests) > 1:  # one wrong test must not hide the others
                for test in group.tests:
                    yield from self._run_group(_Group(group.of, (test,)))
                return
            (test,) = group.tests
            yield could_not_run("data", name_of(test, group.name), group.name, _about_test(error), test.at)
            return
        for number, (test, other) in enumerate(zip(group.tests, others, strict=True)):
            result = judge(test, group.name, counts[f"of_{number}"], counts[f"failing_{number}"])
            rows = failures_query(test, other, relation, self._dialect) if self._is_kept(result) else None
            yield result if rows is None else self._kept(result, self._with(rendered, rows, group.tests))

    def _run_singular(self, file: ModelFile) -> TestResult:
        at = Where(file.shown)
        try:
            rendered = self._models.renderer.render_model(file)
            sql = rendered.sql.rstrip().rstrip(";")
            (counts,) = self._stream(replace(rendered, sql=rows_query(sql, self._dialect)))
            failing = counts[ROWS]
            details = (f"{_counted(failing)}, and a test gives none",) if failing else ()
            result = TestResult(
                "data", file.name, file.shown, "fail" if failing else "pass", None, failing, details, at
            )
            return self._kept(result, replace(rendered, sql=sql)) if self._is_kept(result) else result
        except AsknownError as error:
            return could_not_run("data", file.name, file.shown, _about_test(error), at)

    def run_freshness(self, now: datetime) -> Iterator[TestResult]:
        """The age of the newest row of each source and view with ``freshness``, and of the view's last load."""
        for key, table in self._project.sources.items():
            if table.freshness is not None and self._is_chosen(key):
                times = [] if table.loaded_at_field is None else [table.loaded_at_field]
                yield self._freshness(key, times, table.freshness, now)
        for name, doc in self._project.docs.items():
            if doc.freshness is None or not self._is_chosen(name):
                continue
            config = self._models.model(name).rendered.config
            times = [time for time in (config.event_time, config.known_at) if time is not None]
            yield self._freshness(name, times, doc.freshness, now)
            watermark = self._watermark(name)
            if watermark is not None:
                yield judge_age(f"{name}_online", name, watermark, now, doc.freshness)

    def _freshness(
        self, of: str | tuple[str, str], times: Sequence[str], limits: Freshness, now: datetime
    ) -> TestResult:
        name = of if isinstance(of, str) else ".".join(of)
        try:
            if not times:
                lacks = "is no feature view" if isinstance(of, str) else "has no loaded_at_field"
                hint = "write freshness of a view, or of a source with loaded_at_field"
                raise AsknownError("bad-test", f"'{name}' {lacks}, so it has no age", at=limits.at, hint=hint)
            rendered, relation = self._relation(of)
            query = newest_query(times, now.isoformat(" "), relation, self._dialect)
            (row,) = self._stream(replace(rendered, sql=query))
            return judge_age(name, name, row[NEWEST], now, limits)
        except AsknownError as error:
            return could_not_run("freshness", name, name, _about_test(error), limits.at)

    def _watermark(self, view: str) -> datetime | None:
        """The instant of the last load of a view into the online table, None where there is none."""
        online = self._project.profile.online
        if isinstance(online.address, Path) and not is_there(online.address):
            return None
        try:
            reader = OnlineReader(online.address, owner=Owner(online.project, online.target))
        except AsknownError as error:
            if error.code == "no-online":
                return None
            raise
        try:
            stored = reader.views().get(view)
            return None if stored is None else stored.watermark
        finally:
            reader.close()

    @property
    def _dialect(self) -> str:
        return self._project.settings.dialect

    def _relation(self, of: str | tuple[str, str]) -> tuple[Rendered, str]:
        """(what the query refers to, the query of the rows). A view is read as its own SQL: a row for each event."""
        if not isinstance(of, str):
            empty = Rendered(_NAME, self._project.sources[of].at.path, "", "", ViewConfig(), (), (of,), ())
            return empty, f'select * from "{".".join(of)}"'
        model = self._models.model(of)
        if model.is_on_demand:
            raise AsknownError("bad-test", f"'{of}' is an on-demand view, which has no rows", hint="write a unit test")
        if model.is_feature_view:
            own = replace(model.rendered, config=ViewConfig(), name=_NAME)
            return own, model.sql
        return replace(model.rendered, config=ViewConfig(), name=_NAME, refs=(of,), sources=()), f'select * from "{of}"'

    def _other(self, test: DataTest) -> str | None:
        """The name, in SQL, of what a test of relationships refers to."""
        if test.kind != "relationships":
            return None
        call = _CALL.fullmatch(test.arguments["to"].strip())
        if call is None:
            raise AsknownError(
                "bad-test", "'to' of relationships must be ref('model') or source('source', 'table')", at=test.at
            )
        if call[1] == "ref":
            if call[3] not in self._project.models:
                hint = did_you_mean(call[3], self._project.models, what="models")
                raise AsknownError("unknown-model", f"there is no model '{call[3]}'", at=test.at, hint=hint)
            return call[3]
        if (call[3], call[5]) not in self._project.sources:
            known = [".".join(key) for key in self._project.sources]
            hint = did_you_mean(f"{call[3]}.{call[5]}", known, what="sources")
            raise AsknownError("unknown-source", f"there is no source '{call[3]}.{call[5]}'", at=test.at, hint=hint)
        return f"{call[3]}.{call[5]}"

    def _with(self, rendered: Rendered, sql: str, tests: Sequence[DataTest]) -> Rendered:
        """The query of a test as a model, with what its relationships refer to."""
        refs, sources = list(rendered.refs), list(rendered.sources)
        for test in tests:
            other = self._other(test)
            if other in self._project.models:
                refs.append(other)
            elif other is not None:
                source, _, table = other.partition(".")
                sources.append((source, table))
        return replace(rendered, sql=sql, refs=tuple(dict.fromkeys(refs)), sources=tuple(dict.fromkeys(sources)))

    def _sql(self, rendered: Rendered) -> str:
        """The SQL of a test's query in the engine's dialect."""
        lines = tuple(range(1, rendered.sql.count("\n") + 2))
        query = replace(rendered, name=_NAME, template=rendered.sql, lines=lines)
        file = ModelFile(_NAME, Path(rendered.shown), rendered.shown, rendered.sql)
        project = replace(self._project, models={**self._project.models, _NAME: file})
        return compile_relation(
            open_catalog(Catalog(project, rendered={_NAME: query}), self._engine), _NAME, dialect=None
        )

    def _stream(self, rendered: Rendered) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._engine.stream(self._sql(rendered)).read_all().to_pylist()
        return rows

    def _is_kept(self, result: TestResult) -> bool:
        return self._keep and bool(result.failing) and result.outcome != "pass"

    def _kept(self, result: TestResult, rendered: Rendered) -> TestResult:
        """The result, once the rows that fail are in a file."""
        folder = self._project.settings.root / FAILURES
        folder.mkdir(exist_ok=True)
        path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', result.name)}.parquet"
        count = self._engine.write_file(self._sql(rendered), path)
        return replace(result, details=(*result.details, f"{_counted(count)} in {FAILURES}/{path.name}"))


def _about_test(error: AsknownError) -> AsknownError:
    """The error without the name and the place of the query that a test becomes."""
    message = error.message.replace(f"in model '{_NAME}': ", "").replace(f"'{_NAME}'", "the test")
    at = error.at if message == error.message else None
    return AsknownError(error.code, message, at=at, hint=error.hint)


def _counted(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows:,} rows"


def _all(
    own: Sequence[DataTest], columns: Sequence[object], unique: Sequence[tuple[str, ...]], at: Where
) -> tuple[DataTest, ...]:
    """The tests of a model or table and of its columns; each key in ``unique`` is one, too."""
    tests = [*own]
    for column in columns:
        tests += getattr(column, "data_tests", ())
    for key in unique:
        tests.append(DataTest("unique", None, {"columns": list(key)}, at))
    return tuple(tests)
