"""The documents of a remote store: whose it is, what it holds, and the last push.

| name             | version                             | body                                           |
|------------------|-------------------------------------|------------------------------------------------|
| owner            | 1                                   | project and target                             |
| layout           | the layout's number                 |                                                |
| view:<name>      | the id of its last load             | its definition and its facts, its generation   |
| pushes:<name>    | the arrival of its last pushed row  | what pushes made of the view                   |
| commit           | the number of the last pushed row   | number and arrival                             |
| service:<name>   | a hash of the body                  | the feature service                            |
| on_demand:<name> | a hash of the body                  | the on-demand view                             |
| landing:<source> | 1                                   | the range of rows that is being landed         |
| offsets:<topic>  | 1                                   | the next offset of each partition              |

The standard library only: the reader imports this.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError
from asknown.online.metadata import (
    dump,
    on_demand_row,
    push_row,
    read_on_demand,
    read_service,
    read_view,
    service_row,
    view_row,
    with_pushes,
)
from asknown.online.nodes import OnlineOnDemand, OnlineService, OnlineView, Owner, StoredView
from asknown.online.pushes import Stamp
from asknown.online.remote.store import Document, Table

LAYOUT = "1"
OWNER, LAYOUT_NAME, COMMIT = "owner", "layout", "commit"
VIEW, PUSHES, SERVICE, ON_DEMAND = "view:", "pushes:", "service:", "on_demand:"
LANDING, OFFSETS = "landing:", "offsets:"


@dataclass(frozen=True)
class Placed:
    """A view in the store, and the generation that holds its rows."""

    stored: StoredView
    table: Table


@dataclass(frozen=True)
class State:
    """The content of the documents. ``broken`` has the views whose document cannot be read, with the reason."""

    views: Mapping[str, Placed]
    broken: Mapping[str, str]
    services: Mapping[str, OnlineService]
    on_demand: Mapping[str, OnlineOnDemand]
    versions: Mapping[str, str]

    def stored(self) -> dict[str, StoredView]:
        """The views by name."""
        return {name: placed.stored for name, placed in self.views.items()}


def read_state(documents: Mapping[str, Document], address: StoreAddress, owner: Owner | None) -> State:
    """The content of the documents. Errors: ``online-layout``, ``online-owner``, ``online-corrupt``."""
    check_layout(documents, address)
    if owner is not None:
        check_owner(documents, address, owner)
    views: dict[str, Placed] = {}
    broken: dict[str, str] = {}
    for name, document in _of(documents, VIEW):
        try:
            views[name] = _read_placed(document, documents.get(f"{PUSHES}{name}"))
        except (ValueError, TypeError, KeyError) as error:
            broken[name] = f"cannot be read: {error!r}"
    try:
        services = {name: read_service(json.loads(d.body)) for name, d in _of(documents, SERVICE)}
        on_demand = {name: read_on_demand(json.loads(d.body)) for name, d in _of(documents, ON_DEMAND)}
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(address, f"what it says of services and on-demand views cannot be read: {error!r}") from error
    versions = {name: document.version for name, document in documents.items() if not _is_pushed(name)}
    return State(views, broken, services, on_demand, versions)


def _of(documents: Mapping[str, Document], kind: str) -> Iterator[tuple[str, Document]]:
    for name, document in documents.items():
        if name.startswith(kind):
            yield name.removeprefix(kind), document


def _is_pushed(name: str) -> bool:
    return name == COMMIT or name.startswith((PUSHES, LANDING, OFFSETS))


def _read_placed(document: Document, pushes: Document | None) -> Placed:
    placed = _read_loaded(document.body)
    if pushes is None:
        return placed
    return Placed(with_pushes(placed.stored, json.loads(pushes.body)), placed.table)


@lru_cache(maxsize=256)  # each push reads all views, and only loads change what is read here
def _read_loaded(body: str) -> Placed:
    """A view as its last load left it."""
    row = json.loads(body)
    stored = read_view(row)
    return Placed(stored, table_of(stored.view, row["generation"]))


def table_of(view: OnlineView, generation: str) -> Table:
    """A generation of a view's rows."""
    event_time = [column.name for column in view.columns].index(view.event_time)
    return Table(view.name, generation, view.keys, view.columns, event_time, view.ttl)


