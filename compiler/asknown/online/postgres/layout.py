"""The tables of an online table in Postgres: their names, and how they are made.

A generation of a view has four: rows, events, rows ahead, pushed events. No user's name decides a column's: columns
have the user's names where Postgres can keep them apart, so that a person can read the tables, and numbers otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from asknown.errors import AsknownError
from asknown.online.postgres.codec import Form, form_of, literal, quote, storage
from asknown.online.remote.store import Part, Table
from asknown.types import Column

_LONGEST = 63  # bytes of a name; Postgres cuts off the others
_MOST_COLUMNS = 1600  # of a table
_OF_SYSTEM = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
_ONE = "_asknown_one"  # the key of a view without keys

SHARED = (
    'CREATE TABLE IF NOT EXISTS {s}._asknown_documents (name text COLLATE "C" PRIMARY KEY, version text NOT NULL, '
    "body text NOT NULL) WITH (fillfactor = 50)",
    'CREATE TABLE IF NOT EXISTS {s}._asknown_seen (source text COLLATE "C", id text COLLATE "C", at bigint NOT NULL, '
    "PRIMARY KEY (source, id))",
    "CREATE INDEX IF NOT EXISTS _asknown_seen_at ON {s}._asknown_seen (source, at)",
    'CREATE TABLE IF NOT EXISTS {s}._asknown_outbox (source text COLLATE "C", seq bigint, at bigint NOT NULL, '
    "body text NOT NULL, PRIMARY KEY (source, seq))",
    "CREATE TABLE IF NOT EXISTS {s}._asknown_retired (name text PRIMARY KEY, at timestamptz NOT NULL)",
)
"""The tables that every online table has: documents, ids and outbox of pushes, tables to be dropped later."""


@dataclass(frozen=True)
class Tables:
    """The tables of one generation, in ``schema``."""

    schema: str
    table: Table

    @cached_property
    def names(self) -> dict[Part, str]:
        """The quoted name of each part, without the schema."""
        return {part: quote(self._name(part)) for part in ("rows", "events", "ahead", "pushed")}

    def _name(self, part: Part) -> str:
        ending = f"__{self.table.generation}" + ("" if part == "rows" else f"__{part}")
        view = self.table.view.encode()[: _LONGEST - len(ending)].decode(errors="ignore")
        return view + ending

    @cached_property
    def full(self) -> dict[Part, str]:
        """The quoted name of each part, with the schema."""
        return {part: f"{quote(self.schema)}.{name}" for part, name in self.names.items()}

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The quoted columns of the rows."""
        return _columns(self.table.columns)

    @cached_property
    def forms(self) -> tuple[Form, ...]:
        return tuple(form_of(column.type) for column in self.table.columns)

    @cached_property
    def key_places(self) -> tuple[int, ...]:
        """The places of the keys among the columns."""
        names = [column.name for column in self.table.columns]
        return tuple(names.index(key.name) for key in self.table.keys)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The quoted columns of the primary key, called the same in every part."""
        return tuple(self.columns[place] for place in self.key_places) or (_ONE,)

    @cached_property
    def key_forms(self) -> tuple[Form, ...]:
        """The types of the primary key."""
        return tuple(self.forms[place] for place in self.key_places) or ("bigint",)

    def create(self) -> list[str]:
        """The statements that make the tables of the generation; that of the rows has no primary key yet."""
        if len(self.columns) > _MOST_COLUMNS:
            raise AsknownError(
                "online-write",
                f"the view '{self.table.view}' has {len(self.columns)} columns, and a Postgres table at most "
                f"{_MOST_COLUMNS}",
                hint="split the view in two, or set online=false in its config()",
            )
        rows = [
            f"{name} {storage(column.type)}{' NOT NULL' if place in self.key_places else ''}"
            for place, (name, column) in enumerate(zip(self.columns, self.table.columns, strict=True))
        ]
        if not self.key_places:
            rows.append(f"{_ONE} bigint NOT NULL DEFAULT 0")
        keys = [f"{name} {storage(key.type)} NOT NULL" for name, key in zip(self.keys, self.table.keys, strict=False)]
        keys = keys or [f"{_ONE} bigint NOT NULL DEFAULT 0"]
        listed = ", ".join(self.keys)
        parts = {
            "rows": rows,
            "events": [*keys, '"_number" integer NOT NULL', '"_start" bigint NOT NULL', '"_body" bytea NOT NULL'],
            "ahead": [*keys, '"_body" bytea NOT NULL', f"PRIMARY KEY ({listed})"],
            "pushed": [*keys, '"_body" bytea NOT NULL', f"PRIMARY KEY ({listed})"],
        }
        made = [f"CREATE TABLE {self.full[part]} ({', '.join(body)})" for part, body in parts.items()]  # type: ignore[index]
        return [*made, *(f'ALTER TABLE {name} ALTER COLUMN "_body" SET STORAGE EXTERNAL' for name in self._packed)]

    @property
    def _packed(self) -> list[str]:
        return [self.full[part] for part in ("events", "ahead", "pushed")]

    def add_key(self, part: Part) -> str:
        """The statement that makes the primary key of the rows or events, which are filled before they have one."""
        number = ', "_start", "_number"' if part == "events" else ""
        return f"ALTER TABLE {self.full[part]} ADD PRIMARY KEY ({', '.join(self.keys)}{number})"

    def note_retired(self) -> str:
        """The statement that notes the generation's tables, to be dropped ten minutes after."""
        values = ", ".join(f"({literal(name)}, now())" for name in self.names.values())
        return f"INSERT INTO {quote(self.schema)}._asknown_retired VALUES {values} ON CONFLICT DO NOTHING"


def _columns(columns: tuple[Column, ...]) -> tuple[str, ...]:
    """The quoted names of columns; by number where Postgres would not keep the user's names."""
    names = [column.name for column in columns]
    kept = all(name and len(name.encode()) <= _LONGEST and name.lower() not in _OF_SYSTEM for name in names)
    kept = kept and not any(name.startswith("_") and name in ("_number", "_start", "_body", _ONE) for name in names)
    kept = kept and not any("\0" in name for name in names)
    return tuple(quote(name if kept else f"c{place}") for place, name in enumerate(names))
