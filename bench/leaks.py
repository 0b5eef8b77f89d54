"""Audits the leak corpus and a clean corpus many times: `python bench/leaks.py [--seeds 20] [--runs 200]`.

Prints, for each view that leaks, what `check` says and at how many seeds `audit` finds it; then how many audits of
clean views, those of the flights among them, found something. Exits with 1 unless all leaks and nothing else are found.
`--from 100 --runs 50` is a piece of the runs.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "lint")]

from leaks import CORPUS, KNOWN, E, K, view, write_project  # noqa: E402

from asknown import FeatureStore  # noqa: E402
from stores import open_without_refusals  # noqa: E402

SPINE = "select j % 20 as k, timestamp '2024-01-02' + j * interval '11 minutes' as event_timestamp from range(800) r(j)"
LEAKS = (
    *("no_known", "known_const", "lead", "lead_up", "unbounded", "unbounded_up", "group_all", "scalar_sub"),
    *("selfjoin_future", "daily_agg", "latest_row", "ntile_up", "lag_late"),
)
LATE = E.replace("'ev'", "'ev_late'")
ITEMS = (
    "x",
    "x * 2 + 1 as f",
    "round(x) as f",
    "case when x > 50 then 'high' else 'low' end as f",
    "extract('hour' from ts) as f",
    "hash(k) % 7 as f",
    "avg(x) over {{ last('1 day') }} as f",
    "sum(x) over {{ last('6 hours') }} as f",
    "count(*) over {{ last('12 hours', closed='left') }} as f",
    "max(x) over {{ last('2 days', delay='1 hour') }} as f",
    "min(x) filter (where x > 10) over {{ last('1 day') }} as f",
    "stddev_samp(x) over {{ last('1 day') }} as f",
    "list(x) over {{ last('3 hours') }} as f",
)


def clean_views() -> dict[str, str]:
    """Fifty-two views without hindsight: each item over two sources, with a ttl and without."""
    found = {}
    cases = itertools.product(ITEMS, (E, LATE), ("", ", ttl='1 day'"))
    for number, (item, source, ttl) in enumerate(cases):
        found[f"clean_{number:02}"] = view(f"select {K}, {item} from {source}", KNOWN + ttl)
    return found


def audit_leaks(first: int, seeds: int) -> Iterator[str]:
    """Prints at how many seeds each leak is found; gives what is wrong."""
    named = {leak.name: leak for leak in CORPUS}
    views = {name: view(named[name].sql, named[name].config) for name in LEAKS if name != "lag_late"}
    views["lag_late"] = view(named["lag_up"].sql.replace("'ev'", "'ev_late'"), named["lag_up"].config)
    views["clean"] = view(named["clean"].sql, named["clean"].config)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        project = write_project(Path(folder) / "corpus", views)
        with FeatureStore(project) as store:
            said: dict[str, list[str]] = {}
            for finding in store.check():
                if finding.severity != "information" and finding.model:
                    said.setdefault(finding.model, []).append(finding.code)
        with open_without_refusals(project) as store:
            for seed in range(first, first + seeds):
                report = store.checks.audit(list(views), SPINE, seed=seed)
                counts.update({feature.view for feature in report.features if feature.verdict == "leaks"})
    for name in views:
        print(f"{name:16} {counts[name]:3} of {seeds}   check: {', '.join(sorted(set(said.get(name, ['nothing']))))}")
        if counts[name] != (0 if name == "clean" else seeds):
            yield f"{name}: {counts[name]} of {seeds}"


def audit_clean(first: int, runs: int, together: int, rows: int) -> Iterator[str]:
    """Audits clean views ``runs`` times, some ``together``; gives what was found."""
    views = clean_views()
    audited: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        project = write_project(Path(folder) / "clean", views)
        with FeatureStore(project) as store:
            yield from (f"{f.model}: {f.code}" for f in store.check() if f.is_error)
            for seed in range(first, first + runs):
                chosen = random.Random(seed).sample(sorted(views), together)
                yield from _audit(store, chosen, SPINE, (seed, rows), audited)
    print(f"{runs} audits of {together} of {len(views)} clean views, each {min(audited.values())} times or more")


def audit_flights(first: int, runs: int, rows: int) -> Iterator[str]:
    """Audits the example's feature service; gives what was found."""
    audited: Counter[str] = Counter()
    with FeatureStore(ROOT) as store:
        for seed in range(first, first + runs):
            yield from _audit(store, ["flight_delay_v1"], "flights_spine", (seed, rows), audited)
    print(f"{runs} audits of the flights: {', '.join(sorted(audited))}")


def _audit(
    store: FeatureStore, views: Sequence[str], spine: str, chosen: tuple[int, int], audited: Counter[str]
) -> Iterator[str]:
    seed, rows = chosen
    report = store.checks.audit(list(views), spine, seed=seed, cuts=1, rows=rows)
    audited.update({feature.view for feature in report.features})
    for feature in report.features:
        if feature.verdict in ("leaks", "unstable"):
            yield f"{feature.view}:{feature.feature} {feature.verdict} at seed {seed}"


def main() -> None:
    """Runs all, and exits with 1 if anything is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--flights", type=int, default=10)
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--together", type=int, default=13, help="views in an audit of the clean corpus")
    parser.add_argument("--rows", type=int, default=200)
    asked = parser.parse_args()
    begin, wrong = time.monotonic(), []
    wrong += list(audit_leaks(asked.first, asked.seeds)) if asked.seeds else []
    wrong += list(audit_clean(asked.first, asked.runs, asked.together, asked.rows)) if asked.runs else []
    wrong += list(audit_flights(asked.first, asked.flights, asked.rows)) if asked.flights else []
    print(f"{len(wrong)} not as it should be, in {time.monotonic() - begin:.0f} s")
    for line in wrong:
        print(line)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
