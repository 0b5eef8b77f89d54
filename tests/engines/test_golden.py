"""The SQL that we write for engines that we never run: it reads back, and that of telling cases is as somebody read it.

Every case that trains is compiled for each of these engines, and sqlglot reads the SQL back in its dialect. The files
``golden/<dialect>/<case>.sql`` keep the SQL of the telling cases, and of the others only why they cannot be written;
``pytest tests/engines/test_golden.py --update-cases`` writes them again. Nothing here connects to anything.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlglot import exp, parse_one

from asknown import AsknownError, FeatureStore
from asknown.dialects.registry import NAMES, find_dialect
from engines.gaps import cases_with_rows
from test_cases import CASES, prepare, set_up_environment

GOLDEN = Path(__file__).parent / "golden"
DIALECTS = {name: find_dialect(name) for name in NAMES}
WRITTEN = tuple(sorted(name for name, dialect in DIALECTS.items() if not dialect.executed))
"""The dialects of engines that we never run."""
TRAINS = re.compile(r"^asknown train .*", re.MULTILINE)
TAKES_VALUE = ("--spine", "--format", "--output", "--timestamp", "-o")
TELLING = (
    "as_of_order_of_values",
    "as_of_ties_by_features",
    "as_of_ttl_bounds",
    "compile_a_training_set",
    "spine_hostile_names",
    "spine_without_keys",
    "time_source_timezone",
    "types_are_the_models",
    "visible_known_at",
    "windows_authoring",
    "windows_both_ends",
    "windows_in_a_zone",
    "windows_joined_texts",
    "windows_known_late",
)
"""The cases whose SQL is kept. Between them they have every form of a plan, and every kind of value and time."""
REFUSED = "\n-- error[not-in-dialect]"


def trained(case: str) -> list[tuple[tuple[str, ...], bool]]:
    """What the case trains: (features, whether by their full names), each once."""
    found = []
    for line in TRAINS.findall((CASES / case / "run").read_text(encoding="utf-8")):
        words = shlex.split(line)[2:]
        names = [
            word
            for before, word in zip(["", *words], words, strict=False)
            if not word.startswith("-") and before not in TAKES_VALUE
        ]
        found.append((tuple(names), "--full-names" in words))
    return list(dict.fromkeys(found))


def sound_cases() -> list[str]:
    """The cases that train, but those that are about what is wrong in every dialect."""
    return [case for case in cases_with_rows() if not case.startswith(("error_", "windows_refused")) and trained(case)]


@pytest.mark.parametrize("case", sound_cases())
def test_sql_reads_back_and_is_as_it_was(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    folder = prepare(case, tmp_path / "project")
    set_up_environment(folder, monkeypatch)
    with FeatureStore(folder) as store:
        written = {dialect: kept(case, list(statements(store, case, dialect))) for dialect in WRITTEN}
    if pytestconfig.getoption("--update-cases"):
        for dialect, text in written.items():
            (GOLDEN / dialect).mkdir(parents=True, exist_ok=True)
            path = GOLDEN / dialect / f"{case}.sql"
            path.write_text(text, encoding="utf-8") if text else path.unlink(missing_ok=True)
    for dialect, text in written.items():
        path = GOLDEN / dialect / f"{case}.sql"
        assert text == (path.read_text(encoding="utf-8") if path.exists() else ""), dialect


def kept(case: str, found: list[str]) -> str:
    """The text that is kept of a case's statements: all of a telling case, else those that are refused."""
    return "\n".join(found if case in TELLING else [text for text in found if REFUSED in text])


def statements(store: FeatureStore, case: str, dialect: str) -> Iterator[str]:
    """The statements of a case in a dialect, each read back; in the place of one that cannot be said, why."""
    for names, full in trained(case):
        try:
            sql = store.compile_service(list(names), full_feature_names=full, dialect=dialect)
            assert_reads_back(sql, dialect)
        except AsknownError as error:
            sql = f"-- error[{error.code}]: {error.message}\n-- hint: {error.hint}"
        yield f"-- asknown compile {' '.join(names)} --dialect {dialect}\n{sql}\n"


def assert_reads_back(sql: str, dialect: str) -> None:
    """sqlglot reads the SQL in its dialect to a query that it writes and reads again as the same."""
    name = DIALECTS[dialect].sqlglot
    tree = parse_one(sql, read=name)
    assert isinstance(tree, exp.Query)
    assert parse_one(tree.sql(name, comments=False), read=name).sql(name) == tree.sql(name, comments=False)


@pytest.mark.parametrize("dialect", WRITTEN)
def test_nothing_else_is_kept(dialect: str) -> None:
    """No file is left of a case that is gone, and most cases can be written."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (GOLDEN / dialect).glob("*.sql")}
    refused = {case for case, text in texts.items() if REFUSED in text}
    assert texts.keys() == {*TELLING, *refused}
    assert texts.keys() <= set(sound_cases())
    assert len(refused) * 4 < len(sound_cases())


@pytest.mark.parametrize("dialect", WRITTEN)
def test_every_word_reads_back(dialect: str) -> None:
    """Each word, aggregate and rewrite of the dialect parses in it."""
    value = DIALECTS[dialect]
    rules = value.aggregates
    texts = [*value.snippets.values(), *rules.templates.values(), *rules.finalizers.values()]
    texts += [term for terms in rules.order.values() for term in terms]
    rewrites = value.translation.rewrites.values()
    texts += [text.removeprefix(":cast ") for text in rewrites if text != ":same"]
    for text in texts:
        plain = re.sub(r"(?<!:):([a-z_]\w*)", r"place_\1", text)
        tree = parse_one(plain, read=value.sqlglot)
        again = parse_one(tree.sql(value.sqlglot), read=value.sqlglot)
        assert again.sql(value.sqlglot) == tree.sql(value.sqlglot), text
        assert not tree.find(exp.Command), text
