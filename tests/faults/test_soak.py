"""Readers beside a loader: every value read was once written, none goes backwards, nobody is disturbed (rule 10)."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from asknown.errors import AsknownError
from asknown.online.reader import OnlineReader
from asknown.online.sqlite.writer import open_writer
from faults.conftest import Length, Tell
from faults.reading import SHAPES, Checker, percentile, read_on
from faults.workers import PATIENCE, Crew, Parent, Worker
from faults.world import READ_AT, Load, World, features_of, find_load, keys_of, observe

ALONE, BESIDE_WORK, BESIDE_LOADS = "alone", "beside other work", "beside loads"
PHASES = (ALONE, BESIDE_WORK, BESIDE_LOADS)


class StopHereError(Exception):
    """What the loader's own fault is."""


def load_on(parent: Parent, *, path: str, size: int, number: int) -> int:
    """The job: load after load, some of them repeated, late, rebuilt or failing, until told to stop; the last one."""
    world = World(size)
    while parent.told() != "stop":
        number += 1
        load = Load(number)
        batches = world.batches(load)
        if number % 5 == 0:  # it breaks half-way, and is undone
            try:
                with open_writer(path) as writer:
                    world.write(writer, load, batches)
                    raise StopHereError
            except StopHereError:
                pass
        with open_writer(path) as writer:
            world.write(writer, load, batches, full=number % 7 == 0)
        if number % 3 == 0:  # older rows once more, under an earlier watermark: refused
            late = Load(number - 2)
            try:
                with open_writer(path) as writer:
                    world.write(writer, late, world.batches(late))
            except AsknownError as error:
                assert error.code == "load-older"
        parent.say(str(number))
    return number


def work_on(parent: Parent, *, path: str, size: int, number: int) -> int:
    """The job that a loader's is compared with: as much work and as many writes, in a folder of its own."""
    return load_on(parent, path=path, size=size, number=number)


def start_table(path: Path, world: World) -> None:
    """The table that the readers find."""
    with open_writer(path) as writer:
        world.write(writer, Load(0), world.batches(Load(0)))


def run_phases(
    crew: Crew, readers: list[Worker], path: Path, size: int, *, seconds: float, rounds: int
) -> tuple[int, int]:
    """Reads alone, beside a loader elsewhere, and beside loads, in turn: the number of the last load, and of loads."""
    last = loads = worked = 0
    elsewhere = path.with_name("elsewhere.db")
    start_table(elsewhere, World(size))
    for _ in range(rounds):
        for phase in PHASES:
            beside: Worker | None = None
            if phase == BESIDE_WORK:
                beside = crew.start(work_on, path=str(elsewhere), size=size, number=worked)
                beside.wait_for(str(worked + 1))
            elif phase == BESIDE_LOADS:
                beside = crew.start(load_on, path=str(path), size=size, number=last)
                beside.wait_for(str(last + 1))
            for reader in readers:
                reader.tell(phase)
                reader.wait_for(phase)
            time.sleep(seconds)
            for reader in readers:
                reader.tell("between")
                reader.wait_for("between")
            if beside is not None:
                beside.tell("stop")
                ended = beside.answer()
                if phase == BESIDE_LOADS:
                    loads += ended - last
                    last = ended
                else:
                    worked = ended
    return last, loads


def test_readers_beside_a_loader(tmp_path: Path, crew: Crew, length: Length, tell: Tell) -> None:
    path, size = tmp_path / "online.db", length.of(300, 3000)
    world = World(size)
    start_table(path, world)
    count = max(
        1, (os.cpu_count() or 2) - 1
    )  # with a core left for the loader, so that what is measured is disturbance
    readers = [crew.start(read_on, path=str(path), size=size, seed=i) for i in range(count)]
    seconds, rounds = (0.7, 2) if not length.factor else (4.0, length.of(2, 6))
    last, loads = run_phases(crew, readers, path, size, seconds=seconds, rounds=rounds)
    found = finish(readers)
    assert find_load(observe(path), [(world, Load(last))]) == Load(last)
    tell(f"{found['reads']} reads by {count} readers beside {loads} loads: {describe(found['faults'])}")
    tails = {phase: tell_latencies(found["pace"], phase, tell) for phase in PHASES}
    assert not found["faults"], found["wrong"]
    assert found["newest"] == {last}
    if length.factor:
        undisturbed = max(tails[ALONE], tails[BESIDE_WORK])
        assert tails[BESIDE_LOADS] <= 2 * undisturbed


