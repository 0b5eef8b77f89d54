"""Runs the benchmarks: `python bench/run.py --only W3 --size M --systems ours,expert`.

Each measurement is a process of its own. The systems of a workload take turns, so that a busy machine slows all of
them; a ratio is the median of the ratios within a round. First each system's rows are compared. What was measured is
kept line by line in a file as it comes (--results), and shown at the end; a run that was cut short goes on with
--resume. With --page, or by `python bench/report.py`, docs/benchmarks.md is written from all there is so far.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from environments import CACHE, NotInstalledError, python_of, versions
from measuring import Measured, run_job
from workloads import SYSTEMS, VERSIONS, WORKLOADS, System, Workload

HERE = Path(__file__).resolve().parent
RESULTS = CACHE / "last.jsonl"
SLOW = 60.0  # seconds: what takes longer is measured once


class Results:
    """The lines of results so far, kept in a file as they come."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        if resume and path.exists():
            self.lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        else:
            path.write_text("", encoding="utf-8")

    def add(self, **line: Any) -> None:
        self.lines.append(line)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def find(self, **wanted: Any) -> dict[str, Any] | None:
        """The newest line that says all this."""
        return next((line for line in reversed(self.lines) if all(line.get(k) == v for k, v in wanted.items())), None)


class Runner:
    """One run: its settings and its results."""

    def __init__(self, options: argparse.Namespace, results: Results) -> None:
        self.options = options
        self.results = results
        self.rows = Path(tempfile.mkdtemp(prefix="rows-", dir=CACHE))

    def run(self, workload: Workload, size: str) -> None:
        """One workload at one size: the tables, the comparison, then the rounds."""
        make_tables(size, workload.tables)
        more = workload.others if self.options.others and size != "L" else ()
        names = self.options.systems or (*workload.systems, *more)
        systems = [self._admitted(SYSTEMS[name], workload, size) for name in names if _may(name, workload)]
        able = [system for system in systems if system is not None]
        for system in able:
            self._compare(system, able, workload, size)
        for round_ in range(self.options.repeats):
            for system in able:
                self._measure(system, workload, size, round_)

    def _admitted(self, system: System, workload: Workload, size: str) -> System | None:
        """The system, ready; or None, with the reason among the results."""
        why = system.refuses(workload.name)
        if why is None:
            try:
                python_of(system.environment)
            except NotInstalledError as error:
                why = f"its environment cannot be made: {error}"
        if why is None:
            prepared = self._job(system, workload.name, size, act="prepare")
            why = prepared.problem
        if why is None:
            return system
        self.results.add(kind="cannot", workload=workload.name, size=size, system=system.name, why=why)
        say(f"{workload.name} {size} {system.name}: cannot: {why}")
        return None

    def _compare(self, system: System, able: list[System], workload: Workload, size: str) -> None:
        """Runs a system once for its rows and compares them with those of the one who says what is right."""
        place = {"workload": workload.name, "size": size, "system": system.name}
        done = self.results.find(kind="rows", **place) if self.options.resume else None
        if done is not None or not workload.answers or system.name in ("floor", "ours-whole"):
            return
        path = self.rows / f"{workload.name}-{size}-{system.name}.parquet"
        measured = self._job(system, workload.name, size, result=path)
        if measured.problem is None and measured.wall > SLOW:
            self.results.add(kind="measured", **place, round=0, only=True, **measured.as_dict())
        found: dict[str, Any] = {"problem": measured.problem}
        if measured.problem is None:
            right = next((s for s in able if not s.name.startswith("ours")), able[0])
            reference = self.rows / f"{workload.name}-{size}-{right.name}.parquet"
            if system is not right and not reference.exists():
                self._job(right, workload.name, size, result=reference)
            found |= {"right": right.name, **compare(reference, path, _tolerance(system, workload))}
        self.results.add(kind="rows", **place, **found)
        if found["problem"] or found["differ"] or found["lost"]:
            say(f"{workload.name} {size} {system.name}: {json.dumps(found)}")

    def _measure(self, system: System, workload: Workload, size: str, round_: int) -> None:
        place = {"workload": workload.name, "size": size, "system": system.name}
        if self.results.find(kind="measured", only=True, **place):
            return
        if (rows := self.results.find(kind="rows", **place)) and rows["problem"]:
            return
        if self.options.resume and self.results.find(kind="measured", round=round_, **place):
            return
        measured = self._job(system, workload.name, size)
        self.results.add(kind="measured", **place, round=round_, **measured.as_dict())
        seconds = " ".join(f"{name} {value:.3f} s" for name, value in measured.seconds.items())
        figures = " ".join(f"{name} {value:.1f}" for name, value in measured.figures.items())
        told = measured.problem or f"{seconds}{figures} wall {measured.wall:.2f} s peak {measured.peak_mb:.0f} MB"
        say(f"{workload.name} {size} {system.name} {round_ + 1}: {told}")

    def _job(self, system: System, workload: str, size: str, **more: Any) -> Measured:
        threads, timeout = self.options.threads, self.options.timeout
        return run_job(system, workload, size, threads=threads, timeout=timeout, **more)


