"""What an engine cannot do, and why: each a test that must fail until it can (docs/dialects.md lists them)."""

from __future__ import annotations

import re
from pathlib import Path

CASES = Path(__file__).resolve().parents[1] / "cases"
_COMMANDS = re.compile(r"^asknown (train|materialize|get)\b", re.MULTILINE)

_NO_LISTS = "an Array of ClickHouse is never NULL, so features are no lists there"
_COUNTS = "aggregates of counts and slices of lists are refused there, but for mode() on Postgres and Spark"
GAPS: dict[tuple[str, str], str] = {
    ("clickhouse", "as_of_order_of_values"): _NO_LISTS,
    ("clickhouse", "types_are_the_models"): _NO_LISTS,
    ("clickhouse", "windows_both_ends"): _NO_LISTS,
    ("clickhouse", "windows_distinct_lists"): _NO_LISTS,
    **{
        (engine, "error_spine_missing"): "the tables that a spine's SQL names are looked up before the engine reads it"
        for engine in ("clickhouse", "postgres", "spark")
    },
    ("clickhouse", "windows_of_history"): "frames there take no intervals, so windows in a CTE are refused",
    ("clickhouse", "windows_mode"): _COUNTS,
    ("clickhouse", "windows_counts_of_values"): _COUNTS,
    ("postgres", "windows_counts_of_values"): _COUNTS,
    ("spark", "windows_counts_of_values"): _COUNTS,
}
"""By engine and case: the reason."""

LISTLESS = {"clickhouse": _NO_LISTS}
"""Engines whose features are no lists: random worlds have the first element in the place of a list; and the reason."""

ZONELESS = dict.fromkeys(("clickhouse", "spark"), "windows of the calendar in zones other than UTC are refused there")
"""Engines on which the calendar of random worlds is that of UTC; and the reason."""

REFUSALS: dict[str, tuple[tuple[str, str], ...]] = {
    "clickhouse": (
        (r"not-in-dialect: clickhouse has no exact list(_distinct)?\(\)", _NO_LISTS),
        (
            r"not-in-dialect: clickhouse has no exact (mode|entropy|top_k|first_k|last_k|(arg_)?(max|min)_k)\(\)",
            _COUNTS,
        ),
    ),
    "spark": (
        (r"not-in-dialect: spark has no exact (mode|entropy|top_k|first_k|last_k|(arg_)?(max|min)_k)\(\)", _COUNTS),
    ),
    "postgres": (
        (r"not-in-dialect: postgres has no exact (entropy|top_k|first_k|last_k|(arg_)?(max|min)_k)\(\)", _COUNTS),
        (
            r"unsupported-type: column '.*' is of the Postgres type numeric\[\]",
            "lists of decimals: the driver does not say how many digits they have",
        ),
    ),
}
"""By engine: errors that a random world may end in, as patterns of their messages; and the reason."""


UNORDERED = ("clickhouse", "spark")
"""Engines that read a query's parts at once: rows come in no order of their own, without an ORDER BY."""


def cases_with_rows() -> list[str]:
    """The cases that need an engine: they have rows, and no profile of their own."""
    return sorted(
        folder.name
        for folder in CASES.iterdir()
        if (folder / "rows.sql").exists()
        and not (folder / "profiles.yml").exists()
        and _COMMANDS.search((folder / "run").read_text(encoding="utf-8"))
    )


def gap(engine: str, case: str) -> str | None:
    """Why the case does not hold on the engine; None where it does."""
    return GAPS.get((engine, case))
