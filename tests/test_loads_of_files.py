"""Loads that read what is new: whatever happened to the files, the table is that of a load of all rows (rule 10).

Hypothesis makes up a world whose sources are folders of Parquet files, and what happens to them: files come
with late rows, are edited, are replaced by others of the same size and time of change, and go. After each load the
online table is compared, hashes included, with the first load of the same files into another table. Tiles may be those
of earlier events: they must fit the events, and give the same answers.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import duckdb
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import strategies
import window_worlds
from asknown import AsknownError, FeatureStore
from asknown.online import tiles
from asknown.online.report import LoadReport
from asknown.online.sqlite import tile_update
from asknown.online.sqlite import tiles as sqlite_tiles
from asknown.store import source_files
from online_tables import check_tiles
from test_loads import AHEAD, EXAMPLES, dump
from test_parity import MICROSECOND, read_online, rows_of
from worlds import ViewData, World, arrow_table, exact_rows, write_project

Fate = Literal["new", "edited", "disguised", "touched", "gone", "none"]
FATES: tuple[Fate, ...] = ("new", "new", "new", "new", "edited", "disguised", "touched", "gone", "none")


@dataclass(frozen=True)
class Step:
    """What happens to the files of a view before a load: a fate, which file of those there are, and rows."""

    fate: Fate
    file: int
    rows: dict[str, list[dict[str, Any]]]
    watermark: datetime
    max_ahead: int


@contextmanager
def files_hashed_up_to(size: int) -> Iterator[None]:
    """Files above this size are told by their ends, as large ones are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_files, "_WHOLE", size)
        patch.setattr(source_files, "_END", 64)
        yield


@st.composite
def histories(draw: st.DrawFn, worlds: st.SearchStrategy[World]) -> tuple[World, list[Step]]:
    world = draw(worlds)
    steps = sorted(draw(st.lists(st.integers(0, 8), min_size=2, max_size=5)))
    pools = {name: rows[:40] for name, rows in rows_of(world).items()}
    made: list[Step] = []
    for number, step in enumerate(steps):
        watermark = world.start + step * strategies.STEP + draw(st.integers(-1, 1)) * MICROSECOND
        watermark = max([watermark, *(before.watermark for before in made)])
        rows = {
            name: draw(st.lists(st.sampled_from(pool), max_size=12)) if pool else [] for name, pool in pools.items()
        }
        fate: Fate = "new" if not number else draw(st.sampled_from(FATES))
        ahead = made[-1].max_ahead if made and draw(st.integers(0, 4)) else draw(st.sampled_from(AHEAD))
        made.append(Step(fate, draw(st.integers(0, 3)), rows, watermark, ahead))
    return world, made


def write_rows(path: Path, data: ViewData, rows: Sequence[dict[str, Any]]) -> None:
    """A Parquet file of a view's source, as `COPY` writes it."""
    table = arrow_table(data.columns, rows)
    if data.style == "aliased":
        table = table.rename_columns([f"c{i}" for i in range(len(data.columns))])
    with duckdb.connect() as connection:
        connection.register("incoming", table)
        connection.execute(f"copy incoming to '{path}' (format parquet)")


def apply(folder: Path, data: ViewData, step: Step, number: int) -> None:
    """Lets a step happen to the files of a view's source."""
    there = sorted(folder.glob("*.parquet"))
    rows = step.rows[data.view.name]
    if step.fate == "new" or not there:
        write_rows(folder / f"{number}.parquet", data, rows)
        return
    path = there[step.file % len(there)]
    stat = path.stat()
    match step.fate:
        case "edited":
            write_rows(path, data, rows)
        case "disguised":  # another file under the same name, with the time of change of the old one
            write_rows(path.with_suffix(".part"), data, rows)
            path.with_suffix(".part").replace(path)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        case "touched":
            os.utime(path)
        case "gone":
            if len(there) > 1:
                path.unlink()


def write_models(world: World, folder: Path, files: Path) -> None:
    """The world as a project whose sources are folders of files."""
    write_project(world, folder)
    path = folder / "models" / "world.yml"
    properties = json.loads(path.read_text(encoding="utf-8"))
    for place, table in enumerate(properties["sources"][0]["tables"]):
        del table["identifier"]
        table["path"] = f"{files}/{place}/*.parquet"
    path.write_text(json.dumps(properties, ensure_ascii=False), encoding="utf-8")


def load(folder: Path, watermark: datetime) -> list[LoadReport]:
    with closing(FeatureStore(folder)) as store:
        return store.materialize(until=watermark, allow_shrink=True)


