"""Runs one job of one system in a fresh process: seconds inside, wall, CPU and peak memory of the whole process.

The standard library only, and little of it: a new process starts out with its parent's peak memory on its account.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from environments import CACHE, python_of
from workloads import MEMORY_LIMIT, System

SYSTEMS = Path(__file__).resolve().parent / "systems"


@dataclass(frozen=True)
class Measured:
    """What one process took. ``problem`` says why there is nothing to show."""

    seconds: dict[str, float] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    wall: float = 0.0
    cpu: float = 0.0
    peak_mb: float = 0.0
    problem: str | None = None

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def work_of(system: System, size: str) -> Path:
    """The folder that a system keeps its own files of a size in."""
    return CACHE / "work" / f"{Path(system.file).stem}-{size}"


def run_job(
    system: System,
    workload: str,
    size: str,
    *,
    act: str = "run",
    threads: int,
    timeout: float,
    result: Path | None = None,
) -> Measured:
    """One job of a system in a process of its own."""
    work = work_of(system, size)
    work.mkdir(parents=True, exist_ok=True)
    job = {
        "act": act,
        "workload": workload,
        "variant": system.variant,
        "size": size,
        "data": str(CACHE / "data" / size),
        "work": str(work),
        "threads": threads,
        "memory_limit": MEMORY_LIMIT if workload == "W5" and system.variant != "unlimited" else None,
        "result": None if result is None else str(result),
    }
    with tempfile.TemporaryDirectory() as name:
        asked, answer, said = (Path(name) / part for part in ("job.json", "answer.json", "said.txt"))
        asked.write_text(json.dumps(job), encoding="utf-8")
        command = [str(python_of(system.environment)), str(SYSTEMS / system.file), str(asked), str(answer)]
        return _run(command, answer, said, threads=threads, timeout=timeout)


def _run(command: list[str], answer: Path, said: Path, *, threads: int, timeout: float) -> Measured:
    limits = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS"), str(threads))
    environment = {**os.environ, **limits, "TZ": "UTC", "FEAST_USAGE": "False"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or a library that was just edited is compiled in every process
    with said.open("w", encoding="utf-8") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment, cwd=said.parent, start_new_session=True
        )
        status, usage, late = _wait(process, began + timeout)
        wall = time.perf_counter() - began
    spent = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024}
    if late:
        return Measured(**spent, problem=f"not done after {timeout:.0f} s")
    if status or not answer.exists():
        lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no output"]
        return Measured(**spent, problem=f"failed: {lines[-1][:300]}")
    found = json.loads(answer.read_text(encoding="utf-8"))
    return Measured(found["seconds"], found["figures"], **spent, problem=found.get("problem"))


def _wait(process: subprocess.Popen[bytes], until: float) -> tuple[int, os._Resource, bool]:  # type: ignore[name-defined]
    """(exit status, what it used, whether it had to be stopped)."""
    late = False
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage, late
        if not late and time.perf_counter() > until:
            late = True
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.005)
