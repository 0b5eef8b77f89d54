"""Runs unit tests: the training query and a loaded online table over the rows that a test gives.

The given rows are written to Parquet files in a temporary folder, and a copy of the project reads these in place of its
models and sources. The copy runs in memory on DuckDB, so no warehouse is asked for a row.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asknown.catalog.catalog import Catalog
from asknown.checks.results import TestResult, could_not_run
from asknown.checks.unit import differences, is_vacuous, plain, unordered_differences
from asknown.emit.rows import rows_query
from asknown.engines.engine import Engine, open_engine
from asknown.errors import AsknownError, Where, did_you_mean
from asknown.model.nodes import FeatureView, View
from asknown.online.nodes import Owner
from asknown.online.reader import OnlineReader
from asknown.plan.needs import find_needs
from asknown.plan.request import name_features, read_request
from asknown.project.nodes import OnlineTarget, Project, SourceTable, Target
from asknown.project.options import DuckDBOptions
from asknown.project.tests import TestRows, UnitTest
from asknown.render.nodes import Rendered
from asknown.store.materialize import LoadOptions, load_views
from asknown.store.training import compile_relation, make_job
from asknown.store.type_engine import open_catalog
from asknown.store.typed_catalog import TypedCatalog
from asknown.types import Column, SqlType, parse_type

_GIVEN = "given"  # the source that stands for the models whose rows a test gives
_INSTANT = "event_timestamp"


Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class CameOut:
    """The rows that a unit test expects, and those that came out at each of its ends; of a model, at the end ``model``.

    ``names`` are all columns that came out.
    """

    expected: Rows
    found: Mapping[str, Rows]
    names: tuple[str, ...]


def run_unit_tests(typed: TypedCatalog, tests: Iterable[UnitTest]) -> list[TestResult]:
    """The results of unit tests, in their order. ``typed`` gives the types of what they stand in for."""
    return [_run(typed, test) for test in tests]


def _run(typed: TypedCatalog, test: UnitTest) -> TestResult:
    try:
        return judge(test, come_out(typed, test))
    except AsknownError as error:
        return could_not_run("unit", test.name, test.target, error, test.at)


def come_out(typed: TypedCatalog, test: UnitTest) -> CameOut:
    """Runs a unit test: returns the expected rows and those that came out.

    Raises ``bad-test`` and the errors of what it tests.
    """
    with TemporaryDirectory(prefix="asknown-") as folder, _Bench(typed, test, Path(folder)) as bench:
        return bench.come_out()


def judge(test: UnitTest, came: CameOut) -> TestResult:
    """The result of a test. Raises ``bad-test`` for one that would pass if every feature were NULL."""
    if is_vacuous(came.expected):
        raise AsknownError(
            "bad-test",
            f"unit test '{test.name}' would pass with every feature NULL, so it shows nothing",
            at=test.expect.at,
            hint="expect a value that is not NULL, in at least one row",
        )
    lines = []
    for end, rows in came.found.items():
        if test.kind == "model":
            lines += unordered_differences(came.expected, rows, test.approx)
        else:
            lines += differences(end, came.expected, rows, test.approx)
    values = sum(map(len, came.expected)) * len(came.found)
    return TestResult(
        "unit", test.name, test.target, "fail" if lines else "pass", values, len(lines), tuple(lines), test.at
    )


class _Bench:
    """One unit test, with a copy of the project that reads the rows given."""

    def __init__(self, typed: TypedCatalog, test: UnitTest, folder: Path) -> None:
        self._own = typed
        self._test = test
        self._folder = folder
        project = typed.project
        online = OnlineTarget(folder / "online.db", project.settings.name, "unit_test")
        target = Target("unit_test", DuckDBOptions(), project.profile.target.at)
        self._project = replace(project, profile=replace(project.profile, target=target, online=online))
        self._engine: Engine = open_engine(target, project.settings.root)

    def __enter__(self) -> _Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def come_out(self) -> CameOut:
        """Runs the test: returns the expected rows and those that came out."""
        catalog = self._over_given_rows()
        return self._of_model(catalog) if self._test.kind == "model" else self._of_features(catalog)

    # -- the given rows ----------------------------------------------------------------------------------------------

    def _over_given_rows(self) -> TypedCatalog:
        """The project's catalog with the given rows in the place of models and sources."""
        sources = {key: replace(table, push=None) for key, table in self._project.sources.items()}
        rendered: dict[str, Rendered] = {}
        for given in self._test.given:
            if isinstance(given.input, str):
                self._require(given.input, self._project.models, "model", given.rows.at)
                key = (_GIVEN, given.input)
                columns: Sequence[Column] = self._own.columns(given.input)
                own = self._own.models.model(given.input).rendered
                text = f'select * from "{_GIVEN}.{given.input}"'
                config = replace(own.config, materialized="ephemeral")
                rendered[given.input] = replace(
                    own, sql=text, template=text, config=config, refs=(), sources=(key,), lines=(1,)
                )
                table = SourceTable(*key, None, None, None, "", (), given.rows.at)
            else:
                key = given.input
                self._require(key, sources, "source", given.rows.at)
                columns, table = self._own.sources.columns(key), sources[key]
            path = self._write(".".join(key), columns, given.rows)
            sources[key] = replace(table, path=str(path), identifier=None, options=(), read=None)
        project = replace(self._project, sources=sources)
        models = Catalog(project, rendered={**self._ephemeral(rendered.keys()), **rendered})
        return open_catalog(models, self._engine)

    def _ephemeral(self, given: Iterable[str]) -> dict[str, Rendered]:
        """The models that the target keeps as tables, as models that are computed anew."""
        found = {}
        for name in self._project.models.keys() - set(given):
            try:
                own = self._own.models.model(name).rendered
            except AsknownError:  # a broken model matters where it is used
                continue
            if own.config.materialized != "ephemeral":
                found[name] = replace(own, config=replace(own.config, materialized="ephemeral"))
        return found

    def _require(self, name: Any, known: Mapping[Any, Any], what: str, at: Where) -> None:
        if name not in known:
            shown = name if isinstance(name, str) else ".".join(name)
            options = [one if isinstance(one, str) else ".".join(one) for one in known]
            raise AsknownError(
                f"unknown-{what}",
                f"there is no {what} '{shown}'",
                at=at,
                hint=did_you_mean(shown, options, what="inputs"),
            )

    def _write(self, name: str, columns: Sequence[Column], rows: TestRows) -> Path:
        path = self._folder / f"{len(list(self._folder.iterdir()))}.parquet"
        query = self._query(f"input {name}", columns, rows)
        with _placed(f"input {name}", rows.at):
            self._engine.write_file(query, path)
        return path

    def _query(self, what: str, columns: Sequence[Column], rows: TestRows) -> str:
        """The query of rows. Raises ``bad-test`` for a column that is not there and a value of another type."""
        if rows.sql is not None:
            return rows.sql
        given = _read_csv(self._project, rows) if rows.csv is not None else rows.rows
        names = {column.name: column.type for column in columns}
        for row in given:
            for name, value in row.items():
                if name not in names:
                    raise AsknownError(
                        "bad-test",
                        f"{what} has no column '{name}'",
                        at=rows.at,
                        hint=did_you_mean(name, names, what="columns"),
                    )
                _require_exact(what, name, value, names[name], rows.at)
        texts = [{name: _as_text(value) for name, value in row.items()} for row in given]
        return rows_query(columns, texts)

    def _rows(self, what: str, columns: Sequence[Column], rows: TestRows) -> list[dict[str, Any]]:
        """The rows with their values in their columns' types."""
        query = self._query(what, columns, rows)
        with _placed(what, rows.at):
            table = self._engine.stream(query).read_all()
        listed: list[dict[str, Any]] = table.to_pylist()
        if rows.sql is not None:
            return listed
        given = rows.rows if rows.csv is None else _read_csv(self._project, rows)
        return [{name: full[name] for name in row} for row, full in zip(given, listed, strict=False)]

    # -- the two kinds of test ---------------------------------------------------------------------------------------

    def _of_model(self, catalog: TypedCatalog) -> CameOut:
        test = self._test
        self._require(test.target, self._project.models, "model", test.at)
        self._require_given(catalog, [test.target])
        columns = catalog.columns(test.target)
        expected = self._rows("expect", columns, test.expect)
        found = self._engine.stream(compile_relation(catalog, test.target, dialect=None)).read_all().to_pylist()
        return CameOut(expected, {"model": found}, tuple(column.name for column in columns))

    def _of_features(self, catalog: TypedCatalog) -> CameOut:
        test = self._test
        models = catalog.models
        request = read_request([test.target], self._project.services, models.is_asked, models.asked_names())
        self._require_given(catalog, [item.view for item in request if models.is_view(item.view)])
        views = {item.view: catalog.asked(item.view) for item in request}
        below = list(_below(views.values()))
        self._require_given(catalog, [view.name for view in below])
        needs = find_needs(name_features(request, views, full_names=True, reserved_names=()))
        types = [*needs.keys, *needs.inputs]
        assert test.spine is not None
        spine = self._rows("the spine", [*types, Column(_INSTANT, parse_type("TIMESTAMP"))], test.spine)
        if any(_INSTANT not in row for row in spine):
            raise AsknownError("bad-test", f"the spine has a row without {_INSTANT}", at=test.spine.at)
        query = self._query("the spine", [*types, Column(_INSTANT, parse_type("TIMESTAMP"))], test.spine)
        table = self._engine.stream(query).read_all()
        job = make_job(
            catalog, table, [test.target], full_names=False, timestamp=_INSTANT, options=None, statuses=False
        )
        outputs = [Column(output.name, output.column.type) for output in job.plan.outputs]
        expected = self._rows("expect", outputs, test.expect)
        found: dict[str, Rows] = {}
        if "training" in test.ends:
            found["training"] = job.to_arrow().to_pylist()
        if "online" in test.ends and all(view.model.rendered.config.online for view in below):
            found["online"] = self._read_online(catalog, [view.name for view in below], spine)
        return CameOut(expected, found, tuple(column.name for column in outputs))

    def _require_given(self, catalog: TypedCatalog, names: Sequence[str]) -> None:
        """Raises ``bad-test`` where the tested models would read rows that the test does not give."""
        given = {g.input for g in self._test.given}
        for model in catalog.models.closure(names):
            for key in model.rendered.sources:
                if key[0] != _GIVEN and key not in given:
                    raise AsknownError(
                        "bad-test",
                        f"'{model.name}' reads source '{'.'.join(key)}', and unit test '{self._test.name}' gives none",
                        at=self._test.at,
                        hint=f"give: input: source('{key[0]}', '{key[1]}'), or the model: input: ref('{model.name}')",
                    )

    def _read_online(
        self, catalog: TypedCatalog, views: Sequence[str], spine: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """The features of each row, read online from a table that was loaded as of the row's instant."""
        online = self._project.profile.online
        found: dict[int, dict[str, Any]] = {}
        for instant in sorted({_moment(row) for row in spine}):
            options = LoadOptions(
                until=instant,
                full_refresh=False,
                allow_shrink=True,
                keep=None,
                wait=5.0,
                on_rows=None,
                on_wait=None,
            )
            load_views(catalog, views, options)
            places = [place for place, row in enumerate(spine) if _moment(row) == instant]
            keys = [{name: plain(v) for name, v in spine[place].items() if name != _INSTANT} for place in places]
            reader = OnlineReader(online.address, owner=Owner(online.project, online.target))
            try:
                found |= zip(
                    places, reader.get_online_features([self._test.target], keys, at=instant).rows(), strict=True
                )
            finally:
                reader.close()
        return [found[place] for place in range(len(spine))]


@contextmanager
def _placed(what: str, at: Where) -> Iterator[None]:
    """Says of an error of the engine which rows of the test it is about."""
    try:
        yield
    except AsknownError as error:
        raise AsknownError("bad-test", f"{what}: {error.message}", at=at) from None


def _below(views: Iterable[View]) -> Iterable[FeatureView]:
    """The feature views that these views are or read, each once."""
    found: dict[str, FeatureView] = {}
    for view in views:
        for one in [view] if isinstance(view, FeatureView) else view.views():
            found[one.name] = one
    return found.values()


def _moment(row: Mapping[str, Any]) -> datetime:
    moment = plain(row[_INSTANT])
    if not isinstance(moment, datetime):
        raise AsknownError("bad-test", f"a row of the spine has no {_INSTANT}")
    return moment


def _read_csv(project: Project, rows: TestRows) -> list[dict[str, Any]]:
    """The rows of a CSV file with a header; an empty field is NULL."""
    path = project.settings.root / str(rows.csv)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [{name: text or None for name, text in row.items()} for row in csv.DictReader(file)]
    except OSError as error:
        raise AsknownError("no-data", f"{rows.csv} cannot be read: {error.strerror}", at=rows.at) from None


def _as_text(value: Any) -> str | None:
    """A value of YAML as the text that is cast to the column's type."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case list():
            return f"[{', '.join(map(_part_as_text, value))}]"
        case dict():
            return "{" + ", ".join(f"'{name}': {_part_as_text(item)}" for name, item in value.items()) + "}"
    return repr(value) if isinstance(value, float) else str(value)


def _part_as_text(value: Any) -> str:
    """A part of a list or struct in the text of the whole, where texts are quoted."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _as_text(value) or "NULL"


def _require_exact(what: str, name: str, value: Any, kind: SqlType, at: Where) -> None:
    """Raises ``bad-test`` for a value that the column's type would round."""
    text = _as_text(value)
    if text is None:
        return
    fraction = text.partition(".")[2].rstrip("0")
    if (kind.kind == "integer" and (fraction or "e" in text.lower())) or (
        kind.kind == "decimal" and len(fraction) > kind.scale
    ):
        raise AsknownError(
            "bad-test",
            f"{what}: {name} is {kind.name}, which cannot hold {text}",
            at=at,
            hint="write a value that fits",
        )
