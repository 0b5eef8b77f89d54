"""Keys and names that break programs, through the command line: each is found, or refused in words."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faults.hostile import SURROGATES, TEXTS
from faults.project import FILES, MATERIALIZE, Said, asknown, write_project
from faults.workers import Crew

T = datetime(2013, 5, 1, 10)
PROJECT = FILES | {
    "models/models.yml": "entities:\n  - {name: person, keys: [id]}\n  - {name: thing, keys: [order]}\n"
    "sources:\n  - {name: raw, tables: [{name: people, path: people.parquet}]}\n",
    "models/people.sql": "{{ config(entity='person', event_time='ts') }}\n"
    "select id, ts, place from {{ source('raw', 'people') }}\n",
    "models/select.sql": """{{ config(entity='thing', event_time='where') }}
select 9223372036854775807::bigint as "order", timestamp '2013-05-01' as "where", 1 as "from", 2 as "quo""te",
    3 as "a b", 4 as "é", 5 as "it's", 6 as "😀", 7 as "--help", 8 as "; drop table x"
""",
}
del PROJECT["models/orders.sql"]
CANNOT_BE_TYPED = 100_000  # bytes: a system's own limit of an argument is near


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, crew: Crew) -> Path:
    """The project with all those texts as keys, loaded."""
    folder = tmp_path_factory.mktemp("hostile")
    write_project(folder, PROJECT)
    times = pa.array([T] * len(TEXTS), pa.timestamp("us"))
    pq.write_table(pa.table({"id": list(TEXTS), "ts": times, "place": range(len(TEXTS))}), folder / "people.parquet")
    loaded = asknown(crew, folder, *MATERIALIZE)
    assert loaded.code == 0, loaded
    return folder


def values_of(said: Said) -> list[dict[str, Any]]:
    """The values that `asknown get --format json` printed."""
    assert said.code == 0, said.err[:2000]
    return [row["values"] for row in json.loads(said.out)]


@pytest.mark.parametrize(
    "text", ["", "a", "e\u0301", "é", "'; drop table people; --", "=", "a=b", "--help", "\u202eabc\u202c"]
)
def test_keys_that_a_shell_can_say(folder: Path, crew: Crew, text: str) -> None:
    assert values_of(asknown(crew, folder, "get", "people", f"id={text}", "--format", "json")) == [
        {"place": TEXTS.index(text)}
    ]
    shown = asknown(crew, folder, "get", "people", f"id={text}")
    assert (shown.code, str(TEXTS.index(text)) in shown.out) == (0, True), shown


def test_keys_as_json_lines(folder: Path, crew: Crew) -> None:
    lines = [json.dumps({"id": text}) for text in (*TEXTS, *SURROGATES)]
    said = asknown(crew, folder, "get", "people", "--rows", "-", "--format", "json", stdin="\n".join(lines))
    assert [row["place"] for row in values_of(said)] == [*range(len(TEXTS)), *(None for _ in SURROGATES)]
    assert asknown(crew, folder, "get", "people", "--rows", "-", stdin="\n".join(lines)).code == 0
    assert asknown(crew, folder, "get", "people", "--rows", "-", "--format", "csv", stdin="\n".join(lines)).code == 0


def test_keys_as_csv(folder: Path, crew: Crew, tmp_path: Path) -> None:
    texts = [text for text in TEXTS if text and "\0" not in text and len(text) < CANNOT_BE_TYPED]  # "" is NULL there
    written = io.StringIO()
    csv.writer(written).writerows([["id"], *([text] for text in texts)])
    file = tmp_path / "people.csv"
    file.write_bytes(written.getvalue().encode())
    said = asknown(crew, folder, "get", "people", "--rows", str(file), "--format", "json")
    assert [row["place"] for row in values_of(said)] == [TEXTS.index(text) for text in texts]


@pytest.mark.parametrize("text", SURROGATES)
def test_bytes_that_are_no_text(folder: Path, crew: Crew, text: str) -> None:
    """What a shell gives for bytes that are not UTF-8: nobody has such a key."""
    for kind in ("table", "json", "csv"):
        said = asknown(crew, folder, "get", "people", f"id={text}", "--format", kind)
        assert said.code == 0, said
    said = asknown(crew, folder, "get", f"people{text}", "id=1")
    assert (said.code, said.err.startswith("error")) == (1, True), said


def test_names_that_a_shell_can_say(folder: Path, crew: Crew) -> None:
    key = f"order={2**63 - 1}"
    whole = asknown(crew, folder, "get", "select", key, "--format", "json")
    names = ["from", 'quo"te', "a b", "é", "it's", "😀", "--help", "; drop table x"]
    assert values_of(whole) == [{name: place for place, name in enumerate(names, start=1)}]
    for place, name in enumerate(names, start=1):
        said = asknown(crew, folder, "get", f"select:{name}", key, "--format", "json")
        assert values_of(said) == [{name: place}]


@pytest.mark.parametrize(
    "words",
    [
        ("people", "id"),
        ("people", "=x"),
        ("people:a=b", "id=1"),
        ("select", "order=NaN"),
        ("select", f"order={2**63 - 1}.5"),
        ("select", "order=" + "9" * 5000),
        ("people;", "id=1"),
        ("'; drop table people; --", "id=1"),
        ("", "id=1"),
        (":", "id=1"),
        ("people:", "id=1"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(folder: Path, crew: Crew, words: tuple[str, ...]) -> None:
    said = asknown(crew, folder, "get", *words)
    assert said.code in (1, 2), said
    assert said.err.startswith("error"), said
    assert "Traceback" not in said.err
    assert said.out == ""