def has_stale_tiles(folder: Path) -> bool:
    with closing(sqlite3.connect(folder / "online.db")) as connection:
        (stale,) = connection.execute("SELECT count(*) FROM _asknown_views WHERE stale_tiles").fetchone()
        return bool(stale)


def content(folder: Path, *, tiled: bool = True) -> dict[str, list[str]]:
    """The online file's tables, without what the loads noted of the files, and without tiles where they may differ."""
    found = dump(folder, () if tiled else ("tiles_hash", "stale_tiles"))
    return {
        name: rows
        for name, rows in found.items()
        if name != "_asknown_loads" and (tiled or not name.endswith(".tiles"))
    }


def answers(folder: Path, world: World, instants: Sequence[datetime]) -> list[Any]:
    """The answers to the world's request at each of the instants, or the code of the error."""
    found: list[Any] = []
    with closing(FeatureStore(folder)) as store:
        for at in instants:
            try:
                rows, response = read_online(store, world, at)
            except AsknownError as error:
                found.append(error.code)
            else:
                found.append((exact_rows(rows), response.statuses(), response.event_timestamps()))
    return found


def counts(report: LoadReport) -> tuple[Any, ...]:
    return (report.rows_total, report.rows_ahead, report.rows_beyond, report.beyond_at, report.events_total)


def run(world: World, steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root, kept = Path(name), Path(name) / "kept"
        for place in range(len(world.views)):
            (root / "files" / str(place)).mkdir(parents=True)
        for number, step in enumerate(steps):
            for place, data in enumerate(world.views):
                apply(root / "files" / str(place), data, step, number)
            now = replace(world, views=tuple(replace(data, max_ahead=step.max_ahead) for data in world.views))
            anew = root / "anew"
            for folder in (kept, anew):
                write_models(now, folder, root / "files")
            reports, first = load(kept, step.watermark), load(anew, step.watermark)
            for report in reports:
                event(f"{step.fate}: {report.read}")
                if step.fate in ("edited", "disguised", "gone") and number:
                    assert report.read != "new files"
            stale = has_stale_tiles(kept)
            event(f"stale tiles: {stale}")
            assert content(kept, tiled=not stale) == content(anew, tiled=not stale), [r.words for r in reports]
            check_tiles(kept / "online.db")
            if stale:
                instants = [step.watermark + later * strategies.STEP for later in (0, 1, 3, 9)]
                assert answers(kept, now, instants) == answers(anew, now, instants)
            assert [*map(counts, reports)] == [*map(counts, first)]
            for report in reports:
                assert report.rows_seen == report.new + report.changed + report.unchanged + report.skipped_null
            before = (kept / "online.db").read_bytes()
            assert {report.read for report in load(kept, step.watermark)} == {"nothing"}
            assert (kept / "online.db").read_bytes() == before, "the same load twice writes nothing"
            shutil.rmtree(anew)


@given(history=histories(strategies.worlds(max_views=2)), whole=st.sampled_from((64, 1 << 20)))
@settings(max_examples=EXAMPLES)
def test_as_of_views_are_those_of_a_load_of_all_rows(history: tuple[World, list[Step]], whole: int) -> None:
    with files_hashed_up_to(whole):
        run(*history)


@given(
    history=histories(window_worlds.worlds(max_views=1, online=True)),
    whole=st.sampled_from((64, 1 << 20)),
    sizes=st.sampled_from(((1, 1, 1), (1, 2, 9), (2, 3, 2), (2, 5, 40), (32, 128, 32))),
)
@settings(max_examples=EXAMPLES)
def test_windowed_views_are_those_of_a_load_of_all_rows(
    history: tuple[World, list[Step]], whole: int, sizes: tuple[int, int, int]
) -> None:
    with files_hashed_up_to(whole), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_tiles, "FEWEST", sizes[0])
        patch.setattr(tiles, "LENGTH", sizes[1])
        patch.setattr(tile_update, "MOST_NEWER", sizes[2])
        run(*history)


# -- why a load reads all ----------------------------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with a view over a folder of files, which has been loaded once, and has got a new file since."""
    (tmp_path / "models").mkdir()
    (tmp_path / "orders").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n')
    (tmp_path / "models" / "shop.yml").write_text(
        "sources: [{name: shop, tables: [{name: orders, path: 'orders/*.parquet'}, {name: rates, path: rates.csv}]}]\n"
        "entities: [{name: customer, keys: [id]}]\n"
    )
    (tmp_path / "rates.csv").write_text("id,rate\n1,2\n")
    write_view(tmp_path, "select id, ts, amount from {{ source('shop', 'orders') }}")
    write_orders(tmp_path, "a", "select 1 as id, timestamp '2024-01-01' as ts, 5 as amount")
    load(tmp_path, NOON)
    write_orders(tmp_path, "b", "select 2 as id, timestamp '2024-01-01' as ts, 6 as amount")
    return tmp_path


