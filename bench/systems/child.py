"""What the process of one measurement does: reads its job, times its parts, and says what it found.

A system's file calls :func:`main` with a function for each act. The standard library only: peers run in environments
of their own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """What to measure. ``result`` is a file for the rows that came out, where they are to be compared."""

    act: str  # prepare or run
    workload: str
    variant: str
    size: str
    data: Path
    work: Path  # a folder of the system's own
    threads: int
    memory_limit: str | None = None
    result: Path | None = None

    def rows(self, table: str) -> str:
        """The files of a table."""
        return f"{self.data}/{table}/*.parquet"


@dataclass
class Watch:
    """Seconds by phase, and other figures by name."""

    seconds: dict[str, float] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

    def microseconds(self, name: str, read: Callable[[int], Any], times: int) -> None:
        """Median and 99th percentile of single reads; ``read`` is told the number of the read."""
        for number in range(min(times, 50)):
            read(number)
        taken = []
        for number in range(times):
            began = time.perf_counter_ns()
            read(number)
            taken.append(time.perf_counter_ns() - began)
        taken.sort()
        self.figures[name] = taken[len(taken) // 2] / 1000
        self.figures[f"{name} p99"] = taken[len(taken) * 99 // 100] / 1000


Act = Callable[[Job, Watch], Any]


def main(acts: Mapping[str, Act], save: Callable[[Any, Path], None] | None = None) -> None:
    """Does the job whose file is the first argument; the answer goes to the file that is the second."""
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for name in ("data", "work", "result"):
        given[name] = Path(given[name]) if given[name] is not None else None
    job, watch = Job(**given), Watch()
    act = acts.get(job.workload, acts.get("*")) if job.act == "run" else acts.get("prepare", lambda job, watch: None)
    if act is None:
        raise SystemExit(f"no {job.workload} here")
    found = act(job, watch)
    if job.result is not None and save is not None and found is not None:
        save(found, job.result)
    answer = {"seconds": watch.seconds, "figures": watch.figures}
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")


def save_arrow(table: Any, path: Path) -> None:
    """Writes an Arrow table to a Parquet file."""
    import pyarrow.parquet as pq

    pq.write_table(table, path)
