"""Writes docs/benchmarks.md and its plot from bench/.cache/results-*.jsonl; prints the page of RESULTS where named."""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import demanded
import plot
from environments import CACHE
from measurements import Measurements
from workloads import REASONS, SYSTEMS, WORKLOADS, Workload

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, PLOT = DOCS / "benchmarks.md", DOCS / "benchmarks.svg"
GRID = CACHE / "grid.json"
SLOPE = """The slope of query time over events, log-log, between the sizes measured. 1 is linear. From S to L events
grow 50 times and the spine 100 times, so what costs the same for each row of the spine has 1.18."""

TITLE = "# Benchmarks"
SUMMARY = """Query time of asknown, and how many times as long the others take; below 1 they are faster. Each training
set at the largest size that was measured with the others. A gap: cannot do it, or was not measured."""
# The systems of the first table, with their heads.
COMPARED = {
    "expert": "SQL by hand",
    "polars": "polars",
    "pandas": "pandas",
    "feast-duckdb": "Feast",
}

OPENING = """## How it is measured

Written by `make bench` (size S) and `make bench-full` (sizes M and L); do not edit.
Same data, same machine, same run; the rows are compared before any time counts.
Each measurement is a fresh process, the systems of a workload take turns, and a ratio is the median of the rounds'.

- **query**: the query alone, to an Arrow table in memory (W5: to a Parquet file).
  **request**: with imports, opening and planning. **process**: the wall time of the whole process, whose **CPU** and
  **peak** memory stand beside it. asknown looks at files and rows before its query starts, a script by hand within
  it: "query" leaves that out for asknown alone, "request" counts it for both.
- **× ours**: this system's query time over asknown's, in the same round: 2 is twice as slow as asknown.
- S is 10,000 spine rows on 1,000,000 events, M is 100,000 on 10,000,000, L is 1,000,000 on 50,000,000.
  Users are drawn by a zipf law; 1 in 20 events is late, by half a day in the mean. `bench/data.py` makes the tables,
  `bench/sql/` holds the expert's queries, `bench/systems/` a file for each system.
"""


def write(measured: Measurements) -> str:
    """The page's text."""
    parts = [TITLE, *preliminary(measured), f"![Query time by workload, size and system]({PLOT.name})"]
    if first := summary(measured):
        parts += [SUMMARY, table(["training set", "size", "asknown", *COMPARED.values()], first)]
    parts += [OPENING, machine(measured.machine)]
    wanted = demanded.rows(measured)
    if wanted:
        parts += ["## What is demanded", table(["figure", "demanded", "measured", "met"], wanted)]
    if slopes := growth(measured):
        parts += ["## Growth", SLOPE]
        parts.append(table(["workload", "system", "sizes", "slope"], slopes))
    for workload in WORKLOADS.values():
        for size in measured.sizes(workload.name):
            parts += section(measured, workload, size)
    if GRID.exists():
        parts += grid(json.loads(GRID.read_text(encoding="utf-8")))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def summary(measured: Measurements) -> list[list[str]]:
    """The first table: for each training workload our query time, and the others' as multiples of it."""
    rows = []
    for workload in WORKLOADS.values():
        found = {
            size: [measured.ratio(workload.name, size, name, "ours") for name in COMPARED]
            for size in measured.sizes(workload.name)
            if any("query" in line["seconds"] for line in measured.rounds(workload.name, size, "ours"))
        }
        size = max(reversed(found), key=lambda size: _known(found[size]), default=None)
        if size is not None:
            rows.append(
                [
                    f"{workload.name}: {workload.what}",
                    size,
                    seconds(measured.median(workload.name, size, "ours")),
                    *("" if ratio is None else f"{ratio:.2f} ×" for ratio in found[size]),
                ]
            )
    return rows


def _known(ratios: Iterable[float | None]) -> int:
    return sum(ratio is not None for ratio in ratios)


def preliminary(measured: Measurements) -> list[str]:
    """A warning where the figures are not to be relied on: few rounds, or a machine that had other work."""
    found = measured.machine or {}
    why = ["fewer than three rounds of some systems"] if measured.fewest_rounds() < 3 else []
    if found.get("load", 0) > 1:
        why.append(f"other work on the machine (load {found['load']:.1f} on {found['cores']} cores)")
    return [f"**Preliminary**: {' and '.join(why)}."] if why else []


def machine(found: dict[str, Any] | None) -> str:
    """The lines on the machine of a run."""
    if found is None:
        return "The run was cut short before it said what machine it was on."
    lines = [
        f"Measured on {found['date']}: {found['cpu']}, {found['cores']} cores, {found['memory_gb']} GB, "
        f"{found['system']}; {found['threads']} threads for everyone; load at the start {found['load']:.1f}.",
        "",
        "| environment | versions |",
        "|---|---|",
    ]
    for name, versions in found["versions"].items():
        lines.append(f"| {name} | {', '.join(f'{package} {version}' for package, version in versions.items())} |")
    return "\n".join(lines)


