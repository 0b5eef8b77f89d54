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
DELAYS = [("carrier_delays", "last_arr_delay"), ("route_history", "route_last_arr_delay")]

Flags = npt.NDArray[np.bool_]


def build_training_set(root: Path) -> pa.Table:
    """Every flight of 2013 with all features of the three views, under full names."""
    with closing(FeatureStore(root)) as store:
        job = store.get_historical_features(entity_df="flights_spine", features=list(VIEWS), full_feature_names=True)
        return job.to_arrow()


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


def measure_view(view: str, known: pa.Table, naive: pa.Table) -> tuple[Flags, Flags, Flags]:
    """For each flight: the features differ; the naive row was not known yet; the naive row is never known."""
    features = [name for name in known.column_names if name.startswith(f"{view}__")]
    changed = any_of(differ(known[name], naive[name]) for name in features)
    known_at = naive[f"{view}__{VIEWS[view][1]}"]
    later = as_flags(pc.fill_null(pc.greater(known_at, naive["event_timestamp"]), False))
    found = any_of(as_flags(naive[name].is_valid()) for name in features)
    return changed, later, found & as_flags(known_at.is_null())


def describe(known: pa.Table, naive: pa.Table) -> str:
    """The figures, as Markdown."""
    flights = known.num_rows
    lines = [
        f"Of {flights:,} flights, the share whose features without `known_at`",
        "",
        "| view | newest by | differ from those as known | were not known yet | were never known |",
        "|---|---|--:|--:|--:|",
    ]
    total = np.zeros(flights, bool)
    for view, (newest_by, _) in VIEWS.items():
        changed, later, never = measure_view(view, known, naive)
        total |= changed
        shares = " | ".join(f"{100 * flags.mean():.2f} %" for flags in (changed, later, never))
        lines.append(f"| `{view}` | {newest_by} | {shares} |")
    lines += [
        f"| any of them | | {100 * total.mean():.2f} % | | |",
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
    figures = describe(known, naive)
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