def _may(name: str, workload: Workload) -> bool:
    return name in workload.systems or name in workload.others


def _tolerance(system: System, workload: Workload) -> float:
    """Nothing for those who promise the same value: ours and the expert's exact sums."""
    exact = system.name.startswith("ours") or system.name in ("expert", "expert-huge", "expert-bands", "expert-prefix")
    return 0.0 if exact else workload.tolerance


def compare(right: Path, other: Path, tolerance: float) -> dict[str, Any]:
    """How the rows of two files differ. In a process of its own, so that this one stays small."""
    command = [sys.executable, str(HERE / "checking.py"), str(right), str(other), str(tolerance)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"problem": f"cannot be compared: {done.stderr.strip().splitlines()[-1]}"}
    return dict(json.loads(done.stdout))


def make_tables(size: str, tables: Sequence[str]) -> None:
    """The tables of a size, made where they are missing, in a process of its own."""
    subprocess.run([sys.executable, str(HERE / "data.py"), size, *tables], check=True, stdout=subprocess.DEVNULL)


def describe_machine(options: argparse.Namespace, load: float) -> dict[str, Any]:
    """What the figures were measured on, and with what."""
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    named = {}
    for name, packages in VERSIONS.items():
        folder = CACHE / "environments" / name
        if name == "own" or folder.exists():
            named[name] = versions(python_of(name), packages)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory, 1),
        "system": platform.platform(terse=True),
        "threads": options.threads,
        "load": load,
        "versions": named,
    }


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, lists split at commas and checked."""

    def names(known: Any) -> Any:
        def read(text: str) -> list[str]:
            found = text.split(",")
            if wrong := [name for name in found if name not in known]:
                raise argparse.ArgumentTypeError(f"there is no {', '.join(wrong)}; there is {', '.join(known)}")
            return found

        return read

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=names(WORKLOADS), default=list(WORKLOADS), help="workloads, as in W1,W3")
    parser.add_argument("--size", type=names(("XS", "S", "M", "L")), default=["S"], help="sizes, as in S,M")
    parser.add_argument("--systems", type=names(SYSTEMS), help="who takes part; default: a workload's usual systems")
    parser.add_argument("--others", action="store_true", help="their variants too, at sizes up to M")
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of every system")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one measurement may take")
    parser.add_argument("--resume", action="store_true", help="keep what was measured and go on from there")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks.md from all results-*.jsonl")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures what is asked for and writes the page."""
    options = read_options(arguments)
    CACHE.mkdir(exist_ok=True)
    for stale in CACHE.glob("rows-*"):  # of a run that was cut short
        shutil.rmtree(stale)
    results = Results(options.results, resume=options.resume)
    load = os.getloadavg()[0]  # before the bench's own
    results.add(kind="machine", **describe_machine(options, load))
    runner = Runner(options, results)
    began = time.perf_counter()
    try:
        for size in options.size:
            for name in options.only:
                workload = WORKLOADS[name]
                if size in workload.sizes or size == "XS":
                    runner.run(workload, size)
    finally:
        results.add(kind="machine", **describe_machine(options, load), took=time.perf_counter() - began)
        shutil.rmtree(runner.rows, ignore_errors=True)
    subprocess.run(
        [sys.executable, str(HERE / "report.py"), *([] if options.page else [str(options.results)])], check=True
    )


if __name__ == "__main__":
    main()