def test_many_readers_and_threads_beside_a_loader(tmp_path: Path, crew: Crew, length: Length, tell: Tell) -> None:
    """More readers than cores, some of several threads, some by apsw where it is installed: is all of it right?"""
    path, size = tmp_path / "online.db", length.of(200, 1500)
    world = World(size)
    start_table(path, world)
    libraries = ["sqlite3", "apsw"] if find_spec("apsw") else ["sqlite3"]
    kinds = list(itertools.product((1, 3), libraries)) * length.of(1, 2)
    readers = [
        crew.start(read_on, path=str(path), size=size, seed=i, threads=n, library=library)
        for i, (n, library) in enumerate(kinds)
    ]
    loader = crew.start(load_on, path=str(path), size=size, number=0)
    time.sleep(length.of(2, 30))
    loader.tell("stop")
    last = loader.answer()
    found = finish(readers)
    readers_shown = f"{sum(n for n, _ in kinds)} threads of {len(kinds)} processes ({', '.join(libraries)})"
    tell(f"{found['reads']} reads by {readers_shown} beside {last} loads: {describe(found['faults'])}")
    assert not found["faults"], found["wrong"]
    assert found["newest"] == {last}
    assert find_load(observe(path), [(world, Load(last))]) == Load(last)


def finish(readers: list[Worker]) -> dict[str, Any]:
    """What the readers saw, together."""
    for reader in readers:
        reader.tell("stop")
    answers = [reader.answer() for reader in readers]
    pace: dict[str, Counter[int]] = {}
    for answer in answers:
        for name, counts in answer["pace"].items():
            pace.setdefault(name, Counter()).update({int(bucket): n for bucket, n in counts.items()})
    return {
        "reads": sum(answer["reads"] for answer in answers),
        "newest": {number for answer in answers for number in answer["newest"]},
        "faults": sum((Counter(answer["faults"]) for answer in answers), Counter()),
        "wrong": [answer["wrong"] for answer in answers],
        "pace": pace,
    }


def describe(faults: Counter[str]) -> str:
    """The faults, those that did not happen too."""
    errors = sum(count for name, count in faults.items() if name.startswith("error"))
    return f"errors {errors}, backwards {faults['backwards']}, torn {faults['torn']}, missing {faults['missing']}"


def tell_latencies(pace: dict[str, Counter[int]], phase: str, tell: Tell) -> float:
    """Tells p50 and p99 of each shape of read in a phase; the p99 of the first shape."""
    shown = []
    for shape in SHAPES:
        counts = pace[f"{phase}: {shape}"]
        shown.append(f"{shape} {percentile(counts, 0.5):.0f} / {percentile(counts, 0.99):.0f}")
    tell(f"p50 / p99 µs {phase}: {', '.join(shown)}")
    return percentile(pace[f"{phase}: {SHAPES[0]}"], 0.99)


# ---------------------------------------------------------------- the checker sees what it is there for


def seen(keys: list[int], number: int) -> list[dict[str, Any]]:
    """A right answer after load ``number``."""
    return [keys_of(key) | features_of(key, number) for key in keys]


def test_a_right_answer_is_no_fault(tmp_path: Path) -> None:
    checker = Checker(10)
    for number in (4, 4, 5, 9):
        checker.check([0, 3, 7], seen([0, 3, 7], number))
        checker.check([3], seen([3], number))
    assert not checker.faults
    assert checker.newest == 9


@pytest.mark.parametrize(
    ("fault", "keys", "rows"),
    [
        ("backwards", [0, 3], seen([0, 3], 7)),
        ("backwards", [3], seen([3], 4)),
        ("torn", [0, 3], [seen([0], 9)[0], seen([3], 7)[0]]),
        ("torn", [0], [seen([0], 9)[0] | {"shop__price": seen([0], 8)[0]["shop__price"]}]),
        ("torn", [1], [seen([1], 9)[0] | {"clicks__sum": 17}]),
        ("torn", [1], [seen([1], 9)[0] | {"accounts__tags": None}]),
        ("missing", [0], [dict.fromkeys(seen([0], 9)[0])]),
        ("missing", [1], [dict.fromkeys(seen([1], 9)[0])]),
    ],
)
def test_a_wrong_answer_is_a_fault(fault: str, keys: list[int], rows: list[dict[str, Any]]) -> None:
    checker = Checker(10, newest=8)
    checker.check(keys, rows)
    assert set(checker.faults) == {fault}, checker.wrong


def write_older(parent: Parent, *, path: str, size: int) -> None:
    """A loader as it must not be: the second view is loaded behind the first, and the third load is older."""
    for number in (1, 2, 1):
        for names in (("accounts",), ("shops", "clicks")):
            world = World(size, names)
            with open_writer(path) as writer:
                world.write(writer, Load(number), World(size).batches(Load(number)), full=True)
            parent.say("written")
            assert parent.told(PATIENCE)


def test_a_loader_that_tears_and_goes_back_is_caught(tmp_path: Path, crew: Crew) -> None:
    path, world = tmp_path / "online.db", World(20)
    start_table(path, world)
    with OnlineReader(path) as reader:
        loader = crew.start(write_older, path=str(path), size=20)
        checker = Checker(20)
        for _ in range(3 * 2):
            loader.wait_for("written")
            rows = reader.get_online_features("everything", [keys_of(0)], at=READ_AT, full_feature_names=True).rows()
            checker.check([0], rows)
            loader.tell("next")
    loader.answer()
    assert {"torn", "backwards"} <= set(checker.faults)
