"""Chooses models and sources by dbt's selectors: ``tag:daily``, ``+carrier_delays``, ``path:models/features``.

A selector is a method and a value, or a name, with plus signs for what is above and below: ``+name`` also takes all
that the model reads, ``name+`` all that reads it, ``1+name`` and ``name+1`` so many steps. Commas between selectors
mean that all must hold, separate arguments that one must.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase

from asknown.catalog.catalog import Catalog
from asknown.errors import AsknownError, did_you_mean

METHODS = ("tag", "path", "source", "entity", "owner", "config.materialized")
_SELECTOR = re.compile(r"(?:(?P<above>\d*)\+)?(?:(?P<method>[a-z_.]+):)?(?P<value>[^+,:\s]+)(?:\+(?P<below>\d*))?")


@dataclass(frozen=True)
class Selection:
    """The models that are chosen, by name, and the tables of sources."""

    models: frozenset[str]
    sources: frozenset[tuple[str, str]]

    def has(self, of: str | tuple[str, str]) -> bool:
        """Whether a model, by its name, or a table of a source is chosen."""
        return of in self.models if isinstance(of, str) else of in self.sources


def select(catalog: Catalog, chosen: Sequence[str], excluded: Sequence[str] = ()) -> Selection | None:
    """The selection, or None where nothing is chosen and nothing excluded. Models that do not render are in none.

    Raises ``bad-selector`` for a selector that cannot be read or selects nothing, and ``unknown-model``.
    """
    if not chosen and not excluded:
        return None
    graph = _Graph(catalog)
    nodes = {node for text in chosen for node in graph.select(text)} if chosen else set(graph.reads)
    nodes -= {node for text in excluded for node in graph.select(text)}
    models = frozenset(node for node in nodes if isinstance(node, str))
    return Selection(models, frozenset(node for node in nodes if not isinstance(node, str)))


_Node = str | tuple[str, str]


class _Graph:
    """Each model with the models that it reads, and that read it."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.reads: dict[_Node, set[_Node]] = {key: set() for key in catalog.project.sources}
        for name in catalog.names:
            with suppress(AsknownError):
                rendered = catalog.model(name).rendered
                self.reads[name] = {*rendered.refs, *rendered.sources, *_requested(catalog, name)}
        self._readers: dict[_Node, set[_Node]] = {node: set() for node in self.reads}
        for node, below in self.reads.items():
            for one in below & self.reads.keys():
                self._readers[one].add(node)

    def select(self, text: str) -> set[_Node]:
        """The nodes of one argument, whose parts between commas must all hold."""
        parts = [self._select_one(part, text) for part in text.split(",")]
        return set.intersection(*parts)

    def _select_one(self, part: str, text: str) -> set[_Node]:
        found = _SELECTOR.fullmatch(part)
        if found is None or (found["method"] is not None and found["method"] not in METHODS):
            raise AsknownError(
                "bad-selector",
                f"'{text}' is no selector",
                hint=f"a model's name, or one of {', '.join(f'{method}:…' for method in METHODS)}; "
                "with + before it for all that it reads, and after it for all that reads it",
            )
        nodes = self._matching(found["method"], found["value"])
        if not nodes:
            raise self._nothing(found["method"], found["value"], text)
        chosen = set(nodes)
        if found["above"] is not None:
            chosen |= _reach(nodes, self.reads, int(found["above"] or len(self.reads)))
        if found["below"] is not None:
            chosen |= _reach(nodes, self._readers, int(found["below"] or len(self.reads)))
        return chosen

    def _matching(self, method: str | None, value: str) -> set[_Node]:
        project = self._catalog.project
        if method == "source":
            return {key for key in project.sources if value in (key[0], ".".join(key), f"{key[0]}.*")}
        found: set[_Node] = set()
        for name in self._catalog.names:
            if name not in self.reads:
                continue
            config = self._catalog.model(name).rendered.config
            of: Mapping[str | None, Collection[str]] = {
                None: [name],
                "tag": config.tags,
                "entity": config.entity or (),
                "owner": [config.owner],
                "config.materialized": [config.materialized],
            }
            if method == "path":
                shown, folder = project.models[name].shown, value.rstrip("/")
                if shown == folder or shown.startswith(f"{folder}/") or fnmatchcase(shown, value):
                    found.add(name)
            elif any(fnmatchcase(one, value) for one in of[method]):
                found.add(name)
        return found

    def _nothing(self, method: str | None, value: str, text: str) -> AsknownError:
        if method is None:
            hint = did_you_mean(value, self._catalog.names, what="models")
            return AsknownError("unknown-model", f"there is no model '{value}'", hint=hint)
        return AsknownError("bad-selector", f"'{text}' selects nothing", hint="asknown ls shows what there is")


def _requested(catalog: Catalog, name: str) -> Iterable[str]:
    """The views that an on-demand view reads through request()."""
    call = catalog.model(name).rendered.request
    for reference in () if call is None else call.names:
        service = catalog.project.services.get(reference)
        if service is None:
            yield reference.partition(":")[0]
        else:
            yield from (line.view for line in service.features)


def _reach(nodes: Iterable[_Node], edges: Mapping[_Node, set[_Node]], steps: int) -> set[_Node]:
    """The nodes that are reached by so many steps along the edges."""
    reached: set[_Node] = set()
    border = set(nodes)
    for _ in range(steps):
        border = {below for node in border for below in edges.get(node, ())} - reached
        if not border:
            break
        reached |= border
    return reached & edges.keys()
