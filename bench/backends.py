"""Times the online table on servers beside the raw client with the same layout, and beside Feast, in one run.

`python bench/backends.py --backends valkey` starts a server, loads --keys keys × 3 views × 10 features, and times reads
by the library and by the raw client in turns; then a load of --rows rows × 10 doubles and pushes of single rows, each
beside the raw client. With --feast PYTHON, an interpreter that has feast[redis], Feast reads the same rows from the
same server in turns with the library. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import duckdb
from reads import TURN, TYPES, VIEWS, WATERMARK, expression

import push
from asknown import FeatureStore

FEAST = Path(__file__).resolve().parent / "systems" / "feast_redis.py"
ROW = [("seen_at", "timestamp"), *((f"{{view}}{i}", kind) for i, kind in enumerate(TYPES))]


class Side(Protocol):
    """A running server, and the raw client doing by hand what the library does."""

    name: str
    version: str
    online: dict[str, Any]

    def reader(
        self, columns: dict[str, Sequence[tuple[str, str]]], names: dict[str, Sequence[str]]
    ) -> Callable[[Sequence[int]], list[list[Any]]]: ...

    def load(self, rows: Sequence[tuple[Any, ...]]) -> float: ...

    def pusher(self) -> Callable[[dict[str, Any]], Any]: ...


def _valkey(*, durable: bool) -> AbstractContextManager[Side]:
    from backends_valkey import serve

    return serve(durable=durable)


def _postgres(*, durable: bool) -> AbstractContextManager[Side]:
    from backends_postgres import serve

    return serve(durable=durable)


BACKENDS: dict[str, Callable[..., AbstractContextManager[Side]]] = {"postgres": _postgres, "valkey": _valkey}


def make_project(folder: Path, side: Side, keys: int, views: Sequence[str]) -> None:
    """A project on DuckDB with its data, whose online table lies on the server."""
    (folder / "models").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "bench"\nprofile = "bench"\n', encoding="utf-8")
    profile = {"bench": {"target": "dev", "outputs": {"dev": {"type": "duckdb"}}, "online": side.online}}
    (folder / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    sources = [{"name": name, "path": f"{name}.parquet"} for name in views]
    properties = {"sources": [{"name": "raw", "tables": sources}], "entities": [{"name": "customer", "keys": ["id"]}]}
    (folder / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
    connection = duckdb.connect()
    for view in views:
        columns = ", ".join(
            f"{expression(view, i)} as {view}{i}"
            if view in VIEWS
            else f"(hash(id, '{i}') % 1000003) / 7.0 as {view}{i}"
            for i in range(len(TYPES))
        )
        query = (
            f"select id, timestamp '2024-01-01' + to_seconds(id % 86400) as seen_at, {columns} from range({keys}) t(id)"
        )
        connection.execute(f"copy ({query}) to '{folder}/{view}.parquet'")
        names = ", ".join(f"{view}{i}" for i in range(len(TYPES)))
        (folder / "models" / f"{view}.sql").write_text(
            f"{{{{ config(entity='customer', event_time='seen_at') }}}}\nselect id, seen_at, {names} "
            f"from {{{{ source('raw', '{view}') }}}}\n",
            encoding="utf-8",
        )
    connection.close()


def in_turns(first: Callable[[int], Any], second: Callable[[int], Any], calls: int) -> tuple[float, float]:
    """The medians, in microseconds, of two reads that take turns; the first turn is for warmth."""
    times: tuple[list[int], list[int]] = ([], [])
    clock = time.perf_counter_ns
    for turn in range(-1, max(calls // TURN, 2)):
        for read, some in zip((first, second), times, strict=True):
            for n in range(turn * TURN, (turn + 1) * TURN):
                began = clock()
                read(n)
                ended = clock()
                if turn >= 0:
                    some.append(ended - began)
    return statistics.median(times[0]) / 1_000, statistics.median(times[1]) / 1_000


def show(what: str, ours: float, other: float, ratio: float, target: str) -> None:
    """Prints a line of the table."""
    print(f"| {what} | {ours:,.1f} | {other:,.1f} | {ratio:.2f} | {target} |", flush=True)


def measure_reads(store: FeatureStore, side: Side, folder: Path, options: argparse.Namespace) -> None:
    """One key and a hundred, five features of one view and thirty of three."""
    some = random.Random(7)
    features = {5: [f"a:a{i}" for i in (0, 2, 5, 6, 8)], 30: list(VIEWS)}
    names = {
        5: {"a": [f"a{i}" for i in (0, 2, 5, 6, 8)]},
        30: {v: [f"{v}{i}" for i in range(len(TYPES))] for v in VIEWS},
    }
    columns = {view: [(name.format(view=view), kind) for name, kind in ROW] for view in VIEWS}
    for count, width in ((1, 5), (1, 30), (100, 5), (100, 30)):
        asked = [[some.randrange(options.keys) for _ in range(count)] for _ in range(997)]
        raw = side.reader(columns, names[width])

        def ours(n: int, asked: Any = asked, wanted: Any = features[width]) -> dict[str, list[Any]]:
            return store.get_online_features(wanted, {"id": asked[n % 997]}).to_dict()

        given = ours(0)
        assert [list(row) for row in zip(*list(given.values())[1:], strict=True)] == raw(asked[0]), given
        calls = options.reads if count == 1 else options.reads // 20
        mine, beside = in_turns(ours, lambda n, asked=asked, raw=raw: raw(asked[n % 997]), calls)
        target = "≤ 2" if count == 1 else "≤ 1.5"
        show(f"{count} × {width}, µs, beside the raw client", mine, beside, mine / beside, target)
    if options.feast and side.name == "valkey":
        measure_feast(store, side, folder, options)


@contextmanager
def feast(python: str, folder: Path, port: int) -> Iterator[tuple[dict[str, Any], Callable[[Any], list[int]]]]:
    """Feast in a process of its own: what it reads of the key 1, and a function that lets it read."""
    command = [python, str(FEAST), str(folder), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = (line for line in process.stdout if line.startswith(("{", "[")))
        first = json.loads(next(lines))

        def read(batches: Any) -> list[int]:
            process.stdin.write(json.dumps(batches) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            times: list[int] = json.loads(next(lines))
            return times

        yield first, read
        process.stdin.close()


def measure_feast(store: FeatureStore, side: Any, folder: Path, options: argparse.Namespace) -> None:
    """The library and Feast on one server, in turns."""
    some = random.Random(11)
    with feast(options.feast, folder, side.port) as (first, read):
        mine = store.get_online_features(list(VIEWS), {"id": [1]}).to_dict()
        assert {name: first[name] for name in mine} == {name: values[0] for name, values in mine.items()}, (first, mine)
        for count, target in ((1, "≥ 3"), (100, "≥ 8")):
            theirs: list[int] = []
            ours: list[int] = []
            for turn in range(-1, max(options.reads // (4 * TURN * (1 if count == 1 else 20)), 2)):
                asked = [[some.randrange(options.keys) for _ in range(count)] for _ in range(TURN)]
                times = read(asked)
                own = []
                for keys in asked:
                    began = time.perf_counter_ns()
                    store.get_online_features(list(VIEWS), {"id": keys}).to_dict()
                    own.append(time.perf_counter_ns() - began)
                if turn >= 0:
                    theirs += times
                    ours += own
            a, b = statistics.median(ours) / 1_000, statistics.median(theirs) / 1_000
            show(f"{count} × 30, µs, beside Feast", a, b, b / a, f"{target} × faster")


def measure_load(side: Side, options: argparse.Namespace) -> None:
    """A load of rows × 10 doubles from Parquet beside the raw client, which has the rows in memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "load"
        make_project(folder, side, options.rows, ["wide"])
        text = "strftime(seen_at, '%Y-%m-%d %H:%M:%S.%f')"
        names = ", ".join(f"wide{i}" for i in range(len(TYPES)))
        rows = duckdb.sql(f"select id, {text}, {names} from '{folder}/wide.parquet'").fetchall()
        raw = side.load(rows)
        del rows
        with FeatureStore(folder) as store:
            for what in ("load", "the same load again"):
                began = time.perf_counter()
                store.materialize(until=WATERMARK)
                seconds = time.perf_counter() - began
                mine, beside = options.rows / seconds, options.rows / raw
                target = "≥ 0.5" if what == "load" else ""  # the second compares, and writes nothing
                show(f"{what}, {options.rows:,} × 10, rows/s", mine, beside, mine / beside, target)


