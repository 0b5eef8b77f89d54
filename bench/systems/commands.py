"""Commands and imports, each a fresh process: milliseconds, medians of seven, beside `python -c pass`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from child import Job, Watch, main

TIMES = 7


def prepare(job: Job, watch: Watch) -> None:
    """A loaded online table, for `get`."""
    if job.variant == "feast" or (job.work / "online.db").exists():
        return
    import ours

    ours.prepare(job, watch)
    with closing(ours.open_store(job)) as store:
        store.materialize(until=datetime(2024, 3, 25), views=["accounts_0"])


def measure(job: Job, watch: Watch) -> None:
    """Every command in turn, so that all of them meet the same machine."""
    bin_ = Path(sys.executable).parent
    commands: dict[str, list[str]] = {"python -c pass": [sys.executable, "-c", "pass"]}
    if job.variant == "feast":
        commands["feast --help"] = [str(bin_ / "feast"), "--help"]
        commands["import feast"] = [sys.executable, "-c", "from feast import FeatureStore"]
    else:
        asknown = [str(bin_ / "asknown")]
        commands["--help"] = [*asknown, "--help"]
        commands["compile"] = [*asknown, "compile", "merchant_stats"]
        commands["get"] = [*asknown, "get", "accounts_0", "account_id=7", "--at", "2024-03-25"]
        commands["import asknown"] = [sys.executable, "-c", "from asknown import FeatureStore"]
        commands["import reader"] = [sys.executable, "-c", "from asknown.online.reader import OnlineReader"]
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(TIMES):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, cwd=job.work, stdout=subprocess.DEVNULL)
            taken[name].append(time.perf_counter() - began)
    watch.figures.update({f"{name} (ms)": statistics.median(times) * 1000 for name, times in taken.items()})


ACTS: dict[str, Callable[[Job, Watch], Any]] = {"prepare": prepare, "*": measure}

if __name__ == "__main__":
    main(ACTS)