def section(measured: Measurements, workload: Workload, size: str) -> list[str]:
    """One workload at one size: a row for each system, then who could not, and whose rows differ."""
    heading = f"## {workload.name} at {size}: {workload.what}"
    rounds = {name: measured.rounds(workload.name, size, name) for name in SYSTEMS}
    present = {name: found for name, found in rounds.items() if found}
    if any(found[0]["seconds"].get("query") is not None for found in present.values()):
        body = times(measured, workload, size, present)
    else:
        body = figures(present)
    notes = [*measured.refusals(workload.name, size), *differences(measured, workload, size)]
    return [heading, body, *(["\n".join(f"- {note}" for note in notes)] if notes else [])]


def times(measured: Measurements, workload: Workload, size: str, present: dict[str, list[dict[str, Any]]]) -> str:
    """The table of a training workload."""
    rows = []
    for name, found in present.items():
        ratio = measured.ratio(workload.name, size, name, "ours")
        rows.append(
            [
                f"{name}",
                SYSTEMS[name].what,
                seconds(middle(line["seconds"]["query"] for line in found)),
                "" if ratio is None else f"{ratio:.2f}",
                seconds(middle(line["seconds"]["request"] for line in found)),
                seconds(middle(line["wall"] for line in found)),
                seconds(middle(line["cpu"] for line in found)),
                f"{middle(line['peak_mb'] for line in found):,.0f} MB",
                str(len(found)),
            ]
        )
    rows.sort(key=lambda row: (not row[0].startswith("ours"), row[0]))
    return table(["system", "", "query", "× ours", "request", "process", "CPU", "peak", "rounds"], rows)


def figures(present: dict[str, list[dict[str, Any]]]) -> str:
    """The table of reads, loads and commands: microseconds where nothing else is said."""
    names: dict[str, None] = {}
    for found in present.values():
        names |= dict.fromkeys([*found[0]["seconds"], *found[0]["figures"]])
    rows = []
    for name in names:
        row = [name]
        for found in present.values():
            values = [line["seconds"].get(name) for line in found if name in line["seconds"]]
            single = [line["figures"].get(name) for line in found if name in line["figures"]]
            row.append(seconds(middle(values)) if values else (f"{middle(single):,.1f}" if single else ""))
        rows.append(row)
    rows.append(
        ["peak memory", *(f"{middle(line['peak_mb'] for line in found):,.0f} MB" for found in present.values())]
    )
    unit = "" if any("(ms)" in name for name in names) else "µs, seconds where it says s"
    return table([unit, *present], rows)


def differences(measured: Measurements, workload: Workload, size: str) -> list[str]:
    """The lines on systems whose rows are the same, and on those whose rows differ."""
    found, same = [], []
    for line in measured.compared(workload.name, size):
        name = line["system"]
        if line.get("problem"):
            found.append(f"`{name}`: {line['problem']}")
        elif line["differ"] or line["lost"]:
            counts = ", ".join(f"{column} {count}" for column, count in line["differ"].items())
            what = "; ".join([*line["lost"], *([f"of {line['rows']} rows differ: {counts}"] if counts else [])])
            found.append(f"`{name}`: {what}. {REASONS.get(name, 'Not looked into.')}")
        else:
            same.append(f"`{name}`")
    return [*found, *([f"The same rows: {', '.join(same)}."] if len(same) > 1 else [])]


def growth(measured: Measurements) -> list[list[str]]:
    """Slopes between the sizes measured."""
    rows = []
    for workload in ("W1", "W2", "W3", "W3k", "W4"):
        for system in ("ours", "expert"):
            points = [
                (math.log(events), math.log(measured.median(workload, size, system)))
                for size, events in (("S", 1e6), ("M", 1e7), ("L", 5e7))
                if measured.rounds(workload, size, system)
            ]
            if len(points) > 1:
                slope = statistics.linear_regression(*zip(*points, strict=True)).slope
                sizes = ", ".join(s for s in "SML" if measured.rounds(workload, s, system))
                rows.append([workload, system, sizes, f"{slope:.2f}"])
    return rows


def grid(found: dict[str, Any]) -> list[str]:
    """The planner's choice beside the best, by bench/grid.py."""
    parts = ["## What the planner chooses", found["about"]]
    for name, cells in found["grids"].items():
        rows = [
            [f"{c['keys']:,}", f"{c['events']:,}", f"{c['spine']:,}", c["chosen"], c["best"], f"{c['regret']:.2f}"]
            for c in cells
        ]
        worst = max(cell["regret"] for cell in cells)
        parts.append(f"{name}: worst regret {worst:.2f}.")
        parts.append(table(["keys", "events of a key", "spine", "chosen", "best", "chosen / best"], rows))
    return parts


def seconds(value: float) -> str:
    return f"{value:.3f} s" if value < 10 else f"{value:.1f} s"


def middle(values: Iterable[float]) -> float:
    return statistics.median(values)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def main() -> None:
    """Writes the page, or prints what it would say of the named results alone."""
    if named := [Path(name) for name in sys.argv[1:]]:
        print(write(Measurements.read(named)))
        return
    measured = Measurements.read(sorted(CACHE.glob("results-*.jsonl")))
    PLOT.write_text(plot.draw(measured), encoding="utf-8")
    PAGE.write_text(write(measured), encoding="utf-8")
    print(f"wrote {PAGE}", file=sys.stderr)


if __name__ == "__main__":
    main()