def view_documents(placed: Placed) -> dict[str, Document | None]:
    """The documents of a view."""
    stored = placed.stored
    body = dump({**view_row(stored), "generation": placed.table.generation})
    return {f"{VIEW}{stored.view.name}": Document(stored.load_id, body), f"{PUSHES}{stored.view.name}": pushed(stored)}


def pushed(stored: StoredView) -> Document | None:
    """The document of what pushes made of a view; None for a view that only loads update."""
    return None if stored.pushes is None else Document(str(stored.pushes.at), dump(push_row(stored)))


def service_document(service: OnlineService) -> Document:
    """The document of a feature service."""
    return _hashed(dump(service_row(service)))


def on_demand_document(view: OnlineOnDemand) -> Document:
    """The document of an on-demand view."""
    return _hashed(dump(on_demand_row(view)))


def _hashed(body: str) -> Document:
    return Document(blake2b(body.encode(), digest_size=8).hexdigest(), body)


def read_commit(documents: Mapping[str, Document]) -> Stamp:
    """The number and arrival of the last pushed row; zeros where there is none."""
    document = documents.get(COMMIT)
    if document is None:
        return Stamp(0, 0)
    seq, at = document.body.split()
    return Stamp(int(seq), int(at))


def commit_document(last: Stamp) -> Document:
    """The document of the last pushed row."""
    return Document(str(last.seq), f"{last.seq} {last.at}")


# -- whose it is -------------------------------------------------------------------------------------------------------


def read_owner(documents: Mapping[str, Document]) -> Owner | None:
    """The project and the target that the store is stamped with."""
    document = documents.get(OWNER)
    if document is None:
        return None
    said = json.loads(document.body)
    return Owner(said["project"], said["target"])


def owner_document(owner: Owner) -> Document:
    """The stamp of a project and a target."""
    return Document("1", dump({"project": owner.project, "target": owner.target}))


def layout_document() -> Document:
    """The document that names this version's layout."""
    return Document(LAYOUT, "")


def check_owner(documents: Mapping[str, Document], address: StoreAddress, owner: Owner) -> None:
    """Raises ``online-owner`` if the store is stamped with another project or target."""
    found = read_owner(documents)
    if found in (None, owner):
        return
    raise AsknownError(
        "online-owner",
        f"the {address} belongs to {found}, and this is {owner}",
        hint=f"give '{owner.target}' a place of its own: under 'online' in profiles.yml {_space(address)}: …",
    )


def check_layout(documents: Mapping[str, Document], address: StoreAddress) -> None:
    """Raises ``online-layout`` if another version of asknown wrote the store in a way that this one cannot use."""
    document = documents.get(LAYOUT_NAME)
    if document is None or document.version == LAYOUT:
        return
    raise AsknownError(
        "online-layout",
        f"the {address} was written by another version of asknown (layout {document.version}; this version has layout "
        f"{LAYOUT})",
        hint="install the asknown that wrote it, or name another place under 'online' in profiles.yml: "
        f"{_space(address)}: …",
    )


def _space(address: StoreAddress) -> str:
    return "schema" if address.type == "postgres" else "prefix"


def absent(address: StoreAddress) -> AsknownError:
    """The error for a store that no load has written."""
    return AsknownError(
        "no-online", f"the {address} is empty: no load has finished", hint="load it: asknown materialize"
    )


def damaged(address: StoreAddress, why: str, hint: str | None = None) -> AsknownError:
    """The error for a store that does not hold what was written."""
    again = hint or "load it anew: asknown materialize --full-refresh"
    return AsknownError("online-corrupt", f"the {address} is damaged: {why}", hint=again)


def broken_view(address: StoreAddress, name: str, why: str) -> AsknownError:
    """The error for a view whose document cannot be used."""
    hint = f"load the view anew: asknown materialize {name} --full-refresh"
    return damaged(address, f"what it says of the view '{name}' {why}", hint)
