"""Rules on what a view gives: columns that are written later, stars, and columns that nobody can place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

from asknown.lint.known import feature_names, item_of, stored_below
from asknown.lint.nodes import Found, Subject

_LATER = re.compile(r"^(?:dbt_valid_to|valid_to|valid_until|end_date|__end_at|effective_to|expired_at)$")


def reads_later_columns(subject: Subject) -> Iterator[Found]:
    """Features from columns that are filled in when the next row comes."""
    if not subject.is_view:
        return
    for name in feature_names(subject):
        later = [column for _, column in stored_below(subject, name) if _LATER.match(column)]
        if later:
            yield Found(
                f"'{name}' of '{subject.view.name}' reads {later[0]}, which is written when the next row comes",
                subject.places.near(item_of(subject.view, name)),
                "leave it out and name the other columns: a row is valid until the next one, by the as-of rule",
            )


def gives_all_columns(subject: Subject) -> Iterator[Found]:
    """A star among the items of a view: a new column of the source becomes a feature, and breaks ties."""
    if not subject.is_view:
        return
    for item in subject.view.tree.selects:
        if item.is_star and item.find(exp.Columns) is None:
            yield Found(
                f"'{subject.view.name}' gives all columns: each new column of what it reads becomes a feature",
                subject.places.star(item),
                "name the columns",
            )
