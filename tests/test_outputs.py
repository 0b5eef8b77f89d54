"""A training set is never written over what it is made of, and an output that cannot be written is named."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cli.typed import Output, asknown

SPINE = "select 1 as member_id, timestamp '2024-06-01' as event_timestamp"
VISITS = "member_id,seen_at,points\n1,2024-01-01 12:00:00,10\n"
FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "club"\n',
    "models/club.yml": "sources:\n  - name: shop\n    tables:\n      - {name: visits, path: data/visits.csv}\n"
    "      - {name: days, path: 'days/*/part-?.csv'}\n      - {name: lake, path: 'lake/**/*.parquet'}\n"
    "entities:\n  - {name: member, keys: [member_id]}\n",
    "models/visits.sql": "{{ config(entity='member', event_time='seen_at') }}\n"
    "select member_id, seen_at, points from {{ source('shop', 'visits') }}\n",
    "data/visits.csv": VISITS,
    "days/1/part-1.csv": VISITS,
    "spine.csv": "member_id,event_timestamp\n1,2024-06-01\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project, where the commands run."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "lake" / "new").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "data")
    os.link(tmp_path / "data" / "visits.csv", tmp_path / "twin.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(output: str, spine: str = SPINE, *more: str) -> Output:
    return asknown("train", "visits", "--spine", spine, "-o", output, *more)


@pytest.mark.parametrize(
    ("output", "what"),
    [
        ("data/visits.csv", "the source 'shop.visits'"),
        ("out/../data/visits.csv", "the source 'shop.visits'"),
        ("linked/visits.csv", "the source 'shop.visits'"),
        ("twin.csv", "the source 'shop.visits'"),
        ("days/1/part-1.csv", "the source 'shop.days'"),
        ("days/1/part-2.csv", "the source 'shop.days'"),  # not there yet, and read from then on
        ("lake/new/train.parquet", "the source 'shop.lake'"),
        ("lake/train.parquet", "the source 'shop.lake'"),
        ("spine.csv", "the spine"),
    ],
)
def test_what_is_read_is_not_written(project: Path, output: str, what: str) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    done = train(output, "spine.csv")
    assert done.code == 1
    assert f"error[output]: {output} is read as {what}" in done.stderr
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_json_is_not_written_over_a_source_either(project: Path) -> None:
    yml = project / "models" / "club.yml"
    yml.write_text(yml.read_text().replace("data/visits.csv", "data/visits.json"))
    text = '[{"member_id": 1, "seen_at": "2024-01-01 12:00:00", "points": 10}]'
    (project / "data" / "visits.json").write_text(text)
    done = train("data/visits.json", SPINE, "--format", "json")
    assert "error[output]: data/visits.json is read as the source" in done.stderr
    assert (project / "data" / "visits.json").read_text() == text


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("/proc/out.parquet", "cannot write /proc/out.parquet: "),
        ("/proc/out.csv", "cannot write /proc/out.csv: "),
        ("x" * 252 + ".parquet", "name too long"),
        ("nowhere/out.csv", "the folder nowhere does not exist"),
    ],
)
def test_an_output_that_cannot_be_written_is_named(project: Path, output: str, words: str) -> None:
    done = train(output)
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith("error[output]: ")
    assert words in done.stderr


@pytest.mark.parametrize("output", ["out/train.parquet", "days/train.csv", "data/train.csv", "days/1/part-10.csv"])
def test_other_names_are_written(project: Path, output: str) -> None:
    done = train(output)
    assert done.code == 0, done.stderr
    assert (project / output).exists()
    assert output.endswith(".csv") or pq.read_table(project / output)["points"].to_pylist() == [10]
    assert train(output).code == 0  # again, over the old one
