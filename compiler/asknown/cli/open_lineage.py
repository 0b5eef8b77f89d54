"""Lineage as events of OpenLineage (https://openlineage.io): one for each view, with the lineage of its columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asknown import __version__

if TYPE_CHECKING:
    from asknown.catalog.lineage import Edge, Role
    from asknown.project.nodes import Project

_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent"
_FACET = "https://openlineage.io/spec/facets/1-2-0/ColumnLineageDatasetFacet.json"
_PRODUCER = f"https://pypi.org/project/asknown/{__version__}/"
# A role as (type, subtype) of a transformation.
_TRANSFORMATIONS: Mapping[Role, tuple[str, str]] = {
    "value": ("DIRECT", "TRANSFORMATION"),
    "filter": ("INDIRECT", "FILTER"),
    "join": ("INDIRECT", "JOIN"),
    "group": ("INDIRECT", "GROUP_BY"),
    "key": ("INDIRECT", "GROUP_BY"),
    "time": ("INDIRECT", "SORT"),
    "row": ("INDIRECT", "CONDITIONAL"),
}


def lineage_events(project: Project, edges: Iterable[tuple[str, Edge]]) -> Iterator[dict[str, Any]]:
    """An event for each view among ``edges``, which are pairs of ``view:feature`` and an edge.

    A view's namespace is ``asknown://PROJECT``. A source is called as the project says where it is: its path in the
    namespace ``file``, its identifier in one with the name of the target's engine.
    """
    views: dict[str, dict[str, dict[tuple[str, str], list[Edge]]]] = {}
    for reference, edge in edges:
        view, _, feature = reference.partition(":")
        fields = views.setdefault(view, {}).setdefault(feature, {})
        fields.setdefault((edge.table, edge.column), []).append(edge)
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for view, features in views.items():
        lineage = {
            feature: {
                "inputFields": [_input(project, table, column, found) for (table, column), found in fields.items()]
            }
            for feature, fields in features.items()
        }
        facets = {"columnLineage": {"_producer": _PRODUCER, "_schemaURL": _FACET, "fields": lineage}}
        dataset = {"namespace": f"asknown://{project.settings.name}", "name": view, "facets": facets}
        yield {"eventTime": at, "producer": _PRODUCER, "schemaURL": _SCHEMA, "dataset": dataset}


def _input(project: Project, table: str, column: str, edges: Iterable[Edge]) -> dict[str, Any]:
    namespace, name = _place(project, table)
    return {"namespace": namespace, "name": name, "field": column, "transformations": list(map(_transformation, edges))}


def _place(project: Project, table: str) -> tuple[str, str]:
    source = next((one for key, one in project.sources.items() if f"{key[0]}.{key[1]}" == table), None)
    if source is not None and source.path is not None:
        return "file", source.path
    name = table if source is None else source.identifier or source.name
    return project.profile.target.type, name


def _transformation(edge: Edge) -> dict[str, Any]:
    kind, subtype = _TRANSFORMATIONS[edge.role]
    words = f"{edge.role}, uncertain: {edge.reason}" if edge.reason else edge.role
    return {"type": kind, "subtype": subtype, "description": words, "masking": False}
