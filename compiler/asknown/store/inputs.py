"""Checks the spine's inputs that convert only if each value allows it (rule 8)."""

from __future__ import annotations

from asknown.emit.inputs import compile_lossy
from asknown.emit.statement import write
from asknown.errors import AsknownError
from asknown.plan.inputs import conversion
from asknown.plan.nodes import Derived, Plan, SpineValue
from asknown.store.typed_catalog import TypedCatalog


def check_inputs(plan: Plan, catalog: TypedCatalog) -> None:
    """Raises ``request-input`` for an input with a value that its type cannot hold, and names the value."""
    checked = {
        value
        for step in plan.steps
        if isinstance(step, Derived)
        for value in step.inputs.values()
        if isinstance(value, SpineValue) and conversion(value.column.type, value.type) == "checked"
    }
    if not checked or plan.spine.bounds.rows == 0:
        return
    relation = plan.spine.relation
    models = catalog.ctes(relation.refs, sources=relation.sources)
    dialect = catalog.engine.dialect
    for value in sorted(checked, key=lambda value: value.column.name):
        if "try_cast" not in dialect.snippets:
            raise AsknownError(
                "request-input",
                f"the spine's '{value.column.name}' is {value.column.type}, the input is {value.type}, "
                f"and {dialect.name} cannot say which values would change",
                hint=f"cast the spine's column to {value.type}",
            )
        statement = compile_lossy(plan.spine, value, models, catalog.reserved_names(), dialect)
        for (example,) in catalog.engine.rows(write(statement, dialect)):
            raise AsknownError(
                "request-input",
                f"the input '{value.column.name}' is {value.type}, and the spine's {value.column.type} "
                f"{example} would be changed by it",
                hint=f"cast the spine's column to {value.type} in the way that you mean",
            )
