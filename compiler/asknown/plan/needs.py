"""Lists what a request must bring: the keys of its views, and the inputs of its on-demand views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asknown.model.nodes import FeatureView, InputColumn, KeyColumn, Origin
from asknown.plan.build import needed_features
from asknown.plan.request import RequestedFeature
from asknown.types import Column


@dataclass(frozen=True)
class Needs:
    """The columns that a caller sends beside the instant, each once, under the names that a spine or a request has."""

    keys: tuple[Column, ...]
    inputs: tuple[Column, ...]


def find_needs(requested: Sequence[RequestedFeature]) -> Needs:
    """The keys and inputs of the requested features."""
    keys: dict[str, Column] = {}
    inputs: dict[str, Column] = {}
    for item in (*requested, *needed_features(requested)):
        renamed = dict(item.keys)
        if isinstance(item.view, FeatureView):
            looked_up = {key for key, _ in item.by}
            columns: list[tuple[Column, Origin]] = [(k, KeyColumn()) for k in item.view.keys if k.name not in looked_up]
        else:
            read = [item.view.column(name) for name in item.view.read_by(item.column.name)]
            columns = [(column.column, column.origin) for column in read]
        for column, origin in columns:
            match origin:
                case KeyColumn():
                    name = renamed.get(column.name, column.name)
                    keys.setdefault(name.casefold(), Column(name, column.type))
                case InputColumn():
                    inputs.setdefault(column.name.casefold(), column)
    return Needs(tuple(keys.values()), tuple(inputs.values()))
