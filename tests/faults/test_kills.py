"""kill -9 at random moments of a load: the file holds all of the old or all of the new, and opens at once (rule 10)."""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from asknown.online.reader import OnlineReader
from asknown.online.sqlite.migrations import LAYOUT
from asknown.online.sqlite.writer import open_writer
from faults.conftest import Length, Tell
from faults.old_layouts import write_layout
from faults.workers import PATIENCE, Crew, Parent, Worker, sleep_until
from faults.world import ALL, PLAIN, READ_AT, Load, World, features_of, find_load, keys_of, observe

OPENS_IN = 0.1  # seconds
STAGES = ("ready", "open", "commit", "done")


@dataclass(frozen=True)
class Kind:
    """A kind of load to kill. ``layout``: the file's own, older one; else the load follows the one before it."""

    name: str
    full: bool = False
    shapes: tuple[int, ...] = (0,)
    layout: int = LAYOUT


KINDS = (
    Kind("load"),
    Kind("full refresh", full=True),
    Kind("schema change", shapes=(0, 1, 2)),
    *(Kind(f"migration from layout {layout}", layout=layout) for layout in range(1, LAYOUT)),
)


def write_once(parent: Parent, *, path: str, size: int, number: int, shape: int, full: bool) -> None:
    """The job that is killed: one load of the whole world."""
    world, load = World(size), Load(number, shape)
    batches = world.batches(load)
    parent.say("ready")
    with open_writer(path) as writer:
        parent.say("open")
        world.write(writer, load, batches, full=full)
        parent.say("commit")
    parent.say("done")


@dataclass
class Tally:
    """What the kills did."""

    seed: int
    kills: int = 0
    torn: int = 0
    missing: int = 0  # finished loads that were not there
    slowest: float = 0
    died: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)

    @property
    def inside(self) -> int:
        """How many kills landed between the lock and the end of the load."""
        return self.died["open"] + self.died["commit"]


