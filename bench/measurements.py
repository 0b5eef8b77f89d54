"""What was measured, read from the lines of results."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads import SYSTEMS


@dataclass(frozen=True)
class Measurements:
    """The lines of one or more files of results, the newest last."""

    lines: Sequence[dict[str, Any]]

    @classmethod
    def read(cls, paths: Sequence[Path]) -> Measurements:
        return cls([json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()])

    @property
    def machine(self) -> dict[str, Any] | None:
        return next((line for line in reversed(self.lines) if line["kind"] == "machine"), None)

    def sizes(self, workload: str) -> list[str]:
        """The sizes at which there is something of a workload."""
        found = {line["size"] for line in self.lines if line.get("workload") == workload}
        return [size for size in ("XS", "S", "M", "L") if size in found]

    def rounds(self, workload: str, size: str, system: str) -> list[dict[str, Any]]:
        """The measurements of a system that worked, in the order of the rounds."""
        found = {
            line["round"]: line
            for line in self._of(workload, size, "measured")
            if line["system"] == system and line["problem"] is None
        }
        return [found[round_] for round_ in sorted(found)]

    def fewest_rounds(self) -> int:
        """The rounds of the system that has the fewest, of those that are not too slow for more than one."""
        found: dict[tuple[str, str, str], set[int]] = {}
        for line in self.lines:
            if line["kind"] == "measured" and line["problem"] is None and not line.get("only"):
                found.setdefault((line["workload"], line["size"], line["system"]), set()).add(line["round"])
        return min(map(len, found.values()), default=0)

    def median(self, workload: str, size: str, system: str, part: str = "query") -> float:
        """The median of a part: a phase's seconds, a figure, or a fact of the process (wall, cpu, peak_mb)."""
        return statistics.median(_value(line, part) for line in self.rounds(workload, size, system))

    def ratio(self, workload: str, size: str, above: str, below: str, part: str = "query") -> float | None:
        """The median of the rounds' ratios of two systems."""
        tops = {line["round"]: _value(line, part) for line in self.rounds(workload, size, above)}
        bottoms = {line["round"]: _value(line, part) for line in self.rounds(workload, size, below)}
        ratios = [tops[r] / bottoms[r] for r in tops if bottoms.get(r)]
        return statistics.median(ratios) if ratios else None

    def compared(self, workload: str, size: str) -> list[dict[str, Any]]:
        """The newest comparison of each system's rows."""
        return list({line["system"]: line for line in self._of(workload, size, "rows")}.values())

    def refusals(self, workload: str, size: str) -> list[str]:
        """Who cannot do a workload, and why; and who did not come to an end."""
        found = {line["system"]: f"cannot: {line['why']}" for line in self._of(workload, size, "cannot")}
        for line in self._of(workload, size, "measured"):
            if line["problem"]:
                found[line["system"]] = line["problem"]
        return [f"`{name}` {found[name]}." for name in SYSTEMS if name in found]

    def _of(self, workload: str, size: str, kind: str) -> list[dict[str, Any]]:
        wanted = (kind, workload, size)
        return [line for line in self.lines if (line["kind"], line.get("workload"), line.get("size")) == wanted]


def _value(line: dict[str, Any], part: str) -> float:
    for place in (line["seconds"], line["figures"], line):
        if part in place:
            return float(place[part])
    raise KeyError(part)
