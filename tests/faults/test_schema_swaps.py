"""A view's definition changes while it is read: readers see the old columns whole or the new, and need no restart."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asknown.errors import AsknownError
from asknown.online.reader import OnlineReader
from asknown.online.sqlite.writer import open_writer
from faults.conftest import Length, Tell
from faults.workers import Crew, Parent
from faults.world import READ_AT, Load, World, features_of, find_load, keys_of, observe

SHAPES = 3


def load_of(number: int) -> Load:
    """Each load has another shape than the one before."""
    return Load(number, number % SHAPES)


def swap(path: str | Path, size: int, number: int) -> None:
    """Loads the next state, with its columns."""
    world, load = World(size), load_of(number)
    with open_writer(path) as writer:
        world.write(writer, load, world.batches(load))


class Follower:
    """A reader that follows the table through its definitions. ``wrong`` has what it may not have seen."""

    def __init__(self, size: int, seed: object) -> None:
        self.size = size
        self.newest = 0
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._chance = random.Random(f"{seed}")

    def follow(self, reader: OnlineReader, stopped: Callable[[], bool]) -> None:
        """Reads until told to stop, and then once more."""
        while not stopped():
            self.read(reader)
        self.read(reader, whole=True)

    def read(self, reader: OnlineReader, *, whole: bool = False) -> None:
        """One read: all columns of all views, or one that is not always there."""
        keys = [0, self._chance.randrange(self.size)]
        asked: Any = "everything" if whole or self._chance.random() < 0.7 else ["accounts:version", "accounts:more0"]
        try:
            rows = reader.get_online_features(
                asked, [keys_of(key) for key in keys], at=READ_AT, full_feature_names=True
            ).rows()
        except AsknownError as error:
            self.counts["gone" if error.code == "unknown-feature" else "errors"] += 1
            if error.code != "unknown-feature" or asked == "everything" or "'more0'" not in error.message:
                self.wrong.append(str(error))
            return
        self.counts["reads"] += 1
        self.check(keys, rows, whole=asked == "everything")

    def check(self, keys: list[int], rows: list[dict[str, Any]], *, whole: bool) -> None:
        """Every row has the columns of one load's shape, and that load's values, and no load is older than before."""
        load = load_of(rows[0]["accounts__version"])
        if load.number < self.newest:
            self.wrong.append(f"backwards from {self.newest}: {rows}")
        if load.number > self.newest:
            self.counts["seen anew"] += 1
        self.newest = max(self.newest, load.number)
        for key, row in zip(keys, rows, strict=True):
            seen = {name: value for name, value in row.items() if "__" in name}
            told = features_of(key, load.number, load.shape)
            if seen != (told if whole else {name: told.get(name) for name in seen}):
                self.wrong.append(f"torn: {seen}, and {told} was written")


def follow_on(parent: Parent, *, path: str, size: int, seed: int) -> dict[str, Any]:
    """The job: follows the table until told to stop."""
    follower = Follower(size, seed)
    with OnlineReader(path) as reader:
        follower.read(reader)
        parent.say("reading")
        follower.follow(reader, lambda: parent.told() == "stop")
    return {"newest": follower.newest, "counts": follower.counts, "wrong": follower.wrong[:3]}


def test_schemas_change_while_readers_read(tmp_path: Path, crew: Crew, length: Length, tell: Tell) -> None:
    path, size, swaps = tmp_path / "online.db", length.of(150, 600), length.of(15, 100)
    swap(path, size, 0)
    processes = [crew.start(follow_on, path=str(path), size=size, seed=seed) for seed in range(2)]
    for process in processes:
        process.wait_for("reading")
    stop, followers = threading.Event(), [Follower(size, seed) for seed in "ab"]
    with OnlineReader(path) as shared, OnlineReader(path) as own:
        threads = [threading.Thread(target=f.follow, args=(shared, stop.is_set)) for f in followers]
        for thread in threads:
            thread.start()
        checker, slowest = Follower(size, "own"), 0.0
        for number in range(1, swaps + 1):
            swap(path, size, number)
            started = time.perf_counter()
            checker.read(own, whole=True)
            slowest = max(slowest, time.perf_counter() - started)
            assert checker.newest == number, "a finished swap is not seen at once"
        stop.set()
        for thread in threads:
            thread.join()
    for process in processes:
        process.tell("stop")
    answers = [process.answer() for process in processes]
    counts = sum((Counter(a["counts"]) for a in answers), sum((f.counts for f in followers), checker.counts))
    tell(f"{swaps} swaps, slowest first read of a new one {slowest * 1000:.1f} ms, {dict(counts)}")
    wrong = [*checker.wrong, *(w for f in followers for w in f.wrong), *(w for a in answers for w in a["wrong"])]
    assert not wrong, wrong[:3]
    assert {f.newest for f in followers} | {a["newest"] for a in answers} == {swaps}
    assert counts["gone"], "nobody asked for a feature that was gone"
    assert find_load(observe(path), [(World(size), load_of(swaps))]) == load_of(swaps)


def test_a_reader_of_half_a_swap_is_caught() -> None:
    """Rows of one load under another's columns, and an older load after a newer."""

    def seen(key: int, number: int, shape: int) -> dict[str, Any]:
        return keys_of(key) | features_of(key, number, shape)

    follower = Follower(10, 0)
    follower.check([0, 3], [seen(0, 4, 1), seen(3, 4, 1)], whole=True)
    assert not follower.wrong
    for keys, rows in (
        ([0], [seen(0, 4, 2)]),
        ([0], [seen(0, 4, 0)]),
        ([0, 3], [seen(0, 5, 2), seen(3, 3, 2)]),
        ([0], [seen(0, 3, 0)]),
    ):
        before = len(follower.wrong)
        follower.check(keys, rows, whole=True)
        assert len(follower.wrong) > before
