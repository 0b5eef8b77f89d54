"""Reads that are looked up: by inputs of a request, and by values that reads before them gave (rule 12).

The standard library only: the reader imports this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asknown.online.request import Read, Request
from asknown.values.key_lists import MOST_KEYS, message_around, too_many

Given = Mapping[str, Sequence[Any]]


def rounds(request: Request) -> list[list[int]]:
    """The places of a request's reads, by rounds: each read in a round after those that it is looked up by."""
    depths: list[int] = []
    for read in request.reads:
        before = [depths[request.fetched[place].read] for _, place in read.by]
        depths.append(1 + max(before) if before else 0)
    return [[place for place, of in enumerate(depths) if of == depth] for depth in range(max(depths, default=0) + 1)]


@dataclass(frozen=True)
class Keyed:
    """The columns of a request by which one view is read, and the number of rows to read.

    Where the view is looked up by lists, there is a row for each element of each list: ``lengths`` are the numbers of
    elements, None for a list that is NULL.
    """

    columns: Given
    count: int
    lengths: Sequence[int | None] | None = None


def keyed(read: Read, columns: Given, values: Sequence[Sequence[Any]], count: int) -> Keyed:
    """The keys of a read: the request's columns, and ``values`` of fetched features where it is looked up.

    Raises ``lookup-too-many`` for a list of too many keys.
    """
    given = {**columns, **{name: values[place] for name, place in read.by}} if read.by else columns
    if read.each is None:
        return Keyed(given, count)
    if not count:  # a request of no rows may have no columns
        return Keyed(given, 0, [])
    name, as_list = read.each
    lists = [as_list(value) for value in given[name]]
    lengths = [None if values is None else len(values) for values in lists]
    most = max((length or 0 for length in lengths), default=0)
    if most > MOST_KEYS:
        before, after = message_around(read.stored.view.name)
        raise too_many(f"{before}{most}{after}")
    names = [column for column, _ in read.keys if column != name]
    flat = {
        column: [value for value, length in zip(given[column], lengths, strict=True) for _ in range(length or 0)]
        for column in names
    }
    flat[name] = [value for values in lists for value in values or ()]
    return Keyed(flat, len(flat[name]), lengths)


def as_asked(read: Read, by: Keyed, values: list[Any]) -> list[Any]:
    """The values of a read for each row of the request, as lists where it is looked up by lists.

    None stands where a key that is looked up is NULL: also for a count, which is 0 for an unseen key.
    """
    if not read.is_looked_up or not by.count:
        return values if by.lengths is None else [None if length is None else [] for length in by.lengths]
    names = [*(name for name, _ in read.by), *read.inputs]
    missing = [None in keys for keys in zip(*(by.columns[name] for name in names), strict=True)]
    found = [None if gone else value for value, gone in zip(values, missing, strict=True)]
    if by.lengths is None:
        return found
    each = iter(found)
    return [None if length is None else [next(each) for _ in range(length)] for length in by.lengths]