class Killer:
    """Kills loads of one kind, one after another, on one file."""

    def __init__(self, crew: Crew, folder: Path, kind: Kind, size: int, tally: Tally) -> None:
        self.crew, self.folder, self.kind, self.world, self.tally = crew, folder, kind, World(size), tally
        self.path = folder / "online.db"
        self.chance = random.Random(f"{kind.name} {tally.seed}")
        self.held: tuple[World, Load] = (self.world, Load(0))
        self.prepare()
        self.spans = self.rehearse()

    def prepare(self) -> None:
        """Puts the file there that the load is to change; one of an older layout anew for every load."""
        if self.kind.layout == LAYOUT:
            if not self.path.exists():
                with open_writer(self.path) as writer:
                    self.world.write(writer, Load(0), self.world.batches(Load(0)))
            return
        for file in self.folder.glob("online.db*"):
            file.unlink()
        self.held = (World(self.world.size, PLAIN if self.kind.layout == 1 else ALL), Load(0))
        write_layout(self.path, self.kind.layout, *self.held)

    def start(self) -> tuple[Worker, Load]:
        """Starts the next load."""
        before = self.held[1]
        shape = (before.shape + 1) % len(self.kind.shapes)
        load = Load(before.number + 1, shape)
        arguments = {"path": str(self.path), "size": self.world.size, "number": load.number, "shape": shape}
        return self.crew.start(write_once, full=self.kind.full, **arguments), load

    def rehearse(self) -> dict[str, float]:
        """How long each stage takes when nobody is killed, in seconds."""
        worker, load = self.start()
        times = []
        for stage in STAGES:
            worker.wait_for(stage)
            times.append(time.perf_counter())
        worker.answer()
        assert find_load(observe(self.path), [(self.world, load)]) == load
        self.held = (self.world, load)
        return {stage: end - begin for stage, begin, end in zip(STAGES[:-1], times, times[1:], strict=False)}

    def kill_once(self) -> None:
        """Kills one load at a random moment, and checks what it left."""
        self.prepare()
        with ExitStack() as beside:
            if self.chance.random() < 0.5:  # its reader keeps the log's index alive, so that nothing is recovered
                check_read(beside.enter_context(OnlineReader(self.path)), *self.held)
            worker, load = self.start()
            stage = self.chance.choices(STAGES[:-1], (1, 6, 3))[0]
            worker.wait_for(stage)
            sleep_until(time.perf_counter() + self.chance.uniform(0, self.spans[stage]))
            reached = ([stage, *worker.kill()])[-1]
            self.check(load, reached)

    def check(self, load: Load, reached: str) -> None:
        """Checks that the file is whole, that it is what it must be at this stage, and how fast it opens."""
        self.tally.slowest = max(self.tally.slowest, self.opening_time())
        state = observe(self.path)
        found = find_load(state, [self.held, (self.world, load)])
        if found is None:
            self.tally.torn += 1
        assert found is not None, f"torn after a kill at {reached!r}: {state.said}"
        new = found == load
        if reached == "done" and not new:
            self.tally.missing += 1
        assert not self.tally.missing, "a finished load is lost"
        assert not new or reached in ("commit", "done"), "a load is there that was not finished"
        if new:
            self.held = (self.world, load)
        expected = LAYOUT if new else self.kind.layout
        with closing(sqlite3.connect(self.path)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (expected,)
        with OnlineReader(self.path) as reader:
            check_read(reader, *self.held)
        self.tally.kills += 1
        self.tally.died[reached] += 1
        self.tally.left["new" if new else "old"] += 1

    def opening_time(self) -> float:
        """Seconds until the file as the kill left it has answered. Where that is slow, again on a copy: it may be
        the machine."""
        copies = [self.folder / f"copy {i}" for i in range(3)]
        for copy in copies:
            copy.mkdir()
            for file in self.folder.glob("online.db*"):
                shutil.copy(file, copy)
        best = self.time_opening(self.path)
        for copy in copies:
            if best > OPENS_IN:
                best = min(best, self.time_opening(copy / "online.db"))
            shutil.rmtree(copy)
        return best

    def time_opening(self, path: Path) -> float:
        """Seconds until a new reader has read a row."""
        started = time.perf_counter()
        with OnlineReader(path) as reader:
            reader.get_online_features("accounts", [keys_of(0)], at=READ_AT)
        return time.perf_counter() - started


def check_read(reader: OnlineReader, world: World, load: Load) -> None:
    """Checks some keys through the public API, windows included."""
    keys = [0, 1, 2, 3, 4, world.size - 1]
    response = reader.get_online_features(
        list(world.names), [keys_of(key) for key in keys], at=READ_AT, full_feature_names=True
    )
    for key, row in zip(keys, response.rows(), strict=True):
        told = features_of(key, load.number, load.shape)
        for name, value in row.items():
            view, _, feature = name.partition("__")
            if feature:
                assert value == told[f"{'shop' if view == 'shops' else view}__{feature}"], (key, name)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kill_leaves_all_of_the_old_or_all_of_the_new(
    tmp_path: Path, crew: Crew, kind: Kind, length: Length, tell: Tell
) -> None:
    tally = Tally(seed=random.randrange(10**6))
    killer = Killer(crew, tmp_path, kind, length.of(800, 6000), tally)
    wanted = length.of(4, 40)
    try:
        while tally.kills < wanted or (tally.inside < wanted // 2 and tally.kills < 4 * wanted):
            killer.kill_once()
    finally:
        tell(
            f"kills {tally.kills}, torn {tally.torn}, missing {tally.missing}, "
            f"slowest open {tally.slowest * 1000:.1f} ms, "
            f"died after {dict(tally.died)}, left {dict(tally.left)}, seed {tally.seed}"
        )
    assert tally.inside >= wanted // 2, "too few kills landed inside the write"
    assert tally.slowest < OPENS_IN
    worker, load = killer.start()  # the next load needs nobody's help
    worker.answer()
    assert find_load(observe(killer.path), [(killer.world, load)]) == load


# ---------------------------------------------------------------- the checker sees what it is there for

TEARS = {
    "a row of another load": "UPDATE accounts SET version = version - 1 WHERE id = 3",
    "a value of another load": "UPDATE shops SET price = '9.99' WHERE id = 3",
    "a missing row": "DELETE FROM shops WHERE id = 7",
    "a row too many": "INSERT INTO clicks VALUES (10000, '2013-05-01 10:00:00.000000')",
    "an old event": 'UPDATE "clicks.events" SET _1 = _1 - 1 WHERE id = 50',
    "a watermark of another load": "UPDATE _asknown_views SET watermark = '2013-05-01 12:00:00.000001' "
    "WHERE view = 'shops'",
    "a view that is gone": "DELETE FROM _asknown_views WHERE view = 'clicks'",
}


@pytest.mark.parametrize("tear", TEARS)
def test_a_torn_table_is_seen(tmp_path: Path, tear: str) -> None:
    world, path, load = World(60), tmp_path / "online.db", Load(2)
    with open_writer(path) as writer:
        world.write(writer, load, world.batches(load))
    candidates = [(world, Load(1)), (world, load)]
    assert find_load(observe(path), candidates) == load
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(TEARS[tear]).rowcount > 0
        connection.commit()
    assert find_load(observe(path), candidates) is None


def write_in_pieces(parent: Parent, *, path: str, size: int, number: int, shape: int, full: bool) -> None:
    """A loader as it must not be: it commits each view by itself."""
    world, load = World(size), Load(number, shape)
    batches = world.batches(load)
    parent.say("ready")
    for name in world.names:
        with open_writer(path) as writer:
            World(size, (name,)).write(writer, load, batches, full=full)
        parent.say("open")
        parent.told(PATIENCE)  # until it is killed


def test_a_loader_that_commits_in_pieces_is_caught(tmp_path: Path, crew: Crew) -> None:
    world, path = World(300), tmp_path / "online.db"
    with open_writer(path) as writer:
        world.write(writer, Load(0), world.batches(Load(0)))
    worker = crew.start(write_in_pieces, path=str(path), size=300, number=1, shape=0, full=False)
    worker.wait_for("open")
    worker.kill()
    assert find_load(observe(path), [(world, Load(0)), (world, Load(1))]) is None
