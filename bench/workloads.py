"""What is measured, and who takes part: tables of facts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent / "systems"))
from sizes import MANY

MEMORY_LIMIT = "2GB"

OWN = "own"  # the environment that runs the bench: asknown and DuckDB


@dataclass(frozen=True)
class System:
    """Someone who takes part: the file that does its jobs, in which environment, and what it cannot do."""

    name: str
    file: str
    environment: str = OWN
    variant: str = ""
    what: str = ""
    cannot: Mapping[str, str] = field(default_factory=dict)  # by workload

    def refuses(self, workload: str) -> str | None:
        """Why the system cannot do a workload, if so."""
        return self.cannot.get(workload)


@dataclass(frozen=True)
class Workload:
    """One comparison. The first of the ``systems`` that is no variant of ours says what the right answer is."""

    name: str
    what: str
    tables: tuple[str, ...]
    systems: tuple[str, ...]
    others: tuple[str, ...] = ()  # take part only when they are named
    sizes: tuple[str, ...] = ("S", "M", "L")
    tolerance: float = 0.0  # relative, for floats of those who add them up plainly
    answers: bool = True  # gives rows that can be compared


_NO_WINDOWS = "an as-of join has no windows that end at the spine's instant"
_NO_LIMIT = "takes no memory limit"
_EVERY_W3 = ("W3", "W3-even", "W3-hot", "W3k")
_FEAST = {
    **dict.fromkeys(_EVERY_W3, "serves windows as they were at an entity's last row; none ends at the spine's instant"),
    "W5": _NO_LIMIT,
}

SYSTEMS = {
    system.name: system
    for system in (
        System("ours", "ours.py", what="asknown, the planner's choice"),
        *(System(f"ours-{form}", "ours.py", variant=form, what=f"asknown, every match by {form}")
          for form in ("cascade", "asof", "range")),
        *(System(f"ours-{form}", "ours.py", variant=form, what=f"asknown, windows by {form}")
          for form in ("pairs", "bands", "tiles")),
        System("ours-whole", "ours.py", variant="whole", what="asknown, amounts as whole cents"),
        System("ours-apart", "ours.py", variant="apart", what="asknown, each view asked alone: the sum"),
        System("ours-unlimited", "ours.py", variant="unlimited", what="asknown without the limit"),
        System("expert", "expert.py", what="DuckDB, SQL by hand (bench/sql)"),
        System("expert-unlimited", "expert.py", variant="unlimited", what="the expert without the limit"),
        System("expert-plain", "expert.py", variant="plain", what="the expert's query with plain float sums"),
        System("expert-huge", "expert.py", variant="huge", what="the expert's query with sums of 128-bit integers"),
        System("expert-bands", "expert.py", variant="bands", what="by hand: a range join into bands, no tiles"),
        System("expert-filter", "expert.py", variant="filter", what="by hand: a range join with FILTER, plain sums"),
        System("expert-frames", "expert.py", variant="frames", what="by hand: RANGE frames over UNION ALL, plain sums"),
        System("expert-prefix", "expert.py", variant="prefix", what="by hand: prefix sums at the edges, no max"),
        System("floor", "floor.py", what="reads the same columns, one hash join, no rule"),
        System("polars", "polars_peer.py", "polars", what="join_asof; rolling for windows", cannot={
            "W3k": "rolling windows know one time, not when a row became known", "W5": _NO_LIMIT}),
        System("pandas", "pandas_peer.py", "pandas", what="merge_asof", cannot={
            **dict.fromkeys(_EVERY_W3, _NO_WINDOWS), "W5": _NO_LIMIT}),
        System("feast-duckdb", "feast_offline.py", "feast", "duckdb", "Feast, its DuckDB offline store", _FEAST),
        System("feast-file", "feast_offline.py", "feast", "file", "Feast, its file (Dask) offline store", _FEAST),
        System("ours-online", "ours_online.py", what="asknown's online table"),
        System("sqlite", "sqlite_online.py", what="sqlite3 by hand: one table, prepared statements"),
        System("feast-sqlite", "feast_online.py", "feast", "sqlite", "Feast, its SQLite online store",
               {"O4": "reads no windows: it serves what was last materialized"}),
        System("feast-redis", "feast_online.py", "feast", "redis", "Feast, its Redis online store",
               {"O4": "reads no windows: it serves what was last materialized"}),
        System("commands", "commands.py", what="asknown, a fresh process each time"),
        System("feast-commands", "commands.py", "feast", "feast", "Feast, a fresh process each time"),
    )
}  # fmt: skip

_PEERS = ("polars", "pandas", "feast-duckdb", "feast-file")
_WINDOWS = ("ours", "expert", "expert-plain")
_FORMS = ("ours-pairs", "ours-bands", "ours-tiles")
_BY_HAND = ("expert-huge", "expert-bands", "expert-filter", "expert-frames", "expert-prefix")
_MATCHES = ("ours-cascade", "ours-asof", "ours-range")
_VIEWS = ("spine", "merchant_stats", "profiles", "transactions")
_ACCOUNTS = ("accounts_0", "accounts_10", "accounts_20")
_ONLINE = ("ours-online", "sqlite", "feast-sqlite", "feast-redis")

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("W1", "one view as of, with ttl and tie-break", ("spine", "merchant_stats"),
                 ("ours", "expert", "floor", *_PEERS), _MATCHES),
        Workload("W2", "three views, two entities, one request", _VIEWS,
                 ("ours", "expert", "floor", *_PEERS), _MATCHES),
        Workload("W3", "12 trailing windows: sum, avg, count, max over 1, 7, 30 days", ("spine", "transactions"),
                 (*_WINDOWS, "floor", *_PEERS), (*_FORMS, *_BY_HAND, "ours-whole"), tolerance=1e-9),
        Workload("W3-even", "W3, all users alike", ("spine_even", "transactions_even"),
                 _WINDOWS, (*_FORMS, *_BY_HAND), tolerance=1e-9),
        Workload("W3-hot", "W3, one user with a tenth of all events", ("spine_hot", "transactions_hot"),
                 _WINDOWS, (*_FORMS, *_BY_HAND), tolerance=1e-9),
        Workload("W3k", "W3 with known_at and 5 % late rows", ("spine", "transactions"),
                 (*_WINDOWS, *_PEERS), _FORMS, tolerance=1e-9),
        Workload("W4", "10 of 100 features of a wide view", ("spine", "wide"),
                 ("ours", "expert", "floor", *_PEERS), _MATCHES),
        Workload("W5", f"W2 to Parquet under a memory limit of {MEMORY_LIMIT}", _VIEWS,
                 ("ours", "ours-unlimited", "expert", "expert-unlimited", *_PEERS)),
        *(Workload(name, f"{views} views of {features} features, one request", ("spine", "wide"),
                   ("ours", "ours-apart", "polars"), sizes=("S", "M"))
          for name, (views, features) in MANY.items()),
        Workload("F", "the flights example: its service of 5 views on 336,776 departures", (),
                 ("ours",), (*_MATCHES, *_FORMS), sizes=("S",)),
        Workload("O1", "one key, 5 features", _ACCOUNTS, _ONLINE, sizes=("S",), answers=False),
        Workload("O2", "100 keys, 5 features", _ACCOUNTS, _ONLINE, sizes=("S",), answers=False),
        Workload("O3", "one key and 100 keys, 30 features of three views", _ACCOUNTS, _ONLINE,
                 sizes=("S",), answers=False),
        Workload("O4", "four windows of one key, 16 features or 4, with so many events in the longest", ("clicks",),
                 ("ours-online", "sqlite", "feast-sqlite", "feast-redis"), sizes=("S",), answers=False),
        Workload("O5", "materialize accounts × 10 features, and again with 1 % changed",
                 ("accounts_0", "accounts_0_later"), _ONLINE, sizes=("S", "M"), answers=False),
        Workload("C", "commands and imports, a fresh process each", ("accounts_0",), ("commands", "feast-commands"),
                 sizes=("S",), answers=False),
    )
}  # fmt: skip

# Why rows differ, where somebody looked.
REASONS = {
    "feast-file": "rows stated again: it sorts by the created time and then by the event time, and the second sort "
    "(Dask's) does not keep the order of the first",
    "expert-prefix": "prefix sums give no maximum",
}

# What a peer's environment is made of.
ENVIRONMENTS = {
    "polars": ("polars", "pyarrow"),
    "pandas": ("pandas", "pyarrow"),
    "feast": ("feast[duckdb,redis]",),
}
# Whose versions the report names.
VERSIONS = {
    OWN: ("asknown", "duckdb", "pyarrow", "sqlglot"),
    "polars": ("polars",),
    "pandas": ("pandas",),
    "feast": ("feast", "duckdb", "pandas", "dask", "ibis-framework", "redis"),
}
