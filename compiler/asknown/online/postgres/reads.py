"""One statement for all that a request reads, with the facts that must hold: one round trip, and one state (rule 9).

The statement of a shape is built once. It gives no row where a fact does not hold. Else it gives one row for each key
of the longest get; the cells of the gets stand beside each other. Each key is found by its index, in a lateral join, so
that no plan scans a table, and rows come in the order of the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asknown.online.postgres.codec import Form, literal, quote, spell, spell_array
from asknown.online.postgres.layout import Tables
from asknown.online.remote.store import Found, Get, Got, Key
from asknown.types import SqlType

Shape = tuple[Any, ...]
"""All that a statement depends on."""

Columns = Sequence[tuple[Any, ...]]
Unpack = Callable[[Columns], Columns]

_FIRST = -(2**63)
_MOST_COLUMNS = 1_600  # of a result


@dataclass(frozen=True)
class Asked:
    """A request as the statement sees it: ``groups`` are the different lists of keys, ``of`` that of each get.

    ``one``: no get has more than one key, so that keys are bound as scalars.
    """

    groups: list[Sequence[Key]]
    of: tuple[int, ...]
    one: bool
    shape: Shape


def ask(facts: Mapping[str, str | None], tell: Sequence[str], gets: Sequence[Get]) -> Asked:
    """The request, with its shape."""
    groups: list[Sequence[Key]] = []
    types: list[list[SqlType]] = []
    of = []
    for get in gets:
        if not get.table.keys:
            of.append(-1)
            continue
        own = [column.type for column in get.table.keys]  # NULLs of two types are equal, and not one parameter
        same = (i for i, keys in enumerate(groups) if types[i] == own and (keys is get.keys or keys == get.keys))
        place = next(same, len(groups))
        if place == len(groups):
            groups.append(get.keys)
            types.append(own)
        of.append(place)
    one = all(len(keys) == 1 for keys in groups)
    parts = tuple(
        (
            get.table.view,
            get.table.generation,
            get.columns,
            None if get.events is None else bool(get.events.marks),
            get.ahead,
            get.pushed,
            place,
        )
        for get, place in zip(gets, of, strict=True)
    )
    return Asked(groups, tuple(of), one, (tuple(facts), tuple(tell), parts, one))


class ReadStatement:
    """The statement of one shape."""

    def __init__(
        self, schema: str, facts: Sequence[str], tell: Sequence[str], gets: Sequence[Get], asked: Asked
    ) -> None:
        self._one = asked.one
        self._documents = f"{quote(schema)}._asknown_documents"
        self._parameters = len(facts)
        wanted = [f"(SELECT version FROM {self._documents} WHERE name = {literal(name)})" for name in tell]
        self._told = len(tell)
        self._places: list[tuple[int, int]] = []
        self._forms: list[tuple[Form, ...]] = []
        self._scalars: dict[tuple[int, int], str] = {}
        joins = self._bind_keys(schema, gets, asked)
        if not asked.one:
            wanted.append("q.n")
        packed = len(wanted) + sum(len(get.columns) + 4 for get in gets) > _MOST_COLUMNS
        self._unpackers: list[Unpack | None] = []
        for number, (get, group) in enumerate(zip(gets, asked.of, strict=True)):
            begin = len(wanted)
            part = _Part(self, Tables(schema, get.table), number, group, get)
            self._unpackers.append(part.add(wanted, joins, packed=packed))
            self._places.append((begin, len(wanted)))
        conditions = [
            f"(SELECT version FROM {self._documents} WHERE name = {literal(name)}) IS NOT DISTINCT FROM ${place}::text"
            for place, name in enumerate(facts, start=1)
        ]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        self.text = "\n".join(
            [f"SELECT {', '.join(wanted) or '1'}", "FROM (VALUES (1)) AS one", *joins, where]
        ).encode()

    def _bind_keys(self, schema: str, gets: Sequence[Get], asked: Asked) -> list[str]:
        """Numbers the parameters of the keys: scalars, or arrays, of which this gives the join.

        The lists of keys stand side by side there. Shorter ones are filled up with NULL, which no row has.
        """
        arrays, names = [], []
        for group in range(len(asked.groups)):
            forms = Tables(schema, gets[asked.of.index(group)].table).key_forms
            self._forms.append(forms)
            for column, form in enumerate(forms):
                if asked.one:
                    self._scalars[group, column] = f"{self.parameter()}::{form}"
                else:
                    arrays.append(f"{self.parameter()}::{form}[]")
                    names.append(f"k{group}_{column}")
        if asked.one:
            return []
        return [f"LEFT JOIN unnest({', '.join(arrays)}) WITH ORDINALITY AS q({', '.join(names)}, n) ON true"]

    def parameter(self) -> str:
        """The next parameter."""
        self._parameters += 1
        return f"${self._parameters}"

    def key(self, group: int, column: int) -> str:
        """The value that a key's column must equal."""
        return self._scalars[group, column] if self._one else f"q.k{group}_{column}"

    def bind(self, facts: Mapping[str, str | None], gets: Sequence[Get], asked: Asked) -> list[bytes | None]:
        """The parameters, in the order in which they were numbered, as Postgres spells them."""
        bound = [None if version is None else version.encode() for version in facts.values()]
        for keys, forms in zip(asked.groups, self._forms, strict=True):
            if self._one:
                bound.extend(map(spell, keys[0], forms))
            else:
                columns = zip(*keys, strict=True) if keys else [()] * len(forms)
                bound.extend(map(spell_array, columns, forms))
        for get in gets:
            if get.events is None:
                continue
            if get.events.marks:
                bound.append(spell_array(get.events.marks, "bigint"))
            else:
                bound.extend((b"%d" % get.events.oldest, b"%d" % get.events.newest))
        return bound

    def unpack(self, rows: list[tuple[Any, ...]], gets: Sequence[Get]) -> Found:
        """The content of the rows."""
        told = rows[0][: self._told]
        columns = list(zip(*rows, strict=True))
        if not self._one and len(rows) > 1 and columns[self._told] != tuple(range(1, len(rows) + 1)):
            columns = list(zip(*sorted(rows, key=lambda row: row[self._told]), strict=True))
        got = []
        for get, (begin, end), unpack in zip(gets, self._places, self._unpackers, strict=True):
            own = columns[begin:end]
            got.append(_got(get, own if unpack is None else unpack(own)))
        return Found(told, got)


