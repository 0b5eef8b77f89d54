"""Every listed expression gives on each engine what it gives on DuckDB, or is refused, or stops: none differs silently.

``pytest tests/engines/test_expressions.py --update-cases`` writes down what is refused and what stops.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeGuard

import duckdb
import pyarrow as pa
import pytest

from asknown import AsknownError, FeatureStore
from engines.expressions import DEFINED, NEARLY, Verdict, expressions, hostile, listed, model_of, write_list
from engines.harness import Warehouse
from stores import open_without_refusals
from worlds import exact, same_type

ASKED = datetime(2024, 6, 1)
AT_ONCE = 10  # queries
Outcome = pa.ChunkedArray | AsknownError
"""The column of an expression, or what was raised in its place."""


def test_no_expression_differs_silently(
    warehouse: Warehouse, here: Place, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    there = Place(warehouse, tmp_path)
    known = listed(warehouse.name)
    found: dict[str, Verdict] = {}
    for room, some in expressions(warehouse.name).items():
        expected, outcomes = here.outcomes(room, sound(some, known)), there.outcomes(room, sound(some, known))
        refused = [each for each in some if each in known and known[each].word == "refused"]
        outcomes |= there.refusals(room, refused)
        outcomes |= there.outcomes_alone(room, [each for each in some if each not in outcomes])
        unknown = [each for each in some if each not in expected and not is_refused(outcomes[each])]
        expected |= here.outcomes_alone(room, unknown)
        found |= {each: judge(each, expected.get(each), outcomes[each]) for each in some}
    if pytestconfig.getoption("--update-cases"):
        write_list(warehouse.name, found)
        known = listed(warehouse.name)
    wrong = [
        f"{expression}: {verdict.word} ({verdict.reason})"
        for expression, verdict in found.items()
        if verdict.word == "differs" or verdict.word != known.get(expression, Verdict("same")).word
    ]
    assert not wrong, f"{len(wrong)} of {len(found)}:\n" + "\n".join(wrong)


def test_what_is_listed_is_asked() -> None:
    """No list names an expression that is not there any more."""
    for engine in ("clickhouse", "postgres", "spark"):
        asked = {each for some in expressions(engine).values() for each in some}
        assert set(listed(engine)) <= asked


def sound(some: Sequence[str], known: Mapping[str, Verdict]) -> list[str]:
    """Those that are not known to stop or to be refused."""
    return [each for each in some if each not in known]


def judge(expression: str, expected: Outcome | None, outcome: Outcome) -> Verdict:
    """What became of an expression: where DuckDB itself stops, nothing may come out elsewhere."""
    if is_refused(outcome):
        assert outcome.at is not None and outcome.at.line, f"{expression}: refused without its place"
        return Verdict("refused", outcome.message.partition(": ")[2])
    if isinstance(expected, AsknownError):
        both = isinstance(outcome, AsknownError)
        return Verdict("stop both" if both else "differs", f"DuckDB: {expected.message}"[:120])
    if isinstance(outcome, AsknownError):
        return Verdict("stops", outcome.message[:120])
    assert expected is not None
    if not same_type(outcome.type, expected.type):
        return Verdict("differs", f"DuckDB {expected.type}, here {outcome.type}")
    nearly = any(part in expression for part in NEARLY)
    for left, right in zip(expected.to_pylist(), outcome.to_pylist(), strict=True):
        if exact(left) != exact(right) and not (nearly and close(left, right)):
            return Verdict("differs", f"DuckDB {left!r}, here {right!r}")
    return Verdict("same")


def is_refused(outcome: Outcome) -> TypeGuard[AsknownError]:
    """Whether the model could not be said in the engine's SQL."""
    return isinstance(outcome, AsknownError) and outcome.code == "not-in-dialect"


def close(left: Any, right: Any) -> bool:
    return isinstance(left, float) and isinstance(right, float) and math.isclose(left, right, rel_tol=1e-12)


# --- the same models on an engine and on DuckDB -----------------------------------------------------------------------


