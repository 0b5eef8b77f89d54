"""The figures that are demanded, each a ratio within one run, and whether they are met."""

from __future__ import annotations

from dataclasses import dataclass

from measurements import Measurements


@dataclass(frozen=True)
class Demand:
    """One system's figure over another's, at most (or at least) so much."""

    workloads: tuple[str, str]
    above: str
    below: str
    limit: float
    part: str = "query"
    below_part: str | None = None
    least: bool = False
    sizes: tuple[str, ...] = ("S", "M", "L")


def _same(workload: str, above: str, below: str, limit: float, **more: object) -> Demand:
    return Demand((workload, workload), above, below, limit, **more)  # type: ignore[arg-type]


DEMANDED = (
    *(_same(w, "ours", "expert", 1.2, part=part) for w in ("W1", "W2", "W4") for part in ("query", "request")),
    *(
        _same(w, "ours", "expert", 1.15, part=part)
        for w in ("W3", "W3-even", "W3-hot")
        for part in ("query", "request")
    ),
    Demand(("W3k", "W3"), "ours", "ours", 1.4),
    Demand(("W3-hot", "W3-even"), "ours", "ours", 2.0),
    _same("W5", "ours", "ours-unlimited", 1.5),
    *(_same(name, "ours", "ours-apart", 1.3) for name in ("W6", "W6-wide")),
    _same("W1", "feast-duckdb", "ours", 6, least=True, sizes=("M",)),
    _same("W2", "feast-duckdb", "ours", 12, least=True, sizes=("M",)),
    _same("W1", "feast-duckdb", "ours", 11, least=True, sizes=("L",)),
    _same("W1", "feast-duckdb", "ours", 12, part="wall", least=True),
    _same("W1", "feast-duckdb", "ours", 5, part="peak_mb", least=True),
    _same("O1", "ours-online", "sqlite", 3, part="1 key"),
    _same("O1", "feast-sqlite", "ours-online", 9, part="1 key", least=True),
    _same("O2", "feast-sqlite", "ours-online", 12, part="100 keys", least=True),
    _same("O4", "ours-online", "ours-online", 3, part="100000 events", below_part="1000 events"),
    _same("O5", "ours-online", "sqlite", 2.5, part="load"),
    _same("O5", "feast-sqlite", "ours-online", 25, part="load", least=True, sizes=("M",)),
    _same("C", "commands", "commands", 4, part="--help (ms)", below_part="python -c pass (ms)"),
)
# Milliseconds above those of `python -c pass`, at the most.
IMPORTS = {"import asknown (ms)": 350.0, "import reader (ms)": 30.0}


def rows(measured: Measurements) -> list[list[str]]:
    """(the figure, what is demanded, what was measured, met or not), for all that was measured."""
    found = []
    for demand in DEMANDED:
        for size in demand.sizes:
            if (value := _value(measured, demand, size)) is not None:
                sign = "≥" if demand.least else "≤"
                met = value >= demand.limit if demand.least else value <= demand.limit
                found.append(
                    [f"{_name(demand)} at {size}", f"{sign} {demand.limit:g}", f"{value:.2f}", "yes" if met else "no"]
                )
    if measured.rounds("C", "S", "commands"):
        base = measured.median("C", "S", "commands", "python -c pass (ms)")
        for part, most in IMPORTS.items():
            value = measured.median("C", "S", "commands", part) - base
            found.append(
                [f"C: {part}, above python's own", f"≤ {most:g}", f"{value:.0f}", "yes" if value <= most else "no"]
            )
    return found


def _value(measured: Measurements, demand: Demand, size: str) -> float | None:
    first, second = demand.workloads
    below_part = demand.below_part or demand.part
    if first == second and below_part == demand.part:
        return measured.ratio(first, size, demand.above, demand.below, demand.part)
    if not (measured.rounds(first, size, demand.above) and measured.rounds(second, size, demand.below)):
        return None
    above = measured.median(first, size, demand.above, demand.part)
    return above / measured.median(second, size, demand.below, below_part)


def _name(demand: Demand) -> str:
    first, second = demand.workloads
    above = demand.above if first == second else f"{demand.above} on {first}"
    below = demand.below if first == second else f"{demand.below} on {second}"
    part = "" if demand.part == "query" else f", {demand.part}"
    if demand.below_part:
        return f"{first}: {demand.above}, {demand.part} / {demand.below_part}"
    return f"{first}: {above} / {below}{part}"
