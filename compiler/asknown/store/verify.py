"""Compares online reads with the training query at the same keys and instant (rule 9), and classifies differences."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from asknown.checks.compare import same_value
from asknown.checks.verify import Example, FeatureVerification, Outcome, Verification, merged
from asknown.emit.altered import KnownBy, compile_keys
from asknown.emit.compile import compile_training
from asknown.emit.identifiers import Names
from asknown.emit.statement import write
from asknown.errors import AsknownError, did_you_mean
from asknown.model.nodes import FeatureView
from asknown.online.nodes import StoredView
from asknown.online.reader import OnlineReader
from asknown.plan.build import needed_features
from asknown.plan.statuses import SUFFIX
from asknown.store.altered import ctes_of_altered_views, load_times
from asknown.store.training import Planned, plan_request, requested_features
from asknown.store.typed_catalog import TypedCatalog

_INEXACT = 1e-12  # rule 9: how near aggregates without one exact value agree
_ROWS = 10_000  # keys read and trained at a time

_Answer = tuple[Any, str]
"""A value and its status."""


def verify_keys(
    catalog: TypedCatalog,
    reader: OnlineReader,
    features: str | Sequence[str],
    *,
    keys: int,
    at: datetime,
    seed: int,
    on_step: Callable[[str], None] | None = None,
) -> Verification:
    """The comparison of ``features`` at ``at`` (naive, in UTC) for up to ``keys`` random keys of each view."""
    asked = _asked(catalog, features)
    stored = reader.views()
    tell = on_step or (lambda _: None)
    found: list[FeatureVerification] = []
    for name, wanted in asked.items():
        if name not in stored:
            raise AsknownError(
                "unknown-view",
                f"the online table has no view '{name}'",
                hint=f"load it: asknown materialize {name}; {did_you_mean(name, stored, what='views in the table')}",
            )
        tell(f"{name}: the keys")
        view = catalog.view(name)
        chosen = _choose(view, reader.keys(name), _keys_of(catalog, view), keys, seed)
        for start in range(0, len(chosen), _ROWS):
            tell(f"{name}: {start + 1:,} to {min(start + _ROWS, len(chosen)):,} of {len(chosen):,} keys")
            part = _Part(catalog, view, stored[name], chosen[start : start + _ROWS], at)
            found += [feature for feature in part.compare(reader) if feature.feature in wanted]
        if not chosen:
            found += [FeatureVerification(name, feature.name) for feature in view.features if feature.name in wanted]
    return Verification(tuple(merged(found)), at, {name: stored[name].watermark for name in asked})


def _asked(catalog: TypedCatalog, features: str | Sequence[str]) -> dict[str, set[str]]:
    """The features to compare, by view; those that on-demand features read in place of these."""
    found: dict[str, set[str]] = {}
    requested = requested_features(catalog, features)
    for item in [*requested, *needed_features(requested)]:
        if isinstance(item.view, FeatureView) and item.view.feature(item.column.name) is not None:
            found.setdefault(item.view.name, set()).add(item.column.name)
    return found


def _choose(
    view: FeatureView, online: Iterable[tuple[Any, ...]], offline: Iterable[tuple[Any, ...]], count: int, seed: int
) -> list[tuple[Any, ...]]:
    """Random keys: half of them from the online table, half from the sources, each once."""
    if not view.keys:
        return [()]
    draw = random.Random(seed)
    chosen = dict.fromkeys(_reservoir(online, count - count // 2, draw))
    for key in _reservoir(offline, count, draw):
        if len(chosen) >= count:
            break
        chosen.setdefault(key, None)
    return list(chosen)


def _reservoir(keys: Iterable[tuple[Any, ...]], count: int, draw: random.Random) -> list[tuple[Any, ...]]:
    """``count`` of the keys, each as likely as any other."""
    kept: list[tuple[Any, ...]] = []
    for place, key in enumerate(keys):
        if place < count:
            kept.append(key)
        elif (chosen := draw.randrange(place + 1)) < count:
            kept[chosen] = key
    return kept


def _keys_of(catalog: TypedCatalog, view: FeatureView) -> Iterator[tuple[Any, ...]]:
    if not view.keys:
        return
    dialect = catalog.engine.dialect
    models = catalog.ctes_of_views([view])
    statement = compile_keys(view, models, catalog.reserved_names(), dialect)
    for batch in catalog.engine.stream(write(statement, dialect)):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


class _Part:
    """Some keys of one view, read online and trained at one instant."""

    def __init__(
        self, catalog: TypedCatalog, view: FeatureView, stored: StoredView, keys: list[tuple[Any, ...]], at: datetime
    ) -> None:
        self._catalog = catalog
        self._view = view
        self._stored = stored
        self._at = at
        names = [key.name for key in view.keys]
        self._rows = [dict(zip(names, key, strict=True)) for key in keys]
        instant = Names(names).fresh("event_timestamp")
        spine = [{**row, instant: at} for row in self._rows]
        self._planned: Planned = plan_request(
            catalog, spine, [view.name], full_names=True, timestamp=instant, statuses=True
        )
        self._loaded_at = load_times(catalog, view)
        lifted = view.lifted
        inexact = set() if lifted is None else {i for i, call in enumerate(lifted.calls) if not call.aggregate.exact}
        items = () if lifted is None else lifted.items
        self._near = {item.name: _INEXACT for item in items if inexact & set(item.windows)}

    def compare(self, reader: OnlineReader) -> list[FeatureVerification]:
        """The comparison of each feature."""
        response = reader.get_online_features([self._view.name], self._rows, at=self._at)
        values, statuses = response.to_dict(), response.statuses()
        today = self._train(None)
        online = {f.name: list(zip(values[f.name], statuses[f.name], strict=True)) for f in self._view.features}
        features = {name: FeatureVerification(self._view.name, name) for name in online}
        differing = [
            (place, name)
            for name, answers in online.items()
            for place, answer in enumerate(answers)
            if not self._agree(name, answer, today[name][place])
        ]
        outcomes = self._classify(differing, online, today) if differing else {}
        for name, answers in online.items():
            for place, answer in enumerate(answers):
                outcome = outcomes.get((place, name), "equal")
                features[name].add(Example(outcome, self._rows[place], answer, today[name][place]))
        return list(features.values())

    def _classify(
        self,
        differing: Sequence[tuple[int, str]],
        online: Mapping[str, Sequence[_Answer]],
        today: Mapping[str, Sequence[_Answer]],
    ) -> dict[tuple[int, str], Outcome]:
        """The outcome of each value that differs from training today."""
        if self._loaded_at is None:
            return dict.fromkeys(differing, "not replayable")
        watermark, clock = _naive(self._stored.watermark), _naive(self._stored.loaded_at)
        # A row that was loaded between the watermark and the clock of the load may or may not be in it.
        seen = [self._train(KnownBy(moment)) for moment in dict.fromkeys((watermark, clock))]
        there = self._train(KnownBy(self._at))
        outcomes: dict[tuple[int, str], Outcome] = {}
        for place, name in differing:
            answer = online[name][place]
            if not any(self._agree(name, answer, answers[name][place]) for answers in seen):
                outcomes[place, name] = "bug"
            elif not self._agree(name, answer, there[name][place]):
                outcomes[place, name] = "lag"
            else:
                outcomes[place, name] = "late"
        return outcomes

    def _train(self, alteration: KnownBy | None) -> dict[str, list[_Answer]]:
        """The answers of the training query by feature, over the sources as they are or as they were."""
        catalog, dialect = self._catalog, self._catalog.engine.dialect
        if alteration is None:
            models = catalog.ctes_of_views(self._planned.views)
        else:
            models = ctes_of_altered_views(catalog, self._planned.views, alteration, loaded_at=self._loaded_at)
        statement = compile_training(self._planned.plan, models, catalog.reserved_names(), dialect)
        table = catalog.engine.stream(write(statement, dialect)).read_all()
        answers = {}
        for item in self._planned.requested:
            columns = (table.column(item.output).to_pylist(), table.column(item.output + SUFFIX).to_pylist())
            answers[item.column.name] = list(zip(*columns, strict=True))
        return answers

    def _agree(self, feature: str, one: _Answer, other: _Answer) -> bool:
        return one[1] == other[1] and same_value(one[0], other[0], near=self._near.get(feature, 0.0))


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
