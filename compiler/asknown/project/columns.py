"""Models' and columns' descriptions, in the shape that dbt gives them."""

from __future__ import annotations

from asknown.project.names import Names
from asknown.project.nodes import ColumnDoc, ModelDoc
from asknown.project.reader import Reader
from asknown.project.values import Value

_MODEL = ("name", "description", "columns", "meta")
_COLUMN = ("name", "description", "data_type", "tests", "data_tests")


def read_model_doc(value: Value) -> ModelDoc:
    """What one item of ``models:`` says of a model. Its ``meta`` is accepted and not kept."""
    reader = Reader(value, "an entry of 'models'", _MODEL)
    name = reader.text("name", hint="name: …")
    reader.mapping("meta")
    return ModelDoc(
        name=name,
        description=reader.optional_text("description") or "",
        columns=read_columns(reader),
        at=reader.place("name"),
    )


def read_columns(owner: Reader) -> tuple[ColumnDoc, ...]:
    """What ``columns:`` says of the owner's columns. Their tests are accepted and not kept."""
    columns = []
    names = Names()
    for item in owner.items("columns"):
        reader = Reader(item, "a column", _COLUMN)
        name = reader.text("name", hint="name: …")
        names.give("column", name, reader.place("name"))
        reader.items("tests")
        reader.items("data_tests")
        columns.append(
            ColumnDoc(
                name=name,
                description=reader.optional_text("description") or "",
                data_type=reader.optional_text("data_type"),
                at=reader.place("name"),
            )
        )
    return tuple(columns)
