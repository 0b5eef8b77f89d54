"""Writes a catalogue: one HTML file that opens from disk, and the same facts as JSON."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import fields
from html import escape
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from asknown.site.drawing import draw_lineage, make_graph
from asknown.site.nodes import HEADINGS, Feature, Link, Page, PageKind, Site


def write_html(site: Site) -> str:
    """The catalogue as one HTML document. It loads nothing, and every text in it is escaped."""
    environment = Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.filters["text"] = _text
    graph = make_graph(site.edges)
    known = {page.link for page in site.pages}
    by_kind: dict[PageKind, list[Page]] = {kind: [] for kind in HEADINGS}
    for page in site.pages:
        by_kind[page.link.kind].append(page)
    sizes = {page.link: len(page.features) for page in site.pages if page.features}
    script = _read("site.js")
    return environment.get_template("index.html").render(
        site=site,
        headings=HEADINGS,
        by_kind=by_kind,
        facets={name: values for name, values in _facets(site.pages) if values},
        link_to=lambda kind, name: Link(kind, name).anchor,
        exists=lambda link: Link(link.kind, link.name) in known,
        size=lambda page: sum(_features_in(link, sizes, whole=page.link.kind == "service") for link in page.contents),
        only_table=_only_table,
        is_told=_is_told,
        bare=lambda columns, table: [column.removeprefix(f"{table}.") for column in columns] if table else columns,
        draw=lambda page: draw_lineage(graph, page.link),
        style=_read("site.css"),
        script=script,
        script_hash=b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def write_json(site: Site) -> str:
    """The catalogue as one JSON document, for other programs: each page on a line."""
    rest = {field.name: getattr(site, field.name) for field in fields(site) if field.name not in ("pages", "edges")}
    parts = [f"{json.dumps(name)}: {_json(value)}" for name, value in rest.items()]
    parts += [f'"{name}": [\n{_lines(listed)}\n]' for name, listed in (("pages", site.pages), ("edges", site.edges))]
    return "{" + ",\n".join(parts) + "}\n"


def _lines(listed: Iterable[Any]) -> str:
    return ",\n".join(map(_json, listed))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_fields)


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _text(value: str) -> str:
    """A text as HTML, to stand between tags. In an attribute, quotes would have to be escaped too."""
    return escape(value, quote=False)


def _features_in(link: Link, sizes: Mapping[Link, int], *, whole: bool) -> int:
    """The features that a line of a service names: one, or all of the view's. (Other lists count their things.)"""
    return sizes.get(link, 1) if whole else 1


def _only_table(page: Page) -> str:
    """The table that all features of a page come from, as ``source.table``; an empty text if they have several."""
    origins = (*page.shared, *(origin for feature in page.features for origin in feature.origins))
    tables = {column.rpartition(".")[0] for origin in origins for column in origin.columns}
    return tables.pop() if len(tables) == 1 else ""


def _is_told(feature: Feature) -> bool:
    """Whether a feature's words name all columns that its values come from, and nothing but values is to be told."""
    words = set(re.findall(r"\w+", feature.words))
    columns = {column.rpartition(".")[2] for origin in feature.origins for column in origin.columns}
    return columns <= words and all(origin.role == "value" for origin in feature.origins) and not feature.uncertain


def _facets(pages: Iterable[Page]) -> list[tuple[str, list[str]]]:
    """The values to choose from in a search, by the name of the facet."""
    owners = {page.owner for page in pages if page.owner}
    tags = {tag for page in pages for tag in page.tags}
    entities = {entity for page in pages for entity in page.entities}
    return [("owner", sorted(owners)), ("tag", sorted(tags)), ("entity", sorted(entities))]


def _read(name: str) -> str:
    return (files("asknown.site") / "templates" / name).read_text(encoding="utf-8")
