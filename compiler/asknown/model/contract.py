"""Checks a model against its contract: the columns, their types, and that some are never NULL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from asknown.errors import AsknownError, did_you_mean
from asknown.model.nodes import FeatureView, View
from asknown.project.nodes import ColumnDoc, ModelDoc
from asknown.types import Column, SqlType, parse_type


def check_view(view: View, doc: ModelDoc) -> None:
    """Raises ``contract`` unless the view is what its contract says: these features, of these types.

    Keys and times may be listed. ``not_null`` cannot hold for a window that gives NULL over no rows.
    """
    if not doc.terms.contract:
        return
    times = view.times if isinstance(view, FeatureView) else ()
    _check(doc, view.features, [*view.keys, *times, *view.features])
    for column in doc.columns:
        item = view.item(column.name) if isinstance(view, FeatureView) and column.not_null else None
        if item is not None and isinstance(view, FeatureView) and view.lifted is not None:
            calls = [view.lifted.calls[place] for place in item.windows]
            if any(call.aggregate.empty is None for call in calls):
                raise AsknownError(
                    "contract",
                    f"feature '{column.name}' of '{doc.name}' is not_null, and its window gives NULL over no rows",
                    at=column.at,
                    hint="take the constraint out, or count: count(*) and count_if(…) give 0",
                )


def check_model(columns: Sequence[Column], doc: ModelDoc) -> None:
    """Raises ``contract`` unless a plain model has the columns of its contract, in these types."""
    if doc.terms.contract:
        _check(doc, columns, columns)


def _check(doc: ModelDoc, promised: Sequence[Column], columns: Sequence[Column]) -> None:
    """``promised`` are the columns that the contract must list, ``columns`` those that it may."""
    listed = {column.name.casefold() for column in doc.columns}
    missing = next((column for column in promised if column.name.casefold() not in listed), None)
    if missing is not None:
        raise AsknownError(
            "contract",
            f"the contract of '{doc.name}' does not list the column '{missing.name}'",
            at=doc.at,
            hint=f"add it to columns: - {{name: {missing.name}, data_type: {missing.type.name.lower()}}}",
        )
    known = {column.name.casefold() for column in columns}
    for column in doc.columns:
        if column.name.casefold() not in known:
            raise AsknownError(
                "contract",
                f"the contract of '{doc.name}' lists a column '{column.name}', which the model does not have",
                at=column.at,
                hint=did_you_mean(column.name, [one.name for one in columns], what="its columns"),
            )
        if column.data_type is None:
            raise AsknownError(
                "contract",
                f"the contract of '{doc.name}' has no data_type for '{column.name}'",
                at=column.at,
                hint="add data_type: …, or take the contract out",
            )
    for column, said, is_ in other_types(doc, columns):
        raise AsknownError(
            "contract",
            f"the contract of '{doc.name}' says that '{column.name}' is {said}, and it is {is_}",
            at=column.at,
            hint=f"cast it in the model, or write data_type: {is_.name.lower()}",
        )


def other_types(doc: ModelDoc, columns: Sequence[Column]) -> Iterator[tuple[ColumnDoc, SqlType, SqlType]]:
    """The described columns that have another type than ``data_type`` says: (description, said, found)."""
    types = {column.name.casefold(): column.type for column in columns}
    for column in doc.columns:
        found = types.get(column.name.casefold())
        if found is not None and column.data_type is not None:
            said = parse_type(column.data_type)
            if said != found:
                yield column, said, found


def never_null(view: FeatureView, doc: ModelDoc | None) -> tuple[str, ...]:
    """The columns of the view's rows that the contract says are never NULL."""
    if doc is None or not doc.terms.contract:
        return ()
    rows = {column.name.casefold(): column.name for column in view.columns}
    promised = (column.name.casefold() for column in doc.columns if column.not_null)
    return tuple(rows[name] for name in promised if name in rows)