def measure_pushes(side: Side, options: argparse.Namespace) -> None:
    """Single rows: what the library writes, and the raw script; in turns."""
    with tempfile.TemporaryDirectory() as name:
        profile = {"shop": {"target": "dev", "outputs": {"dev": {"type": "duckdb"}}, "online": side.online}}
        for path, text in {**push.PROJECT, "profiles.yml": json.dumps(profile)}.items():
            place = Path(name) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        raw = side.pusher()
        with FeatureStore(name) as store:
            store.push("orders", [push.order() for _ in range(2_000)])
            store.materialize()
            mine, beside = in_turns(
                lambda _: store.push("orders", [push.order()]), lambda _: raw(push.order()), options.pushes
            )
            mine, beside = mine / 1_000, beside / 1_000
            show("push of one row, ms", mine, beside, beside / mine, "≥ 0.5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", default=",".join(BACKENDS), help="the servers, with commas")
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--reads", type=int, default=4_000, help="single reads of each kind")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the load")
    parser.add_argument("--pushes", type=int, default=1_000, help="pushes of single rows")
    parser.add_argument("--feast", help="a Python that has feast[redis]")
    options = parser.parse_args()
    for name in options.backends.split(","):
        with BACKENDS[name](durable=False) as side:
            print(f"\n{side.name} {side.version}\n\n| | asknown | other | ratio | target |\n|---|---:|---:|---:|---|")
            with tempfile.TemporaryDirectory() as folder:
                make_project(Path(folder) / "reads", side, options.keys, VIEWS)
                with closing(FeatureStore(Path(folder) / "reads")) as store:
                    store.materialize(until=WATERMARK)
                    measure_reads(store, side, Path(folder) / "reads", options)
        with BACKENDS[name](durable=False) as side:
            measure_load(side, options)
        with BACKENDS[name](durable=True) as side:
            measure_pushes(side, options)


if __name__ == "__main__":
    main()
