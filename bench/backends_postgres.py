"""Postgres for bench/backends.py: a server of its own, and the raw client doing the same work on the same layout."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
from pyarrow import csv

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from engines.postgres_server import run_postgres

_AT_ONCE = 20_000
Read = Callable[[Sequence[int]], list[list[Any]]]

_PUSH = (
    "INSERT INTO raw.seen VALUES ($1, $2)",
    "INSERT INTO raw.outbox VALUES ($1, $2)",
    "INSERT INTO raw.events VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = events.body || excluded.body",
    "INSERT INTO raw.newest VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET\n"
    "at = excluded.at, arrived = excluded.arrived, last_amount = excluded.last_amount, with_tax = excluded.with_tax\n"
    "WHERE (excluded.at, excluded.arrived) > (newest.at, newest.arrived)",
)
_TABLES = (
    "CREATE SCHEMA raw",
    'CREATE TABLE raw.seen (id text COLLATE "C" PRIMARY KEY, at bigint NOT NULL)',
    "CREATE TABLE raw.outbox (seq bigint PRIMARY KEY, body text NOT NULL)",
    "CREATE TABLE raw.events (id bigint PRIMARY KEY, body bytea NOT NULL)",
    'CREATE TABLE raw.newest (id bigint PRIMARY KEY, at text COLLATE "C", arrived text COLLATE "C", '
    "last_amount double precision, with_tax double precision)",
)


class Side:
    """The server, what profiles.yml says of it, and the raw client."""

    name = "postgres"

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.online = {"type": "postgres", "dsn": dsn, "schema": "bench"}
        self.client = psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.RawCursor)
        self.version = str(self.client.info.server_version // 10_000)

    def reader(self, columns: dict[str, Sequence[tuple[str, str]]], names: dict[str, Sequence[str]]) -> Read:
        """The rows of keys in several views by one prepared statement, with the facts that must hold.

        ``columns`` are the columns (name, type) that each view's rows have, and ``names`` those that are wanted.
        """
        self.client.execute("VACUUM ANALYZE")
        tables, versions = {}, []
        for view in names:
            found = self.client.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'bench' AND tablename ~ $1",
                [f"^{view}__[0-9a-f]+$"],
            ).fetchall()
            ((tables[view],),) = found
            query = "SELECT version FROM bench._asknown_documents WHERE name = $1"
            versions += [row[0] for row in self.client.execute(query, [f"view:{view}"]).fetchall()]
        wanted = ", ".join([f'"{view}"."{name}"' for view, some in names.items() for name in some])
        times = ", ".join(f'"{view}".seen_at' for view in names)
        facts = " AND ".join(
            f"(SELECT version FROM bench._asknown_documents WHERE name = 'view:{view}') = ${place}"
            for place, view in enumerate(names, start=2)
        )
        begin = f"SELECT {wanted}, {times}"
        one, many = ["FROM (VALUES (1)) AS q"], ["FROM unnest($1::bigint[]) WITH ORDINALITY AS q(id, n)"]
        for view, table in tables.items():
            one.append(f'LEFT JOIN bench."{table}" AS "{view}" ON "{view}".id = $1::bigint')
            many.append(f'LEFT JOIN bench."{table}" AS "{view}" ON "{view}".id = q.id')
        single = "\n".join([begin, *one, f"WHERE {facts}"]).encode()
        several = "\n".join([begin, *many, f"WHERE {facts}", "ORDER BY q.n"]).encode()
        width = sum(map(len, names.values()))
        truths = [
            place
            for place, name in enumerate(name for some in names.values() for name in some)
            if any(dict(of).get(name) == "boolean" for of in columns.values())
        ]
        cursor = self.client.cursor(binary=True)

        def read(ids: Sequence[int]) -> list[list[Any]]:
            if len(ids) == 1:
                rows = cursor.execute(single, [ids[0], *versions], prepare=True).fetchall()
            else:
                rows = cursor.execute(several, [ids, *versions], prepare=True).fetchall()
            found = [list(row[:width]) for row in rows]
            for row in found:
                for place in truths:
                    row[place] = bool(row[place])
            return found

        return read

    def load(self, rows: Sequence[tuple[Any, ...]]) -> float:
        """Seconds for (key, event time as text, columns) by COPY of a CSV that is ready, and for the primary key."""
        kinds = ["bigint", 'text COLLATE "C"', *(_kind(cell) for cell in rows[0][2:])]
        body = ", ".join(f"c{place} {kind}" for place, kind in enumerate(kinds))
        pieces = [_csv(rows[start : start + _AT_ONCE]) for start in range(0, len(rows), _AT_ONCE)]
        began = time.perf_counter()
        with self.client.transaction():
            self.client.execute(f"CREATE TABLE raw_load ({body})".encode())
            with self.client.cursor().copy("COPY raw_load FROM STDIN WITH (FORMAT csv)") as copy:
                for piece in pieces:
                    copy.write(piece)
            self.client.execute("ALTER TABLE raw_load ADD PRIMARY KEY (c0)")
        seconds = time.perf_counter() - began
        self.client.execute("DROP TABLE raw_load")
        return seconds

    def pusher(self) -> Callable[[dict[str, Any]], Any]:
        """The function that pushes one row of bench/push.py: the id, the newest row, the event, the outbox."""
        for statement in _TABLES:
            self.client.execute(statement.encode())
        self.client.execute("SET synchronous_commit = on")
        seq = 0

        def push(row: dict[str, Any]) -> None:
            nonlocal seq
            seq += 1
            at, arrived = str(row["ordered_at"]), datetime.now(UTC).replace(tzinfo=None)
            since = (arrived - datetime(1970, 1, 1)) // timedelta(microseconds=1)
            text = f"{row['order_id']} {row['customer_id']} {at} {row['amount']}"
            of = (row["customer_id"], at, str(arrived), row["amount"], row["amount"] * 1.2)
            with self.client.transaction():
                given = ((row["order_id"], since), (seq, text), (row["customer_id"], text.encode()), of)
                for statement, bound in zip(_PUSH, given, strict=True):
                    self.client.execute(statement.encode(), bound, prepare=True)

        return push


def _csv(rows: Sequence[tuple[Any, ...]]) -> bytes:
    arrays = [
        pa.array([int(cell) if isinstance(cell, bool) else cell for cell in cells]) for cells in zip(*rows, strict=True)
    ]
    out = io.BytesIO()
    table = pa.table({str(place): array for place, array in enumerate(arrays)})
    csv.write_csv(table, out, csv.WriteOptions(include_header=False))
    return out.getvalue()


def _kind(cell: Any) -> str:
    """The type of a column that keeps such cells."""
    kinds = {bool: "bigint", int: "bigint", float: "double precision"}
    return kinds.get(type(cell), 'text COLLATE "C"')


@contextmanager
def serve(*, durable: bool) -> Iterator[Side]:
    """A server on a socket of its own, while the block runs; ``durable`` as pushes need it."""
    with run_postgres(durable=durable) as server:
        side = Side(server.dsn())
        try:
            yield side
        finally:
            side.client.close()
