"""Reads that are looked up: by inputs of a request, and by values that reads before them gave (rule 12).

The standard library only: the reader imports this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asknown.online.request import Read, Request

Given = Mapping[str, Sequence[Any]]


def rounds(request: Request) -> list[list[int]]:
    """The places of a request's reads, by rounds: each read in a round after those that it is looked up by."""
    depths: list[int] = []
    for read in request.reads:
        before = [depths[request.fetched[place].read] for _, place in read.by]
        depths.append(1 + max(before) if before else 0)
    return [[place for place, of in enumerate(depths) if of == depth] for depth in range(max(depths, default=0) + 1)]


def keyed(read: Read, columns: Given, values: Sequence[Sequence[Any]]) -> Given:
    """The request's columns, with the ``values`` of fetched features that the keys of a read are."""
    return {**columns, **{name: values[place] for name, place in read.by}} if read.by else columns


def without_missing(read: Read, columns: Given, values: list[Any]) -> list[Any]:
    """The values of a read, None where a key that is looked up is NULL: also a count, which is 0 for an unseen key."""
    if not read.is_looked_up:
        return values
    names = [*(name for name, _ in read.by), *read.inputs]
    missing = [None in keys for keys in zip(*(columns[name] for name in names), strict=True)]
    return [None if gone else value for value, gone in zip(values, missing, strict=True)]
