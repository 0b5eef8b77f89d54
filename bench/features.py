"""Measures aggregates of counts and of ordered values: reads, what their states take, and training beside SQL by hand.

`python bench/features.py` loads keys of 100 to 100,000 events, one view for each aggregate. It prints the median of
reads, in microseconds, and what the states in the tiles take beside those of a sum. Then it trains five aggregates in
one view, and runs the query that one would write by hand, which must give the same. At last it loads lifetime windows
over 1,000 keys, and again over ten times the events.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from asknown import FeatureStore, OnlineReader

WATERMARK = datetime(2024, 3, 1)
BUSY = (100, 1_000, 10_000, 100_000)  # events of a key, in 30 days
ITEMS = {
    "sum": "sum(x) over {{ last('30 days') }}",
    "count_distinct": "count(distinct item) over {{ last('30 days') }}",
    "mode": "mode(item) over {{ last('30 days') }}",
    "top_k": "{{ top_k('item', 3, '30 days') }}",
    "histogram": "map_entries(histogram(item) over {{ last('30 days') }})",
    "entropy": "entropy(item) over {{ last('30 days') }}",
    "last": "last(x) over {{ last('30 days') }}",
    "arg_max": "arg_max(item, x) over {{ last('30 days') }}",
    "last_k": "(list(item) over {{ last('30 days') }})[-5:]",
    "last_distinct": "{{ last_distinct('item', 3, '30 days') }}",
    "streak": "{{ streak('x > 0.1', '30 days') }}",
    "since": "{{ since('x > 0.9', '30 days') }}",
    "drawdown": "{{ drawdown('x', '30 days') }}",
    "session": "{{ session('1 hour', '30 days') }}",
    "median": "median(x) over {{ last('30 days') }}",  # keeps every value, to compare with
}
TRAINED = ("mode", "last_k", "streak", "drawdown", "top_k")
BY_HAND = """
with pairs as (
    select s.id, s.t, e.item, e.x, e.ts from spine s join events e on e.id = s.id
        and e.ts <= s.t and e.ts >= s.t - interval 30 days
), lists as (
    select id, t, mode(item order by item) as mode, (list(item order by ts, item))[-5:] as last_k,
        list(x > 0.1 order by ts, x > 0.1) as met, list(x order by ts, x) as xs, histogram(item) as counted
    from pairs group by all
)
select id, t, mode, last_k, coalesce(list_position(list_reverse(met), false) - 1, len(met), 0) as streak,
    list_reduce(list_transform(xs, lambda x_: {'peak': x_, 'fall': 0e0}),
        lambda a_, b_: {'peak': greatest(a_.peak, b_.peak), 'fall': greatest(a_.fall, a_.peak - b_.peak)}
    ).fall as drawdown,
    list_transform(list_sort(list_transform(map_entries(counted), lambda p_: {'n': -(p_.value::bigint), 'v': p_.key})
        )[1:3], lambda q_: q_.v) as top_k
