"""Every listed expression, for each engine that we write for and never run: sqlglot reads it back, or it is refused.

Nothing here connects to anything. ``pytest tests/engines/test_written_expressions.py --update-cases`` writes down what
is refused, and why; docs/dialects.md counts it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from asknown import AsknownError, FeatureStore
from asknown.dialects.registry import find_dialect
from asknown.emit.translate.rewrite import translate
from asknown.types import parse_type
from engines.expressions import COLUMNS, Verdict, expressions, listed, model_of, write_list
from engines.test_golden import WRITTEN, assert_reads_back

TYPES = {
    **{"int32": "integer", "int64": "bigint", "double": "double", "string": "varchar", "bool": "boolean"},
    **{"timestamp[us]": "timestamp", "timestamp[us, tz=UTC]": "timestamptz", "date32[day]": "date"},
    **{"decimal128(10, 2)": "decimal(10, 2)"},
}
"""The types of the columns of the hostile table, as DuckDB calls them."""
READS = {name: parse_type(TYPES[str(kind)]) for name, (kind, _) in COLUMNS.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FeatureStore]:
    """A project with a model for each expression."""
    folder = tmp_path_factory.mktemp("written")
    (folder / "models").mkdir()
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "world"\n', encoding="utf-8")
    profile = {"world": {"target": "dev", "outputs": {"dev": {"type": "duckdb"}}}}
    (folder / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    for name, text in {"hostile": "select 1 as id", **asked()}.items():
        (folder / "models" / f"{name}.sql").write_text(text + "\n", encoding="utf-8")
    with FeatureStore(folder) as opened:
        yield opened


def asked() -> dict[str, str]:
    """The models, by name."""
    every = [(room, each) for room, some in expressions().items() for each in some]
    return {f"m{number}": model_of(room, [each]) for number, (room, each) in enumerate(every)}


@pytest.mark.parametrize("dialect", WRITTEN)
def test_every_expression_reads_back_or_is_refused(
    store: FeatureStore, dialect: str, pytestconfig: pytest.Config
) -> None:
    every = [each for some in expressions().values() for each in some]
    found = {each: verdict(store, name, dialect) for name, each in zip(asked(), every, strict=True)}
    if pytestconfig.getoption("--update-cases"):
        write_list(dialect, found)
    assert {each: was for each, was in found.items() if was.word == "refused"} == listed(dialect)


def verdict(store: FeatureStore, name: str, dialect: str) -> Verdict:
    """What becomes of a model's expression in a dialect."""
    model = replace(store.catalog.model(name), reads=READS, spelled={column: column for column in READS})
    try:
        sql = translate(model, model.tree, find_dialect(dialect))
    except AsknownError as error:
        assert error.code == "not-in-dialect", f"{model.sql}: {error}"
        assert error.at is not None, f"{model.sql}: refused without its place"
        assert error.at.line, f"{model.sql}: refused without its line"
        return Verdict("refused", error.message.partition(": ")[2])
    assert_reads_back(sql, dialect)
    return Verdict("same")
