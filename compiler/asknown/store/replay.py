"""Compares the reads of a log with the training query, over the rows that each read could see (rule 9)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from asknown.checks.compare import same_value
from asknown.checks.verify import (
    Example,
    FeatureVerification,
    LogVerification,
    Outcome,
    ServedRead,
    merged,
)
from asknown.emit.altered import SeenBy
from asknown.emit.compile import compile_training
from asknown.emit.statement import Cte, write
from asknown.errors import AsknownError
from asknown.model.nodes import FeatureView
from asknown.online.log_values import from_json
from asknown.online.served_log import SERVED_AT
from asknown.plan.build import needed_features
from asknown.plan.request import RequestedFeature
from asknown.plan.statuses import SUFFIX
from asknown.store.altered import SourceKey, ctes_as_seen
from asknown.store.logged import LoggedReads, SeenLoad, Torn, read_reads
from asknown.store.sightings import ReplayFacts, Seen, Sightings, candidates
from asknown.store.training import Planned, plan_request
from asknown.store.typed_catalog import TypedCatalog

_INEXACT = 1e-12  # rule 9: how near aggregates without one exact value agree
_MOST_SPANS = 12  # of time, in which it is found when late rows came, for the reads of one part of a log

Answer = tuple[Any, str]
"""A value and its status."""
Place = tuple[int, str]
"""A row of a log, and an output."""


def verify_log(
    catalog: TypedCatalog,
    path: Path,
    *,
    since: datetime | None = None,
    service: str | None = None,
    on_step: Callable[[str], None] | None = None,
) -> LogVerification:
    """The comparison of the reads in a log, each with training at its own instant, over what it could see."""
    torn, hidden, rows, unknown, versions = Torn(), 0, 0, dict[str, None](), dict[str, None]()
    found: list[FeatureVerification] = []
    moments: list[datetime] = []
    ages: list[timedelta] = []
    facts = ReplayFacts(catalog)
    for reads in read_reads(path, facts.kinds, since=since, service=service, torn=torn):
        if reads.hidden:
            hidden += len(reads)
            continue
        if on_step is not None:
            on_step(f"{rows + 1:,} to {rows + len(reads):,}: {', '.join(reads.references)}")
        replay = _Replay(facts, reads)
        found += replay.compare()
        unknown.update(dict.fromkeys(replay.unknown))
        versions |= replay.versions
        ages += replay.ages
        rows += len(reads)
        moments += [min(reads.served_at), max(reads.served_at)]
    return LogVerification(
        tuple(merged(found)),
        rows,
        min(moments, default=None),
        max(moments, default=None),
        hidden,
        torn.lines,
        tuple(unknown),
        max(ages, default=None),
        tuple(versions),
    )


class _Replay:
    """One part of a log. ``unknown`` are logged outputs that the project no longer has; ``ages`` those of loads that
    lagged; ``versions`` the applied versions by which values were replayed that other definitions had given.
    """

    def __init__(self, facts: ReplayFacts, reads: LoggedReads) -> None:
        self._facts, self._catalog, self._reads = facts, facts.catalog, reads
        project = facts.catalog.project
        self._asked = [
            one for one in reads.references if one in project.services or one.partition(":")[0] in project.models
        ]
        items = self._plan(reads.given).requested
        self._items = {item.output: item for item in items if item.output in reads.values}
        self.unknown = [name for name in reads.values if name not in self._items]
        self._views = {name: _views_of(item) for name, item in self._items.items()}
        self._near = {name: _nearness(item) for name, item in self._items.items()}
        self._loads: dict[int, dict[str, SeenLoad]] = {}
        self.versions: dict[str, None] = {}
        self.ages: list[timedelta] = []

    def compare(self) -> list[FeatureVerification]:
        """The comparison of each feature."""
        reads = self._reads
        today = self._train(range(len(reads)), None, self._items)
        found = {name: FeatureVerification(item.label, item.column.name) for name, item in self._items.items()}
        differing: list[Place] = []
        for name in self._items:
            places = [row for row in range(len(reads)) if not self._agrees(row, name, today[name][row])]
            differing += [(row, name) for row in places]
            equal = len(reads) - len(places)
            present = sum(value is not None for value in reads.values[name])
            gone = sum(reads.values[name][row] is not None for row in places)
            found[name].add_equal(equal, present - gone)
        outcomes = self._classify(differing)
        past = self._under_past_definitions(outcomes)
        for (row, name), outcome in outcomes.items():
            said, answer = past.get((row, name), (outcome, today[name][row]))
            found[name].add(self._example(row, name, said, answer))
        return list(found.values())

    def _under_past_definitions(self, outcomes: Mapping[Place, Outcome]) -> dict[Place, tuple[Outcome, Answer]]:
        """The outcomes and answers of values that were served by another definition than today's, where the registry
        has it. Nothing says which definition an on-demand feature had, so each that gives the value may be it.
        """
        found: dict[Place, tuple[Outcome, Answer]] = {}
        waiting: dict[tuple[str, bool, tuple[tuple[str, str | None], ...]], list[Place]] = {}
        for (row, name), outcome in outcomes.items():
            view = self._items[name].view
            marks = tuple((one, load.fingerprint) for one, load in sorted(self._load(row).items()))
            sure = isinstance(view, FeatureView)  # its load says which definition it had
            if outcome == "not replayable" or (outcome == "bug" and not sure):
                waiting.setdefault((view.name, sure, marks), []).append((row, name))
        for (view_name, sure, _), places in waiting.items():
            left = places
            for past in self._facts.past.of(view_name, self._load(places[0][0])):
                wanted = ("equal", "lag", "late", "bug") if sure else ("equal", "lag", "late")
                replayed = self._replayed(past.catalog, left)
                told = {place: one for place, one in replayed.items() if one[0] in wanted}
                found |= told
                self.versions |= dict.fromkeys([past.shown] if told else ())
                left = [place for place in left if place not in told]
                if not left:
                    break
        return found

    def _replayed(self, catalog: TypedCatalog, places: Sequence[Place]) -> dict[Place, tuple[Outcome, Answer]]:
        """The outcomes and answers of some places by the definitions of another catalog; none if it lacks them."""
        rows = sorted({row for row, _ in places})
        number = {row: place for place, row in enumerate(rows)}
        try:
            replay = _Replay(self._facts.beside(catalog), self._reads.take(rows))
        except AsknownError:
            return {}
        asked = [(number[row], name) for row, name in places if name in replay._items]
        trained = replay._train(range(len(rows)), None, {name for _, name in asked}) if asked else {}
        differing = [(row, name) for row, name in asked if not replay._agrees(row, name, trained[name][row])]
        classes = replay._classify(differing) if differing else {}
        return {(rows[row], name): (classes.get((row, name), "equal"), trained[name][row]) for row, name in asked}

    def _example(self, row: int, name: str, outcome: Outcome, training: Answer) -> Example:
        reads = self._reads
        keys = {column: reads.given.column(column)[row].as_py() for column in reads.given.column_names}
        del keys[SERVED_AT]
        load = next((load for view, load in self._load(row).items() if view in self._named(name)), None)
        at = reads.served_at[row]
        if load is not None and outcome == "lag":
            self.ages.append(at - load.watermark)
        read = ServedRead(
            at, reads.requests[row], None if load is None else load.load_id, None if load is None else load.watermark
        )
        return Example(outcome, keys, self._logged(row, name), training, read)

    def _named(self, output: str) -> set[str]:
        return {view.name for view in self._views[output]}

    def _load(self, row: int) -> dict[str, SeenLoad]:
        if row not in self._loads:
            self._loads[row] = self._reads.loads(row)
        return self._loads[row]

    # -- classes ---------------------------------------------------------------------------------------------------

    def _classify(self, differing: Sequence[Place]) -> dict[Place, Outcome]:
        """The outcome of each value that differs from training today."""
        outcomes: dict[Place, Outcome] = {}
        seen: dict[Place, Answer] = {}
        for group in self._groups(differing):
            seen |= group.replay()
            outcomes |= {place: group.otherwise for place in group.places if place not in seen}
        there = self._there(sorted(seen))
        for place, answer in seen.items():
            lags = not self._alike(place[1], answer, there[place])
            outcomes[place] = "lag" if lags else "late"
        return {place: outcomes[place] for place in differing}

    def _groups(self, places: Iterable[Place]) -> Iterator[_Group]:
        """The values, by what the reads of their views can have seen."""
        groups: dict[Sightings, list[Place]] = {}
        known: dict[tuple[tuple[str, SeenLoad | None], ...], Sightings] = {}
        for row, name in places:
            loads, views = self._load(row), self._views[name]
            read = tuple((view.name, loads.get(view.name)) for view in views)
            if read not in known:
                known[read] = self._facts.sightings(views, loads)
            groups.setdefault(known[read], []).append((row, name))
        for sightings, some in groups.items():
            yield _Group(self, some, sightings)

    def _there(self, places: Sequence[Place]) -> dict[Place, Answer]:
        """The answers over the rows that were loaded by the instant of each read.

        Where the rows of a span of time give one answer at both of its ends, they give it in between. Of a span that
        is split no more, the answer at its beginning stands for all.
        """
        found: dict[Place, Answer] = {}
        waiting = deque([sorted(places, key=lambda place: self.served_at(place[0]))] if places else [])
        tried = 0
        while waiting:
            span = waiting.popleft()
            tried += 1
            first, last = (self.served_at(span[end][0]) for end in (0, -1))
            early = self._at_instant(span, first)
            late = early if first == last or tried > _MOST_SPANS else self._at_instant(span, last)
            rest = []
            for place in span:
                at, name = self.served_at(place[0]), place[1]
                if at == first or self._alike(name, early[place], late[place]):
                    found[place] = early[place]
                elif at == last:
                    found[place] = late[place]
                else:
                    rest.append(place)
            middle = (len(rest) + 1) // 2
            waiting.extend(part for part in (rest[:middle], rest[middle:]) if part)
        return found

    def _at_instant(self, places: Sequence[Place], at: datetime) -> dict[Place, Answer]:
        """The answers over the rows that were loaded by one instant."""
        seen: dict[SourceKey, SeenBy] = {}
        for view in {view.name: view for _, name in places for view in self._views[name]}.values():
            for key in self._facts.of(view).loaded_at or ():
                seen[key] = SeenBy(at, self._facts.landed.until(key, at))
        return self.answers(places, seen)

    def answers(self, places: Sequence[Place], seen: Seen) -> dict[Place, Answer]:
        """The answers of the training query to some places, over the rows that ``seen`` says."""
        rows = list(dict.fromkeys(row for row, _ in places))
        trained = self._train(rows, seen, {name for _, name in places})
        number = {row: place for place, row in enumerate(rows)}
        return {(row, name): trained[name][number[row]] for row, name in places}

    # -- values ----------------------------------------------------------------------------------------------------

    def agrees(self, place: Place, answer: Answer) -> bool:
        """Whether an answer is what the log says."""
        return self._agrees(place[0], place[1], answer)

    def seq(self, row: int) -> int:
        """The number of the last pushed row that the read of a row could see."""
        return self._reads.seqs[row]

    def served_at(self, row: int) -> datetime:
        """The instant of the read of a row."""
        return self._reads.served_at[row]

    @property
    def facts(self) -> ReplayFacts:
        return self._facts

    def _logged(self, row: int, name: str) -> Answer:
        value = self._reads.values[name][row]
        if self._reads.as_json:
            value = from_json(value, self._items[name].column.type)
        return value, self._reads.statuses[name][row]

    def _agrees(self, row: int, name: str, answer: Answer) -> bool:
        return self._alike(name, self._logged(row, name), answer)

    def _alike(self, name: str, one: Answer, other: Answer) -> bool:
        return one[1] == other[1] and same_value(one[0], other[0], near=self._near[name])

    def _plan(self, spine: pa.Table, outputs: Collection[str] | None = None) -> Planned:
        return plan_request(
            self._catalog,
            spine,
            self._asked,
            full_names=self._reads.full_names,
            timestamp=SERVED_AT,
            statuses=True,
            outputs=outputs,
        )

    def _train(self, rows: Sequence[int], seen: Seen | None, outputs: Collection[str]) -> dict[str, list[Answer]]:
        """The answers of the training query by output, for some rows of the log, in their order."""
        catalog, dialect = self._catalog, self._catalog.engine.dialect
        planned = self._plan(self._reads.given.take(pa.array(rows, pa.int64())), outputs)
        models: Sequence[Cte]
        if seen is None:
            models = catalog.ctes_of_views(planned.views)
        else:
            models = ctes_as_seen(catalog, planned.views, seen, self._loaded_at())
        statement = compile_training(planned.plan, models, catalog.reserved_names(), dialect)
        table = catalog.engine.stream(write(statement, dialect)).read_all()
        answers = {}
        for output in outputs:
            columns = (table.column(output).to_pylist(), table.column(output + SUFFIX).to_pylist())
            answers[output] = list(zip(*columns, strict=True))
        return answers

    def _loaded_at(self) -> dict[SourceKey, str]:
        found: dict[SourceKey, str] = {}
        for views in self._views.values():
            for view in views:
                found |= self._facts.of(view).loaded_at or {}
        return found


class _Group:
    """Values whose reads can have seen the same rows.

    ``otherwise`` is the outcome of a value that no rows which the load can have seen give.
    """

    def __init__(self, replay: _Replay, places: Sequence[Place], sightings: Sightings) -> None:
        self._replay, self.places, self._sightings = replay, places, sightings
        self.otherwise: Outcome = "bug" if sightings.sure else "not replayable"

    def replay(self) -> dict[Place, Answer]:
        """The answers that rows which the reads could see give, to those places at which the log has them."""
        found: dict[Place, Answer] = {}
        if not self._sightings.replayable:
            return found
        left = self._try(list(self.places), self._candidates(None), found)
        by_seq: dict[int, list[Place]] = {}
        for place in left:
            by_seq.setdefault(self._replay.seq(place[0]), []).append(place)
        for seq, places in by_seq.items() if self._follows else ():
            self._try(places, self._candidates(seq), found)
        return found

    @property
    def _follows(self) -> bool:
        return any(follows for _, loads in self._sightings.sources for _, _, follows in loads)

    def _try(self, places: list[Place], candidates: Iterable[Seen], found: dict[Place, Answer]) -> list[Place]:
        """Notes the places that one of the candidates gives; those that none gives."""
        for seen in candidates:
            if not places:
                break
            answers = self._replay.answers(places, seen)
            found |= {place: answer for place, answer in answers.items() if self._replay.agrees(place, answer)}
            places = [place for place in places if place not in found]
        return places

    def _candidates(self, seq: int | None) -> Iterator[Seen]:
        latest = max(self._replay.served_at(row) for row, _ in self.places)
        return candidates(self._sightings, self._replay.facts.landed, seq, latest)


def _views_of(item: RequestedFeature) -> tuple[FeatureView, ...]:
    """The feature views that an output is computed from, each once."""
    read = [item, *needed_features([item])]
    views = {one.view.name: one.view for one in read if isinstance(one.view, FeatureView)}
    return tuple(views.values())


def _nearness(item: RequestedFeature) -> float:
    """How near, relatively, two values of an output must be: 0 but for aggregates without one exact value."""
    near = 0.0
    for one in [item, *needed_features([item])]:
        lifted = one.view.lifted if isinstance(one.view, FeatureView) else None
        if lifted is None:
            continue
        inexact = {i for i, call in enumerate(lifted.calls) if not call.aggregate.exact}
        if any(part.name == one.column.name and inexact & set(part.windows) for part in lifted.items):
            near = _INEXACT
    return near
