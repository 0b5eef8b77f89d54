"""The content that a read of the online table can have seen: the rows of a load, and the pushed rows beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, product

from asknown.emit.altered import SeenBy
from asknown.model.nodes import FeatureView
from asknown.store.altered import SourceKey, load_times, sources_of
from asknown.store.landed import Landed
from asknown.store.logged import SeenLoad
from asknown.store.past_definitions import PastDefinitions, fingerprint_online
from asknown.store.push_paths import paths_from
from asknown.store.training import needs_of
from asknown.store.typed_catalog import TypedCatalog
from asknown.types import SqlType

_MOST_CANDIDATES = 64  # combinations of what was seen of several sources

Seen = Mapping[SourceKey, SeenBy]


@dataclass(frozen=True)
class Sightings:
    """The rows of each source that reads can have seen: by load, its watermark, its clock, and whether it had pushes.

    ``replayable``: the sources tell which rows these are, and the definitions are those of the project. ``sure``: all
    that was read is of one load. ``declared``: the sources themselves say when their rows were loaded.
    """

    sources: tuple[tuple[SourceKey, tuple[tuple[datetime, datetime, bool], ...]], ...]
    replayable: bool
    sure: bool
    declared: bool


def candidates(sightings: Sightings, landed: Landed, seq: int | None, latest: datetime) -> Iterator[Seen]:
    """The rows that reads may have seen, the likeliest first. ``latest`` is the instant of the last of these reads.

    Of pushes that a view follows they are all, or those up to ``seq``. A row that was loaded between the watermark and
    the clock of a load may or may not be in it.
    """
    options: dict[SourceKey, list[SeenBy]] = {}
    for key, loads in sightings.sources:
        for watermark, clock, follows in loads:
            pushed = [seq] if follows else landed.of_load(key, watermark, clock)
            options.setdefault(key, []).extend(SeenBy(at, last) for last in pushed for at in (watermark, clock))
    for chosen in islice(product(*(dict.fromkeys(some) for some in options.values())), _MOST_CANDIDATES):
        yield dict(zip(options, chosen, strict=True))
    if not sightings.declared:  # a time in the row alone says when it came, and may lie ahead of that
        yield {key: SeenBy(latest, seq) for key in options}


@dataclass(frozen=True)
class ViewFacts:
    """How a view's rows can be told: ``loaded_at`` by source (None: nothing says it), its ``fingerprint`` online.

    ``follows``: pushes change it at once. ``declared``: its sources say themselves when their rows were loaded.
    """

    loaded_at: Mapping[SourceKey, str] | None
    fingerprint: str | None
    follows: bool
    declared: bool


class ReplayFacts:
    """The facts about the project that all parts of a log are replayed by, each found once."""

    def __init__(self, catalog: TypedCatalog) -> None:
        self.catalog = catalog
        self.landed = Landed(catalog)
        self.past = PastDefinitions(catalog)
        self._views: dict[str, ViewFacts] = {}
        self._others: dict[int, ReplayFacts] = {}

    def beside(self, catalog: TypedCatalog) -> ReplayFacts:
        """The facts about other definitions of the same project; each catalog's are found once."""
        return self._others.setdefault(id(catalog), ReplayFacts(catalog))

    def kinds(self, references: tuple[str, ...]) -> dict[str, SqlType]:
        """The types of the keys and inputs that some references need."""
        needs = needs_of(self.catalog, list(references))
        return {column.name: column.type for column in (*needs.keys, *needs.inputs)}

    def of(self, view: FeatureView) -> ViewFacts:
        """The facts about one view."""
        if view.name not in self._views:
            catalog = self.catalog
            keys = sources_of(catalog.models.closure([view.name]))
            tables = [catalog.project.sources[key] for key in keys]
            paths = list(paths_from(catalog, view))
            self._views[view.name] = ViewFacts(
                load_times(catalog, view),
                fingerprint_online(catalog, view),
                bool(paths) and all(path.why_not is None for path in paths),
                all(table.static or table.push is not None or table.loaded_at_field is not None for table in tables),
            )
        return self._views[view.name]

    def sightings(self, views: Sequence[FeatureView], loads: Mapping[str, SeenLoad]) -> Sightings:
        """The rows that reads of some views, from these loads, can have seen."""
        pairs = [(self.of(view), loads.get(view.name)) for view in views]
        told = all(fact.loaded_at is not None and load is not None for fact, load in pairs)
        current = all(load is None or load.fingerprint in (None, fact.fingerprint) for fact, load in pairs)
        sources: dict[SourceKey, list[tuple[datetime, datetime, bool]]] = {}
        for fact, load in pairs:
            if load is None:
                continue
            for key in fact.loaded_at or ():
                clock = max(other.loaded_at for other in loads.values() if other.load_id == load.load_id)
                sources.setdefault(key, []).append((load.watermark, clock, fact.follows))
        return Sightings(
            tuple((key, tuple(dict.fromkeys(seen))) for key, seen in sorted(sources.items())),
            replayable=told and current,
            # Of features that two loads gave, one source may have been seen in two states, which no query tells.
            sure=told and current and len({load.load_id for _, load in pairs if load is not None}) <= 1,
            declared=all(fact.declared for fact, _ in pairs),
        )
