"""The reader of the soak: reads for as long as it is told, checks every answer, and times them.

An answer names the load it is of: key 0 changes with every load. All that was read must be of that one load, to the
last value, and no load may be older than one seen before.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asknown.errors import AsknownError
from asknown.online.reader import OnlineReader
from asknown.online.sqlite.connect import Library
from faults.workers import Parent
from faults.world import READ_AT, features_of, keys_of

SHAPES = ("one key, one view", "one key, three views", "six keys, three views")
_STEP = math.log(1.02)  # a histogram's buckets are 2 % apart


@dataclass
class Checker:
    """What one reader has seen so far. ``wrong`` keeps the first few answers that cannot be, by kind of fault."""

    size: int
    newest: int = 0
    wrong: dict[str, list[str]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)

    def check(self, keys: list[int], rows: list[dict[str, Any]]) -> None:
        """Checks the answer to a read of ``keys``, each with full names."""
        if keys[0] == 0:
            number = rows[0]["accounts__version"]
            if not isinstance(number, int):
                self.report("missing", keys, rows)
                return
            if number < self.newest:
                self.report("backwards", keys, rows)
            self.newest = max(self.newest, number)
            for key, row in zip(keys, rows, strict=True):
                self._compare(key, row, number)
            return
        for key, row in zip(keys, rows, strict=True):
            self._check_one(key, row)

    def _check_one(self, key: int, row: dict[str, Any]) -> None:
        """Without key 0 the load is not known, but which ones it may be: the version is of the key's own."""
        version = row["accounts__version"]
        if not isinstance(version, int):
            self.report("missing", [key], [row])
        elif version < self.newest - self.newest % (key % 5 + 1):
            self.report("backwards", [key], [row])
        else:
            self.newest = max(self.newest, version)  # a load of this number has been, at least
            self._compare(key, row, version)

    def _compare(self, key: int, row: Mapping[str, Any], number: int) -> None:
        told = features_of(key, number)
        for name, value in row.items():
            if "__" in name and value != told[name]:
                self.report("torn", [key], [dict(row), {name: told[name]}])
                return

    def report(self, fault: str, keys: list[int], seen: Any) -> None:
        """Counts a fault."""
        self.faults[fault] += 1
        self.wrong.setdefault(fault, [])
        if len(self.wrong[fault]) < 3:
            self.wrong[fault].append(f"newest {self.newest}, keys {keys}: {seen}")


class Pace:
    """Latencies by phase and shape, as counts in buckets."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[int]] = {}

    def add(self, phase: str, shape: str, nanoseconds: int) -> None:
        """Counts one read."""
        self.counts.setdefault(f"{phase}: {shape}", Counter())[round(math.log(nanoseconds) / _STEP)] += 1


def percentile(counts: Mapping[int, int], share: float) -> float:
    """The latency in microseconds below which this share of the reads lies, to 2 %."""
    left = share * sum(counts.values())
    for bucket in sorted(counts):
        left -= counts[bucket]
        if left <= 0:
            return math.exp(bucket * _STEP) / 1000
    return math.nan


def read_on(
    parent: Parent, *, path: str, size: int, seed: int, threads: int = 1, library: Library = "sqlite3"
) -> dict[str, Any]:
    """The job: reads until told to stop; every other word it is told is the name of the phase that begins."""
    phase, stop = ["warm"], threading.Event()
    checkers = [Checker(size) for _ in range(threads)]
    paces = [Pace() for _ in range(threads)]
    reads = [0] * threads
    with OnlineReader(path, library=library) as reader:

        def read(number: int) -> None:
            chance, checker = random.Random(f"{seed} {number}"), checkers[number]
            while not stop.is_set():
                read_once(reader, checker, paces[number], phase[0], chance)
                reads[number] += 1
            read_once(reader, checker, paces[number], "last", chance, keys=[0, 1])

        running = [threading.Thread(target=read, args=(number,)) for number in range(threads)]
        for thread in running:
            thread.start()
        while (word := parent.told(1.0)) != "stop":
            if word is not None:
                phase[0] = word
                parent.say(word)
        stop.set()
        for thread in running:
            thread.join()
    return {
        "reads": sum(reads),
        "newest": [checker.newest for checker in checkers],
        "faults": sum((checker.faults for checker in checkers), Counter()),
        "wrong": [checker.wrong for checker in checkers],
        "pace": {name: counts for pace in paces for name, counts in pace.counts.items()},
    }


def read_once(
    reader: OnlineReader,
    checker: Checker,
    pace: Pace,
    phase: str,
    chance: random.Random,
    *,
    keys: list[int] | None = None,
) -> None:
    """One read of a random shape, timed and checked; an error is a fault."""
    shape = chance.choices(SHAPES, (6, 3, 1))[0]
    if keys is None:
        keys = [chance.randrange(checker.size)]
        if shape == SHAPES[2]:
            keys = [0, *(chance.randrange(checker.size) for _ in range(5))]
    asked: Any = "accounts" if shape == SHAPES[0] else "everything"
    given = [keys_of(key) for key in keys]
    started = time.perf_counter_ns()
    try:
        rows = reader.get_online_features(asked, given, at=READ_AT, full_feature_names=True).rows()
    except AsknownError as error:
        checker.report(f"error {error.code}", keys, str(error))
        return
    pace.add(phase, shape, time.perf_counter_ns() - started)
    checker.check(keys, rows)