NOON = datetime(2024, 1, 1, 12)


def write_view(folder: Path, sql: str, config: str = "") -> None:
    text = f"{{{{ config(entity='customer', event_time='ts'{config}) }}}}\n{sql}\n"
    (folder / "models" / "orders.sql").write_text(text)


def write_orders(folder: Path, name: str, sql: str) -> None:
    duckdb.sql(f"copy ({sql}) to '{folder}/orders/{name}.parquet' (format parquet)")


def words_of(folder: Path) -> str | None:
    (report,) = load(folder, NOON)
    return report.words


def test_a_new_file_is_read_alone(shop: Path) -> None:
    assert words_of(shop) == "1 new of 2 files"
    assert words_of(shop) == "nothing new in the sources"


def test_a_full_refresh_reads_all(shop: Path) -> None:
    with closing(FeatureStore(shop)) as store:
        (report,) = store.materialize(NOON, full_refresh=True)
    assert (report.read, report.why, report.files, report.files_read) == ("all", None, 2, 2)


def test_other_columns_are_read_with_all_files(shop: Path) -> None:
    write_orders(shop, "b", "select 2 as id, timestamp '2024-01-01' as ts, 6.5 as amount")
    assert "the view, its columns, or what computes them differ" in str(words_of(shop))
    write_orders(shop, "c", "select 3 as id, timestamp '2024-01-01' as ts, 6 as amount")
    assert "the columns of the new files alone have other names or types" in str(words_of(shop))


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("select id, ts, amount, rate from {orders} join {rates} using (id)", "reads more than one source"),
        ("select id, ts, max(amount) as amount from {orders} group by id, ts", "may give other rows"),
        (
            "select id, ts, lag(amount) over (partition by id order by ts) as amount from {orders}",
            "may give other rows",
        ),
    ],
)
def test_a_view_that_does_more_than_compute_row_by_row_reads_all(shop: Path, sql: str, why: str) -> None:
    named = {name: f"{{{{ source('shop', '{name}') }}}}" for name in ("orders", "rates")}
    write_view(shop, sql.format(**named))
    load(shop, NOON)
    write_orders(shop, "c", "select 1 as id, timestamp '2024-01-01' as ts, 7 as amount")
    assert why in str(words_of(shop))


def test_rows_that_come_within_reach_are_read_again(shop: Path) -> None:
    write_view(shop, "select id, ts, amount from {{ source('shop', 'orders') }}", ", max_ahead='1 day'")
    write_orders(shop, "c", "select 3 as id, timestamp '2024-01-04' as ts, 7 as amount")
    (report,) = load(shop, NOON)
    assert report.rows_beyond == 1
    (report,) = load(shop, NOON + timedelta(days=1))
    assert report.read == "nothing" and report.rows_beyond == 1
    (report,) = load(shop, NOON + timedelta(days=2))
    assert "too far ahead" in str(report.words) and report.rows_ahead == 1


def test_files_that_change_during_a_load_are_not_noted(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What such a load read, nobody knows: the next one reads all."""
    monkeypatch.setattr("asknown.store.reading.are_as_seen", lambda seen: False)
    assert words_of(shop) == "1 new of 2 files"
    monkeypatch.undo()
    assert "did not note what it read" in str(words_of(shop))
    assert words_of(shop) == "nothing new in the sources"


def test_a_damaged_note_is_no_note(shop: Path) -> None:
    with closing(sqlite3.connect(shop / "online.db")) as connection, connection:
        connection.execute("UPDATE _asknown_loads SET read = replace(read, 'a.parquet', 'b.parquet')")
    assert "did not note what it read" in str(words_of(shop))


def test_a_file_is_told_by_its_identity_where_it_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit that leaves size, time of change and footer as they were is still a change."""
    monkeypatch.setattr(source_files, "_WHOLE", 100)
    monkeypatch.setattr(source_files, "_END", 10)
    path = tmp_path / "large"
    path.write_bytes(b"a" * 1000)
    before, stat = source_files.look_at([str(path)]), path.stat()
    assert source_files.compare(before, source_files.look_at([str(path)])) == source_files.Changes()
    path.write_bytes(b"b" + b"a" * 999)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert source_files.compare(before, source_files.look_at([str(path)])).changed == (str(path),)
    assert not source_files.are_as_seen(before)
