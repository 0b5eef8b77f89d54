"""Measures the leak of the flights example: its views with known_at and without, compared flight by flight.

`python bench/leakage.py` rewrites the figures of docs/leakage.md; with `--check` it fails when they are out of date.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from asknown import FeatureStore

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "leakage.md"
BEGIN, END = "<!-- figures: written by `python bench/leakage.py` -->", "<!-- end of figures -->"

# The views that declare known_at: what orders their rows in time, and the column that known_at names.
VIEWS = {
    "carrier_delays": ("due landing", "landed_at"),
    "route_history": ("scheduled departure", "landed_at"),
    "origin_weather": ("start of the hour", "complete_at"),
}
# What only the moment of asking tells, and the features that it is made of.
ASKED = "at_departure"
DELAYS = [("carrier_delays", "last_arr_delay"), ("route_history", "route_last_arr_delay")]

# What most write: the window as a column of each event, and then a join to the newest event.
WINDOW = "avg_arr_delay_24h"
WINDOW_OF_EVENTS = """select carrier, due_at, landed_at,
    avg(arr_delay) over (partition by carrier order by due_at
                         range between interval '24 hours' preceding and current row) as avg_arr_delay_24h
from {{ ref('flight_times') }}
"""
AT_LAST_EVENT = """{{ config(entity='carrier', event_time='due_at', known_at='landed_at') }}
select * from {{ ref('window_of_events') }}
"""

Flags = npt.NDArray[np.bool_]


def build_training_set(root: Path, views: Iterable[str] = tuple(VIEWS), spine: str = "flights_spine") -> pa.Table:
    """Every flight of 2013 with all features of the views, under full names."""
    with closing(FeatureStore(root)) as store:
        job = store.get_historical_features(entity_df=spine, features=list(views), full_feature_names=True)
        return job.to_arrow()


def find_windows(root: Path) -> set[str]:
    """The full names of the views' features that are trailing windows."""
    with closing(FeatureStore(root)) as store:
        views = [store.feature_view(name) for name in VIEWS]
    return {f"{view.name}__{f.name}" for view in views for f in view.features if view.item(f.name) is not None}


def copy_with_windows_at_events(root: Path, copy: Path) -> None:
    """The project again, with a view whose windows end at each event."""
    for name in ("pyproject.toml", "profiles.yml"):
        shutil.copy(root / name, copy / name)
    shutil.copytree(root / "models", copy / "models")
    (copy / "data").symlink_to(root / "data")
    (copy / "models" / "window_of_events.sql").write_text(WINDOW_OF_EVENTS, encoding="utf-8")
    (copy / "models" / "features" / "at_last_event.sql").write_text(AT_LAST_EVENT, encoding="utf-8")


def copy_without_known_at(root: Path, copy: Path) -> None:
    """The project again, its views as a plain as-of join sees them. The known_at columns become plain features."""
    for name in ("pyproject.toml", "profiles.yml"):
        shutil.copy(root / name, copy / name)
    shutil.copytree(root / "models", copy / "models")
    (copy / "data").symlink_to(root / "data")
    for view, (_, column) in VIEWS.items():
        path = copy / "models" / "features" / f"{view}.sql"
        text, changes = re.subn(rf"known_at='{column}',\s*", "", path.read_text(encoding="utf-8"))
        if changes != 1:
            raise SystemExit(f"{view}.sql declares known_at='{column}' {changes} times, expected once")
        path.write_text(text, encoding="utf-8")


def as_flags(values: pa.ChunkedArray) -> Flags:
    return np.asarray(values.to_numpy(zero_copy_only=False), bool)


def differ(left: pa.ChunkedArray, right: pa.ChunkedArray) -> Flags:
    """Where the two are neither the same value nor both NULL."""
    same = as_flags(pc.fill_null(pc.equal(left, right), False))
    return ~(same | (as_flags(left.is_null()) & as_flags(right.is_null())))


def any_of(flags: Iterable[Flags]) -> Flags:
    return np.asarray(np.logical_or.reduce(list(flags)))