@dataclass(frozen=True)
class _Part:
    """The statement's answer to one get."""

    statement: ReadStatement
    tables: Tables
    number: int
    group: int
    get: Get

    def _same(self, alias: str) -> str:
        """The condition that a row of ``alias`` is of the key."""
        keys = zip(self.tables.keys, range(len(self.get.table.keys)), strict=False)
        return (
            " AND ".join(f"{alias}.{name} = {self.statement.key(self.group, place)}" for name, place in keys) or "true"
        )

    def add(self, wanted: list[str], joins: list[str], *, packed: bool) -> Unpack | None:
        """Adds the columns and the joins of the get. ``packed``: its columns as an array of each form.

        Gives the function that makes the columns of these again.
        """
        number = self.number
        unpack = None
        if self.get.columns:
            columns = [self.tables.columns[place] for place in self.get.columns]
            forms = [self.tables.forms[place] for place in self.get.columns]
            if packed:
                of = {form: [i for i, own in enumerate(forms) if own == form] for form in dict.fromkeys(forms)}
                for form, places in of.items():
                    wanted.append(f"ARRAY[{', '.join(f'r{number}.{columns[place]}' for place in places)}]::{form}[]")
                unpack = _unpacker(list(of.values()))
            else:
                wanted.extend(f"r{number}.{name}" for name in columns)
            source = f"{self.tables.full['rows']} AS t WHERE {self._same('t')}"
            query = f"SELECT {', '.join(dict.fromkeys(columns))} FROM {source} LIMIT 1"
            joins.append(f"LEFT JOIN LATERAL ({query}) AS r{number} ON true")
        if self.get.events is not None:
            wanted.extend((f"e{number}.starts", f"e{number}.bodies"))
            joins.append(self._events(bool(self.get.events.marks)))
        for part, there in (("ahead", self.get.ahead), ("pushed", self.get.pushed)):
            if there:
                source = self.tables.full[part]  # type: ignore[index]
                wanted.append(f'(SELECT t."_body" FROM {source} AS t WHERE {self._same("t")})')
        return unpack

    def _events(self, marks: bool) -> str:
        """The join of the key's blocks: the last that begins before each mark, or all from there to an end."""
        source, number = self.tables.full["events"], self.number
        before = f'SELECT m."_start" FROM {source} AS m WHERE {self._same("m")} AND m."_start" < {{}}'
        last = f'{before} ORDER BY m."_start" DESC LIMIT 1'
        if marks:
            at = self.statement.parameter()
            starts = f'SELECT l."_start" FROM unnest({at}::bigint[]) AS w(at), LATERAL ({last.format("w.at")}) AS l'
            wanted = f't."_start" = ANY (ARRAY({starts}))'
        else:
            oldest, newest = self.statement.parameter(), self.statement.parameter()
            first = f"coalesce(({last.format(oldest + '::bigint')}), {_FIRST})"
            wanted = f't."_start" BETWEEN {first} AND {newest}::bigint'
        order = 'ORDER BY t."_start", t."_number"'
        packed = f'array_agg(t."_start" {order}) AS starts, array_agg(t."_body" {order}) AS bodies'
        return (
            f"LEFT JOIN LATERAL (SELECT {packed} "
            f"FROM {source} AS t WHERE {self._same('t')} AND {wanted}) AS e{number} ON true"
        )


def _unpacker(places: list[list[int]]) -> Unpack:
    """The function from columns of arrays, of which each has the cells of some places, to all columns."""
    width = sum(map(len, places))

    def unpack(columns: Columns) -> Columns:
        made: list[tuple[Any, ...]] = [()] * width
        for arrays, own in zip(columns, places, strict=False):
            for place, cells in zip(own, zip(*arrays, strict=True), strict=True):
                made[place] = cells
        return [*made, *columns[len(places) :]]

    return unpack


def _got(get: Get, columns: Columns) -> Got:
    count = len(get.keys)
    if not get.table.keys:
        columns = [column[:1] * count for column in columns]
    elif columns and len(columns[0]) != count:
        columns = [column[:count] for column in columns]
    width = len(get.columns)
    events: list[Any] = []
    if get.events is not None:
        pairs = zip(columns[width], columns[width + 1], strict=True)
        events = [None if starts is None else tuple(zip(starts, bodies, strict=True)) for starts, bodies in pairs]
        width += 2
    others = iter(columns[width:])
    return Got(
        columns[: len(get.columns)],
        events,
        next(others) if get.ahead else (),
        next(others) if get.pushed else (),
    )
