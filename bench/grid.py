"""Asks how good the planner's choice is: every form over a grid of keys × events of a key × spine rows.

`python bench/grid.py [--small]` writes bench/.cache/grid.json, which report.py shows. For each cell each form runs
three times in turn in one process; regret is the chosen form's median over the best one's. Pairs are not run where
they would be more than a billion.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

CACHE = Path(__file__).resolve().parent / ".cache"
GRID = CACHE / "grid.json"
ROUNDS = 3
DAYS = 84
MOST_PAIRS = 1_000_000_000

VIEWS = {
    "newest": """{{ config(entity='user', event_time='ts', ttl='7 days') }}
select user_id, ts, amount, units from {{ source('raw', 'events') }}""",
    "spend": """{{ config(entity='user', event_time='ts') }}
select user_id, ts, {{ trailing('amount', ['sum', 'avg', 'count', 'max'], ['1 day', '7 days', '30 days']) }}
from {{ source('raw', 'events') }}""",
}
FORMS = {"newest": ("cascade", "asof", "range"), "spend": ("pairs", "bands", "tiles")}
TITLES = {"newest": "As of, ttl 7 days, by form of match", "spend": "12 trailing windows, by form"}


def cells(*, small: bool) -> Iterator[tuple[int, int, int]]:
    """(keys, events of a key, spine rows), up to some million events."""
    most = 500_000 if small else 5_000_000
    for keys in (10, 1_000, 100_000):
        for events in (10, 100, 1_000, 10_000, 100_000):
            for spine in (1_000, 30_000) if small else (1_000, 30_000, 300_000):
                if 10_000 <= keys * events <= most:
                    yield keys, events, spine


def write_project(root: Path) -> None:
    """The two views over a file of events."""
    (root / "models").mkdir()
    (root / "pyproject.toml").write_text('[tool.asknown]\nname = "grid"\n', encoding="utf-8")
    profile = {"target": "dev", "outputs": {"dev": {"type": "duckdb"}}}
    (root / "profiles.yml").write_text(json.dumps({"grid": profile}), encoding="utf-8")
    sources = [{"name": "raw", "tables": [{"name": "events", "path": "events.parquet"}]}]
    properties = {"sources": sources, "entities": [{"name": "user", "keys": ["user_id"]}]}
    (root / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
    for name, text in VIEWS.items():
        (root / "models" / f"{name}.sql").write_text(text, encoding="utf-8")


def write_tables(root: Path, keys: int, events: int, spine: int) -> None:
    """Events in the order of time, each key as likely as the others; spine rows in none."""
    import duckdb
    from data import INSTANT, RANDOM

    micros = DAYS * 86_400_000_000
    with duckdb.connect() as connection:
        connection.execute(RANDOM)
        connection.execute(INSTANT)
        user = f"CAST(FLOOR(u(i, 1) * {keys}) AS BIGINT) AS user_id"
        connection.execute(
            f"""COPY (SELECT {user}, instant(i * {micros / (keys * events)!r}) AS ts, ROUND(u(i, 2) * 100, 2) AS amount,
                CAST(u(i, 3) * 9 AS INTEGER) AS units FROM range({keys * events}) r(i))
                TO '{root}/events.parquet' (FORMAT PARQUET)"""
        )
        connection.execute(
            f"""COPY (SELECT {user}, instant((31 + u(i, 4) * {DAYS - 31}) * 86400000000) AS event_timestamp
                FROM range({spine}) r(i)) TO '{root}/spine.parquet' (FORMAT PARQUET)"""
        )


def seconds_of(root: Path, view: str, form: str | None) -> tuple[float, str]:
    """(seconds of the query in a form, or in the planner's choice; the form)."""
    from asknown import FeatureStore
    from asknown.plan.rules import PlanOptions

    forced: Any = form
    with closing(FeatureStore(root)) as store:
        if forced is not None:
            is_match = view == "newest"
            store._plan_options = PlanOptions({"*": forced}) if is_match else PlanOptions(window_form=forced)
        training = store.get_historical_features(str(root / "spine.parquet"), [view])
        training.sql()
        step = training.plan.steps[0]
        began = time.perf_counter()
        training.to_arrow()
        return time.perf_counter() - began, getattr(step, "form", None) or step.match.form  # type: ignore[union-attr]


def measure(root: Path, view: str, pairs: float) -> dict[str, Any]:
    """One cell: the chosen form, the best one, and how far apart they are."""
    _, chosen = seconds_of(root, view, None)
    forms = [
        form for form in FORMS[view] if form == chosen or form in ("cascade", "asof", "tiles") or pairs < MOST_PAIRS
    ]
    taken: dict[str, list[float]] = {form: [] for form in forms}
    for _ in range(ROUNDS):
        for form in forms:
            taken[form].append(seconds_of(root, view, form)[0])
    medians = {form: statistics.median(times) for form, times in taken.items()}
    best = min(medians, key=medians.__getitem__)
    return {"chosen": chosen, "best": best, "regret": medians[chosen] / medians[best], "seconds": medians}


def main() -> None:
    """Goes through the grid."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="half a million events at the most")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    found: dict[str, list[dict[str, Any]]] = {title: [] for title in TITLES.values()}
    about = f"Chosen against best over {DAYS} days of events, medians of {ROUNDS} in one process (`bench/grid.py`)."
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_project(root)
        for keys, events, spine in cells(small=options.small):
            write_tables(root, keys, events, spine)
            for view, title in TITLES.items():
                share = 1.0 if view == "newest" else 30 / DAYS
                cell = measure(root, view, spine * events * share)
                found[title].append({"keys": keys, "events": events, "spine": spine, **cell})
                times = " ".join(f"{form} {value:.3f}" for form, value in cell["seconds"].items())
                told = f"{view}: {keys} keys × {events} events, {spine} spine rows: chosen {cell['chosen']}; {times}"
                print(told, file=sys.stderr, flush=True)
                CACHE.mkdir(exist_ok=True)
                GRID.write_text(json.dumps({"about": about, "grids": found}), encoding="utf-8")


if __name__ == "__main__":
    main()
