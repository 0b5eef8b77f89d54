"""The CTE that a view's rows are read from."""

from __future__ import annotations

from asknown.dialects.dialect import Dialect
from asknown.emit.identifiers import Names
from asknown.emit.statement import Cte
from asknown.emit.translate.rewrite import translate
from asknown.model.nodes import FeatureView
from asknown.model.parse import is_repeatable


class ViewRows:
    """The CTEs that views' rows are read from: the model's own, or for a view with windows its lifted select."""

    def __init__(self, names: Names, dialect: Dialect) -> None:
        self._names = names
        self._dialect = dialect
        self._made: dict[str, str] = {}

    def of(self, view: FeatureView) -> list[Cte]:
        """The CTE of the view's rows, where it is not there yet."""
        if view.lifted is None or view.name in self._made:
            return []
        self._made[view.name] = self._names.fresh(f"{view.name}__events")
        tree = view.lifted.tree
        body = tree if view.model.dialect == self._dialect.sqlglot else translate(view.model, tree, self._dialect)
        keep = None if is_repeatable(view.lifted.tree) else True
        return [Cte(self._made[view.name], body, keep=keep, comment=f"{view.name} without its windows")]

    def name(self, view: FeatureView) -> str:
        """The name of the CTE of the view's rows."""
        return self._made.get(view.name, view.name)
