"""Two loads at once: the second waits and then proceeds, or gives up with a clear error; nothing is lost."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from asknown.online.sqlite.writer import open_writer
from faults.conftest import Length, Tell
from faults.project import GET, MATERIALIZE, Said, asknown, run_command, write_project
from faults.workers import PATIENCE, Crew, Parent
from faults.world import Load, State, World, find_load, observe
from online_tables import NOON, load, make_batch, make_view, stored_rows

T = datetime(2013, 5, 1, 10)
VIEW = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "writer": "BIGINT", "number": "BIGINT"})


def hold(parent: Parent, *, path: str, size: int, number: int) -> None:
    """A load that ends when it is told to."""
    world = World(size)
    batches = world.batches(Load(number))
    with open_writer(path) as writer:
        world.write(writer, Load(number), batches)
        parent.say("written")
        assert parent.told(PATIENCE)


def write(parent: Parent, *, path: str, size: int, number: int, timeout: float) -> None:
    """A load that waits so long for another, and says when it does."""
    world = World(size)
    batches = world.batches(Load(number))
    with open_writer(path, timeout=timeout, on_wait=lambda _: parent.say("waiting")) as writer:
        world.write(writer, Load(number), batches)


def test_the_second_load_waits_and_then_proceeds(tmp_path: Path, crew: Crew) -> None:
    path, world = tmp_path / "online.db", World(100)
    first = crew.start(hold, path=str(path), size=100, number=1)
    first.wait_for("written")
    second = crew.start(write, path=str(path), size=100, number=2, timeout=PATIENCE)
    second.wait_for("waiting")
    first.tell("end")
    first.answer()
    second.answer()
    assert find_load(observe(path), [(world, Load(1)), (world, Load(2))]) == Load(2)


def test_a_load_that_waits_in_vain_says_so_and_nothing_is_lost(tmp_path: Path, crew: Crew) -> None:
    path, world = tmp_path / "online.db", World(100)
    crew.run(write, path=str(path), size=100, number=1, timeout=5)
    first = crew.start(hold, path=str(path), size=100, number=2)
    first.wait_for("written")
    started = time.perf_counter()
    refused = crew.start(write, path=str(path), size=100, number=3, timeout=0.3).outcome()
    assert refused["error"] == "online-write", refused
    assert "another load" in refused["message"]
    assert refused["hint"]
    assert time.perf_counter() - started >= 0.3
    assert find_load(observe(path), [(world, Load(1))]) == Load(1)  # what is not finished is not there
    first.tell("end")
    first.answer()
    assert find_load(observe(path), [(world, Load(2))]) == Load(2)
    crew.run(write, path=str(path), size=100, number=3, timeout=0.3)
    assert find_load(observe(path), [(world, Load(3))]) == Load(3)


def test_a_killed_load_does_not_keep_the_second_waiting(tmp_path: Path, crew: Crew) -> None:
    path, world = tmp_path / "online.db", World(100)
    first = crew.start(hold, path=str(path), size=100, number=1)
    first.wait_for("written")
    second = crew.start(write, path=str(path), size=100, number=2, timeout=PATIENCE)
    second.wait_for("waiting")
    first.kill()
    second.answer()
    assert find_load(observe(path), [(world, Load(2))]) == Load(2)


@pytest.mark.parametrize("in_time", [False, True])
def test_the_command_line_says_whom_it_waits_for(tmp_path: Path, crew: Crew, in_time: bool) -> None:
    path = write_project(tmp_path)
    first = crew.start(hold, path=str(path), size=10, number=1)
    first.wait_for("written")
    words = [*MATERIALIZE, "--wait", "60 seconds" if in_time else "1 second"]
    second = crew.start(run_command, words=words, folder=str(tmp_path), stdin="", watch="waiting for it")
    second.wait_for("waiting for it")
    if in_time:
        first.tell("end")
    said = Said(*second.answer())
    assert f"process {first.pid}, since" in said.err
    assert "waiting for it" in said.err
    if in_time:
        assert said.code == 0, said
        assert "1 view loaded" in said.err
    else:
        assert said.code == 1, said
        assert "error[online-write]" in said.err
        first.tell("end")
    first.answer()
    assert find_load(observe_world(path), [(World(10), Load(1))]) == Load(1)
    got = asknown(crew, tmp_path, *GET)
    assert got.code == (0 if in_time else 1), got


def observe_world(path: Path) -> State:
    """What the file holds, but for the project's own view."""
    state = observe(path)
    return State(
        {name: rows for name, rows in state.tables.items() if name != "orders"},
        {name: row for name, row in state.said.items() if name != "orders"},
    )


def write_own(_: Parent, *, path: str, writer: int, loads: int) -> None:
    """Loads a view of its own and the view that all writers share, again and again."""
    for number in range(loads):
        rows: list[dict[str, Any]] = [{"id": id_, "ts": T, "writer": writer, "number": number} for id_ in range(5)]
        with open_writer(path, timeout=60) as opened:
            for view in (VIEW, replace(VIEW, name=f"own{writer}")):
                opened.load(view, [make_batch(view, rows)], NOON)


def test_many_loaders_lose_nothing(tmp_path: Path, crew: Crew, length: Length, tell: Tell) -> None:
    path, writers, loads = tmp_path / "online.db", length.of(3, 6), length.of(6, 60)
    load(path, VIEW, [])
    started = time.perf_counter()
    running = [crew.start(write_own, path=str(path), writer=writer, loads=loads) for writer in range(writers)]
    for worker in running:
        worker.answer()
    tell(f"{writers} loaders, {writers * loads} loads in {time.perf_counter() - started:.1f} s")
    for writer in range(writers):
        assert {row[2:] for row in stored_rows(path, f"own{writer}")} == {(writer, loads - 1)}
    shared = {row[2:] for row in stored_rows(path)}
    assert len(shared) == 1  # of one load, and that was somebody's last
    assert shared <= {(writer, loads - 1) for writer in range(writers)}