class Place:
    """An engine with the table of hostile rows."""

    def __init__(self, warehouse: Warehouse | None, folder: Path) -> None:
        self._warehouse = warehouse
        self._folder = folder
        table = hostile()
        if warehouse is None:
            self._target: Mapping[str, Any] = {"type": "duckdb", "path": "warehouse.duckdb"}
            with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
                connection.register("incoming", table)
                connection.execute("create table hostile as select * from incoming")
        else:
            self._target = warehouse.target(folder)
            warehouse.load(folder, {"hostile": table})
        (folder / "models").mkdir()
        (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "world"\n', encoding="utf-8")
        profile = {"world": {"target": "dev", "outputs": {"dev": self._target}}}
        (folder / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")

    def outcomes(self, room: str, some: Sequence[str]) -> dict[str, Outcome]:
        """What comes out of each expression. Many are asked at once, and fewer where one of them stops."""
        if not some:
            return {}
        if len(some) <= AT_ONCE or room != "queries":
            try:
                return dict(zip(some, self._train(self._models(room, some)), strict=True))
            except AsknownError as error:
                if len(some) == 1:
                    return {some[0]: error}
        half = len(some) // 2
        return self.outcomes(room, some[:half]) | self.outcomes(room, some[half:])

    def outcomes_alone(self, room: str, some: Sequence[str]) -> dict[str, Outcome]:
        """What comes out of each expression by a query of its own: one that stops would stop all beside it."""
        if not some:
            return {}
        models = [model for each in some for model in self._models(room, [each])]
        found: dict[str, Outcome] = {}
        with self._opened(_with_views(models)) as store:
            for number, each in enumerate(some):
                try:
                    (found[each],) = _train(store, [f"v{number}"])
                except AsknownError as error:
                    found[each] = error
        return found

    def refusals(self, room: str, some: Sequence[str]) -> dict[str, Outcome]:
        """The refusal of each expression that cannot be said in the engine's SQL."""
        found: dict[str, Outcome] = {}
        models = {f"m{number}": model_of(room, [each]) for number, each in enumerate(some)}
        with self._opened(models) as store:
            for name, each in zip(models, some, strict=True):
                try:
                    store.compile_model(name)
                except AsknownError as error:
                    found |= {each: error} if is_refused(error) else {}
        return found

    def _models(self, room: str, some: Sequence[str]) -> list[tuple[str, int]]:
        """Models with these expressions as columns, and how many each has: a query is a model of its own."""
        meant = [DEFINED.get(each, each) for each in some] if self._warehouse is None else list(some)
        if room == "queries":
            return [(model_of(room, [each]), 1) for each in meant]
        return [(model_of(room, meant), len(meant))]

    def _train(self, models: Sequence[tuple[str, int]]) -> list[pa.ChunkedArray]:
        """The columns of all models, by one training query over a view of each."""
        with self._opened(_with_views(models)) as store:
            return _train(store, [f"v{number}" for number in range(len(models))])

    @contextmanager
    def _opened(self, models: Mapping[str, str]) -> Iterator[FeatureStore]:
        for old in (self._folder / "models").iterdir():
            old.unlink()
        identifier = "main.hostile" if self._warehouse is None else f"{self._warehouse.schema}.hostile"
        properties = {
            "sources": [{"name": "raw", "tables": [{"name": "hostile", "identifier": identifier}]}],
            "entities": [{"name": "row", "keys": ["id"]}],
        }
        (self._folder / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
        for name, text in {"hostile": "select * from {{ source('raw', 'hostile') }}", **models}.items():
            (self._folder / "models" / f"{name}.sql").write_text(text + "\n", encoding="utf-8")
        # What the lists ask is how an expression is translated, not whether it may stand in a feature.
        with closing(open_without_refusals(self._folder)) as store:
            yield store


def _with_views(models: Sequence[tuple[str, int]]) -> dict[str, str]:
    """The models m0, m1, …, and the views v0, v1, … of their columns."""
    config = "{{ config(entity='row', event_time='ts') }}"
    texts = {}
    for number, (model, count) in enumerate(models):
        columns = ", ".join(f"z{place}" for place in range(count))
        texts[f"m{number}"] = model
        texts[f"v{number}"] = f"{config}\nselect id, ts, {columns} from {{{{ ref('m{number}') }}}}"
    return texts


def _train(store: FeatureStore, views: Sequence[str]) -> list[pa.ChunkedArray]:
    spine = pa.table({"id": pa.array(range(1, 20), pa.int32()), "event_timestamp": pa.array([ASKED] * 19)})
    columns: list[pa.ChunkedArray] = (
        store.get_historical_features(spine, views, full_feature_names=True).to_arrow().columns
    )
    return columns[2:]


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """DuckDB with the same rows."""
    return Place(None, tmp_path_factory.mktemp("here"))