from lists
"""


def make_project(folder: Path, items: int) -> None:
    """The project's files and its data: keys of :data:`BUSY` events for reads, and 1,000 keys of 300 to train over."""
    (folder / "models").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "busy"\n', encoding="utf-8")
    properties = {
        "sources": [{"name": "raw", "tables": [{"name": n, "path": f"{n}.parquet"} for n in ("events", "many")]}],
        "entities": [{"name": "customer", "keys": ["id"]}],
    }
    (folder / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
    views = {f"v_{name}": ("events", {name: item}) for name, item in ITEMS.items()}
    views["trained"] = ("many", {name: ITEMS[name] for name in TRAINED})
    for view, (source, features) in views.items():
        wanted = ", ".join(f"{item} as {name}" for name, item in features.items())
        online = ", online=false" if source == "many" else ""
        text = f"{{{{ config(entity='customer', event_time='ts'{online}) }}}}\nselect id, ts, {wanted}\n"
        (folder / "models" / f"{view}.sql").write_text(f"{text}from {{{{ source('raw', '{source}') }}}}\n")
    row = (
        f"timestamp '{WATERMARK}' - to_microseconds((hash(id, n) % 2592000000000)::bigint) as ts, "
        f"'item ' || (hash(n, id, 'i') % {items}) as item, (hash(n, id, 'x') % 1000003) / 1000003 as x"
    )
    sizes = ", ".join(f"({n})" for n in BUSY)
    for name, keys in (
        ("events", f"(select id, unnest(range(id)) as n from (values {sizes}) t(id))"),
        ("many", "(select id, unnest(range(300)) as n from range(1000) t(id))"),
    ):
        query = f"select id::bigint as id, {row} from {keys}"
        duckdb.sql(f"copy ({query}) to '{folder / name}.parquet' (format parquet)")


def read_times(table: Path, view: str, feature: str, reads: int) -> list[float]:
    """The median of reads of a key of each size, in microseconds, an hour after the load."""
    found, at = [], WATERMARK + timedelta(hours=1)
    with OnlineReader(table) as reader:
        for key in BUSY:
            entities, wanted, taken = [{"id": key}], [f"{view}:{feature}"], []
            for _ in range(reads):
                begin = time.perf_counter()
                reader.get_online_features(wanted, entities, at=at)
                taken.append(time.perf_counter() - begin)
            found.append(statistics.median(taken) * 1e6)
    return found


def size_of_tiles(table: Path, view: str) -> tuple[int, int]:
    """The length of all states in a view's tiles, and of the tiles with them."""
    with closing(sqlite3.connect(table)) as connection:
        cursor = connection.execute(f'select * from "{view}.tiles"')
        names = [column[0] for column in cursor.description]
        rows = [[one if isinstance(one, str | bytes) else "12345678" for one in row] for row in cursor]
    return sum(len(row[names.index("_after")]) for row in rows), sum(map(len, (one for row in rows for one in row)))


def train(store: FeatureStore, folder: Path, moments: int) -> tuple[float, float]:
    """The seconds that training takes, and the query by hand, over the same spine. Both must give the same rows."""
    spine = duckdb.sql(
        f"select (hash(n, 1) % 1000)::bigint as id, timestamp '{WATERMARK}' - "
        f"to_microseconds((hash(n, 2) % 864000000000)::bigint) as event_timestamp from range({moments}) t(n)"
    ).to_arrow_table()
    begin = time.perf_counter()
    ours = store.get_historical_features(spine, [f"trained:{name}" for name in TRAINED]).to_arrow()
    taken = time.perf_counter() - begin
    connection = duckdb.connect()
    connection.register("spine", spine.rename_columns(["id", "t"]))
    connection.execute(f"create view events as from '{folder / 'many.parquet'}'")
    begin = time.perf_counter()
    by_hand = connection.sql(BY_HAND).to_arrow_table()
    also = time.perf_counter() - begin
    wanted = {(row["id"], row["t"]): [row[name] for name in TRAINED] for row in by_hand.to_pylist()}
    assert all(
        wanted.get((row["id"], row["event_timestamp"]), [None, None, 0, None, None]) == [row[name] for name in TRAINED]
        for row in pa.Table.to_pylist(ours)
    ), "training and the query by hand differ"
    return taken, also


def lifetime_size(folder: Path, events: int) -> int:
    """The bytes of an online table of lifetime windows over 1,000 keys that have so many events each."""
    (folder / "models").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "lifetime"\n', encoding="utf-8")
    properties = {
        "sources": [{"name": "raw", "tables": [{"name": "events", "path": "events.parquet"}]}],
        "entities": [{"name": "customer", "keys": ["id"]}],
    }
    (folder / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
    items = [ITEMS[name].replace("'30 days'", "'ever'") for name in ("sum", *TRAINED, "count_distinct")]
    wanted = ", ".join(f"{item} as f{place}" for place, item in enumerate(items))
    text = f"{{{{ config(entity='customer', event_time='ts') }}}}\nselect id, ts, {wanted}\n"
    (folder / "models" / "v.sql").write_text(f"{text}from {{{{ source('raw', 'events') }}}}\n", encoding="utf-8")
    duckdb.sql(
        f"copy (select id, timestamp '{WATERMARK}' - to_seconds(n * 60) as ts, 'item ' || (n % 10) as item, "
        f"(hash(n, id) % 1000) / 8 as x from range(1000) t(id), range({events}) u(n)) "
        f"to '{folder / 'events.parquet'}' (format parquet)"
    )
    with FeatureStore(folder) as store:
        store.materialize(WATERMARK)
    (table,) = folder.glob("**/*.db")
    return table.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=200, help="of each key and aggregate")
    parser.add_argument("--items", type=int, default=50, help="different values of the counted column")
    parser.add_argument("--moments", type=int, default=20_000, help="rows of the spine")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "busy"
        make_project(project, given.items)
        with FeatureStore(project) as store:
            store.materialize(WATERMARK)
            (table,) = project.glob("**/*.db")
            print(
                "| aggregate | " + " | ".join(f"{n:,} events, µs" for n in BUSY) + " | states, × sum | tiles, × sum |"
            )
            print("|---|" + "---|" * (len(BUSY) + 2))
            of_sum = size_of_tiles(table, "v_sum")
            for name in ITEMS:
                times = [
                    f"{one:.0f}" for one in read_times(table, f"v_{name}", name, given.reads if name != "median" else 5)
                ]
                sizes = zip(size_of_tiles(table, f"v_{name}"), of_sum, strict=True)
                print(f"| `{name}` | {' | '.join([*times, *(f'{own / of:.2f}' for own, of in sizes)])} |")
            sys.stdout.flush()
            taken, also = train(store, project, given.moments)
        print(f"\nTraining {given.moments:,} rows, five aggregates: {taken:.2f} s; by hand {also:.2f} s")
        few, many = (lifetime_size(Path(folder) / f"of-{events}", events) for events in (30, 300))
        print(f"Lifetime windows of 1,000 keys: {few:,} bytes with 30 events each, {many:,} bytes with 300")


if __name__ == "__main__":
    main()