def separation(values: pa.ChunkedArray, label: pa.ChunkedArray) -> float:
    """The area under the ROC curve: how often a late flight has the higher value than one in time, ties half.

    Over the flights that have both a value and a label.
    """
    both = as_flags(values.is_valid()) & as_flags(label.is_valid())
    late = as_flags(label.filter(pa.array(both)))
    _, place, counts = np.unique(values.filter(pa.array(both)).to_numpy(), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positives, negatives = int(late.sum()), int((~late).sum())
    return float((ranks[late].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def measure_view(view: str, known: pa.Table, naive: pa.Table, windows: set[str]) -> tuple[Flags, ...]:
    """For each flight: the newest row's features differ; the windows do; that row was not known yet; never is."""
    names = [name for name in known.column_names if name.startswith(f"{view}__")]
    features = [name for name in names if name not in windows]
    changed = any_of(differ(known[name], naive[name]) for name in features)
    over_time = any_of(differ(known[name], naive[name]) for name in names if name in windows)
    known_at = naive[f"{view}__{VIEWS[view][1]}"]
    later = as_flags(pc.fill_null(pc.greater(known_at, naive["event_timestamp"]), False))
    found = any_of(as_flags(naive[name].is_valid()) for name in features)
    return changed, over_time, later, found & as_flags(known_at.is_null())


def describe_asked(asked: pa.Table) -> list[str]:
    """How well each on-demand feature alone tells late flights from the others."""
    lines = [
        "",
        "What `flight_delay_v2` adds, by the same measure:",
        "",
        "| feature | area |",
        "|---|--:|",
    ]
    for name in (name for name in asked.column_names if name.startswith(f"{ASKED}__")):
        values = asked[name].cast(pa.int8()) if pa.types.is_boolean(asked[name].type) else asked[name]
        lines.append(f"| `{name.replace('__', ':')}` | {separation(values, asked['arrived_late']):.3f} |")
    return lines


def describe(known: pa.Table, naive: pa.Table, windows: set[str], at_events: pa.Table, asked: pa.Table) -> str:
    """The figures, as Markdown."""
    flights = known.num_rows
    lines = [
        f"Of {flights:,} flights, the share whose features without `known_at`",
        "",
        "| view | newest by | newest row's differ | windows differ | row was not known yet | was never known |",
        "|---|---|--:|--:|--:|--:|",
    ]
    total = np.zeros(flights, bool)
    for view, (newest_by, _) in VIEWS.items():
        measured = measure_view(view, known, naive, windows)
        total |= measured[0] | measured[1]
        shares = " | ".join(f"{100 * flags.mean():.2f} %" for flags in measured)
        lines.append(f"| `{view}` | {newest_by} | {shares} |")
    lines += [
        f"| any of them | | {100 * total.mean():.2f} % | | | |",
        "",
        "How well one feature alone tells late flights from the others (area under the ROC curve; 0.5 is a coin):",
        "",
        "| feature | as known | without `known_at` |",
        "|---|--:|--:|",
    ]
    for view, feature in DELAYS:
        name = f"{view}__{feature}"
        areas = [separation(table[name], table["arrived_late"]) for table in (known, naive)]
        lines.append(f"| `{view}:{feature}` | {areas[0]:.3f} | {areas[1]:.3f} |")
    ours, theirs = known[f"carrier_delays__{WINDOW}"], at_events[f"at_last_event__{WINDOW}"]
    gone = as_flags(ours.is_null()) & as_flags(theirs.is_valid())
    apart, stale = 100 * differ(ours, theirs).mean(), 100 * gone.mean()
    lines += [
        "",
        f"And `{WINDOW}` as a column of each event, joined as of the departure, against the window that ends at the",
        f"departure: they differ for {apart:.2f} % of the flights. For {stale:.2f} % nothing landed in those hours,",
        "and the column of the last event still has a number.",
        *describe_asked(asked),
    ]
    return "\n".join(lines)


def replace_figures(page: str, figures: str) -> str:
    """The page with other figures between its two marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE.name} lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}"


def main() -> None:
    """Computes the figures and writes them into the page, or compares with it under --check."""
    known = build_training_set(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        copy_without_known_at(ROOT, Path(folder))
        naive = build_training_set(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        copy_with_windows_at_events(ROOT, Path(folder))
        at_events = build_training_set(Path(folder), ["at_last_event"])
    asked = build_training_set(ROOT, [ASKED], "flight_requests")
    figures = describe(known, naive, find_windows(ROOT), at_events, asked)
    page = PAGE.read_text(encoding="utf-8")
    fresh = replace_figures(page, figures)
    if "--check" in sys.argv[1:]:
        if fresh != page:
            raise SystemExit(f"the figures of docs/{PAGE.name} are out of date; run python bench/leakage.py")
    else:
        PAGE.write_text(fresh, encoding="utf-8")
    print(figures)


if __name__ == "__main__":
    main()
