"""Writes values over those that a generation holds: few by one statement, many through a temporary table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from asknown.online.postgres.codec import Form, spell_array
from asknown.online.postgres.copying import BEGIN, END, copied_columns, copied_forms, refuse_nul, to_binary
from asknown.online.postgres.layout import Tables
from asknown.online.postgres.parts import given_keys, same_key
from asknown.online.postgres.statements import Statements
from asknown.online.remote.store import Key, Part, Value

_AT_ONCE = 500  # rows that are bound in one statement
_MANY = 10_000  # rows that go through the temporary table at once
_STAGED = "_asknown_staged"


class PartWriter:
    """Writes into one generation, whose tables have their keys."""

    def __init__(self, statements: Statements, tables: Tables) -> None:
        self._statements = statements
        self._tables = tables

    def put(self, part: Part, items: Iterable[tuple[Key, Value]]) -> None:
        """Writes whole values, over those that the keys have. Of a key that comes twice, the last counts."""
        items = iter(items)
        while some := dict(islice(items, _MANY)):
            match part:
                case "rows":
                    self._put_rows(list(some.values()))
                case "events":
                    self._put_events(some)
                case _:
                    self._put_bytes(part, some, 'excluded."_body"')

    def append(self, items: Iterable[tuple[Key, bytes]]) -> None:
        """Writes bytes behind those that the keys have."""
        joined: dict[Key, list[bytes]] = {}
        for key, body in items:
            joined.setdefault(key, []).append(body)
        some = {key: b"".join(bodies) for key, bodies in joined.items()}
        if some:
            self._put_bytes("pushed", some, 't."_body" || excluded."_body"')

    def _put_rows(self, rows: Sequence[Any]) -> None:
        tables = self._tables
        listed = ", ".join(tables.columns)
        others = [name for name in tables.columns if name not in tables.keys]
        assigned = ", ".join(f"{name} = excluded.{name}" for name in others)
        resolve = f"ON CONFLICT ({', '.join(tables.keys)}) DO " + (f"UPDATE SET {assigned}" if assigned else "NOTHING")
        insert = f"INSERT INTO {tables.full['rows']} AS t ({listed})"
        if len(rows) <= _AT_ONCE:
            refuse_nul(tables, rows)
            source = _unnested(tables.forms)
            self._run(f"{insert} SELECT * FROM {source}\n{resolve}", *_columns(rows, tables.forms))
            return
        like = f"SELECT {listed} FROM {tables.full['rows']}"
        self._run(f"CREATE TEMPORARY TABLE {_STAGED} ON COMMIT DROP AS {like} WITH NO DATA")
        self._statements.flush()
        with self._statements.held.connection.cursor().copy(
            f"COPY {_STAGED} FROM STDIN WITH (FORMAT binary)".encode()
        ) as copy:
            copy.write(BEGIN + to_binary(tables, "rows", list(zip(*rows, strict=True))) + END)
        self._run(f"{insert} SELECT * FROM {_STAGED}\n{resolve}")
        self._run(f"DROP TABLE {_STAGED}")

    def _put_events(self, some: dict[Key, Any]) -> None:
        tables = self._tables
        width = len(tables.table.keys)
        if width:
            delete = f"DELETE FROM {tables.full['events']} AS t USING {given_keys(tables)} WHERE "
            self._run(delete + same_key(tables, "t", "q"), *_columns(list(some), tables.key_forms))
        else:
            self._run(f"DELETE FROM {tables.full['events']}")
        rows = [(*key, number, *block) for key, blocks in some.items() for number, block in enumerate(blocks)]
        forms, listed = copied_forms(tables, "events"), ", ".join(copied_columns(tables, "events"))
        for start in range(0, len(rows), _MANY):
            bound = _columns(rows[start : start + _MANY], forms)
            self._run(f"INSERT INTO {tables.full['events']} ({listed}) SELECT * FROM {_unnested(forms)}", *bound)

    def _put_bytes(self, part: Part, some: dict[Key, Any], body: str) -> None:
        tables = self._tables
        forms, listed = copied_forms(tables, part), ", ".join(copied_columns(tables, part))
        self._run(
            f"INSERT INTO {tables.full[part]} AS t ({listed}) SELECT * FROM {_unnested(forms)}\n"
            f'ON CONFLICT ({", ".join(tables.keys)}) DO UPDATE SET "_body" = {body}',
            *_columns([(*key, value) for key, value in some.items()], forms),
        )

    def _run(self, query: str, *bound: bytes) -> None:
        self._statements.later(query, *bound)


def _unnested(forms: Sequence[Form]) -> str:
    """The table of rows that are bound as an array for each column."""
    return f"unnest({', '.join(f'${place}::{form}[]' for place, form in enumerate(forms, start=1))}) AS q"


def _columns(rows: Sequence[Sequence[Any]], forms: Sequence[Form]) -> list[bytes]:
    """The rows by columns, as they are bound."""
    return [spell_array(cells, form) for cells, form in zip(zip(*rows, strict=True), forms, strict=True)]
