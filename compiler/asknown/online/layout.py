"""The SQL of a view's table: how it is made, how newer rows are merged in, how rows are found again.

Every name a user chose is quoted, and qualified where SQLite would read an unknown quoted name as a string.
"""

from __future__ import annotations

from asknown.errors import AsknownError
from asknown.online.codec import orders_in_sqlite, storage
from asknown.online.nodes import Column, OnlineView

COMPARE = "asknown_compare"
"""The SQL function (place of the feature, value, value) that orders values SQLite itself orders otherwise."""

_STORED = "_asknown_stored"  # the table's alias while merging: a view may be called "excluded"


def quote(name: str) -> str:
    """The name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def check_name(view: str) -> None:
    """Refuses a view's name that SQLite, or the file's own tables, keep for themselves."""
    for prefix in ("sqlite_", "_asknown"):
        if view.lower().startswith(prefix):
            raise AsknownError(
                "bad-name",
                f"the view '{view}' cannot have an online table: names that start with '{prefix}' are taken",
                hint="rename the model's file, or set online=false in its config()",
            )


def create_statements(view: OnlineView) -> list[str]:
    """The statements that make the view's table: STRICT, with the view's own columns, one row per key."""
    columns = []
    rowid = len(view.keys) == 1 and view.keys[0].type.kind == "integer" and not view.keys[0].type.is_wide
    for column in view.columns:
        words = [quote(column.name), storage(column.type)]
        if column in view.keys:
            words.append("PRIMARY KEY" if rowid else "NOT NULL")
        elif column.name == view.event_time:
            words.append("NOT NULL")
        columns.append(" ".join(words))
    if rowid or not view.keys:
        options = "STRICT"
    else:
        columns.append(f"PRIMARY KEY ({_list(view.keys)})")
        options = "STRICT, WITHOUT ROWID"
    body = ",\n    ".join(columns)
    statements = [f"CREATE TABLE {quote(view.name)} (\n    {body}\n) {options}"]
    if not view.keys:  # a view without keys has one row at most: its table is unique on a constant
        statements.append(f"CREATE UNIQUE INDEX {quote(f'_asknown_one_{view.name}')} ON {quote(view.name)} ((1))")
    return statements


def upsert_statement(view: OnlineView, rows: int) -> str:
    """The statement that inserts rows, or puts each over its key's row where it is the newer one (rule 3's order)."""
    places = ", ".join([f"({', '.join('?' * len(view.columns))})"] * rows)
    insert = f"INSERT INTO {quote(view.name)} AS {_STORED} ({_list(view.columns)})\nVALUES {places}"
    others = [quote(c.name) for c in view.columns if c not in view.keys]
    if not others:
        return f"{insert}\nON CONFLICT DO NOTHING"
    assignments = ",\n    ".join(f"{name} = excluded.{name}" for name in others)
    return f"{insert}\nON CONFLICT DO UPDATE SET\n    {assignments}\nWHERE {_is_newer(view)}"


def range_statement(view: OnlineView) -> str:
    """The query for all columns of the rows from one key to another, both bound."""
    query = f"SELECT {_list(view.columns)} FROM {quote(view.name)}"
    if not view.keys:
        return query
    keys, places = _list(view.keys), ", ".join("?" * len(view.keys))
    return f"{query} WHERE ({keys}) >= ({places}) AND ({keys}) <= ({places})"


def select_statement(view: OnlineView, columns: tuple[str, ...], rows: int) -> str:
    """The query for ``rows`` keys: the key columns, then ``columns``, of each row that is there."""
    wanted = ", ".join(f"t.{quote(name)}" for name in (*(c.name for c in view.keys), *columns))
    table = f"{quote(view.name)} AS t"
    if not view.keys:
        return f"SELECT {wanted} FROM {table}"
    if rows == 1:
        match = " AND ".join(f"t.{quote(c.name)} = ?" for c in view.keys)
        return f"SELECT {wanted} FROM {table} WHERE {match}"
    names = ", ".join(f"k{i}" for i in range(len(view.keys)))
    values = ", ".join([f"({', '.join('?' * len(view.keys))})"] * rows)
    match = " AND ".join(f"t.{quote(c.name)} = k.k{i}" for i, c in enumerate(view.keys))
    # CROSS JOIN keeps the keys first. SQLite would scan the table for (a, b) IN (VALUES …).
    return (
        f"WITH _asknown_keys({names}) AS (VALUES {values})\n"
        f"SELECT {wanted} FROM _asknown_keys AS k CROSS JOIN {table} ON {match}"
    )


def _list(columns: tuple[Column, ...]) -> str:
    return ", ".join(quote(c.name) for c in columns)


def _is_newer(view: OnlineView) -> str:
    given, held = _times(view, "excluded"), _times(view, _STORED)
    later = f"({given}) > ({held})"
    if not view.kept:
        return later
    return f"{later}\n  OR (({given}) = ({held}) AND {_features_greater(view)})"


def _times(view: OnlineView, row: str) -> str:
    """The times in order of weight. Text order is time order, and '' stands for NULL, the lowest."""
    names = (f"{row}.{quote(name)}" for name in view.times)
    return ", ".join(name if place == 0 else f"ifnull({name}, '')" for place, name in enumerate(names))


def _features_greater(view: OnlineView) -> str:
    """Whether the given row is greater by its features: the first that differs decides, NULL lowest."""
    cases = []
    for place, feature in enumerate(view.kept):
        given, held = f"excluded.{quote(feature.name)}", f"{_STORED}.{quote(feature.name)}"
        if orders_in_sqlite(feature.type):
            greater, less = f"{given} > {held}", f"{given} < {held}"
        else:
            # Values stored alike are equal, but for a zero's sign, and need no call into Python.
            differ = f"({given} IS NOT {held}{f' OR {given} = 0' if feature.type.kind == 'float' else ''})"
            greater, less = (f"({differ} AND {COMPARE}({place}, {given}, {held}) {sign} 0)" for sign in "><")
        cases.append(f"WHEN ({held} IS NULL AND {given} IS NOT NULL) OR {greater} THEN 1")
        cases.append(f"WHEN ({given} IS NULL AND {held} IS NOT NULL) OR {less} THEN 0")
    return "CASE\n      " + "\n      ".join(cases) + "\n      ELSE 0 END"
