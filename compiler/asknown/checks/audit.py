"""The verdicts of an audit: which features change when what was not known yet is taken away, or changed.

A *probe* is a pair of a cut and a row of the spine at or before it whose keys lost a row or a value at that cut. A
feature without hindsight has the same value in both runs.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

ProbeKind = Literal["future", "poison", "order", "rerun", "past"]
PROBES: tuple[ProbeKind, ...] = ("future", "poison", "order", "rerun", "past")
"""The probes of an audit. ``future`` takes away what was not known at a cut, ``poison`` gives it extreme values,
``order`` shuffles the rows of the sources, ``rerun`` changes nothing, and ``past`` computes a recorded training set
again."""

Verdict = Literal["leaks", "unstable", "rewritten", "clean", "untested", "static"]
"""``unstable``: the values follow the order of the rows, or differ from run to run. ``rewritten``: a recorded training
set has other values today. ``static``: everything that the feature reads is declared static."""


@dataclass(frozen=True)
class Cause:
    """A row of a source (or model) that became known at ``moment``, and changed a value before it."""

    relation: str
    moment: datetime
    row: Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """A value of the spine's row ``row`` that a probe changed from ``full``, the value over all rows, to ``changed``.

    ``cut`` is the instant that the sources were cut at, None for an order of rows and a second run. For ``past``,
    ``full`` is what was recorded, and ``changed`` what is computed today.
    """

    probe: ProbeKind
    cut: datetime | None
    row: Mapping[str, Any]
    full: Any
    changed: Any
    rows: int
    cause: Cause | None = None


@dataclass
class FeatureAudit:
    """The audit of one feature: its verdict, with the number of probes and the first change.

    ``reason`` says why a feature is untested. ``rounding``: its floats differ in their last bits with the order of
    the rows, as sums in models below a view do (`float-order`); that is no leak.
    """

    view: str
    feature: str
    probes: int = 0
    reason: str = ""
    is_static: bool = False
    rounding: bool = False
    changes: list[Change] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.view}:{self.feature}"

    @property
    def verdict(self) -> Verdict:
        kinds = {change.probe for change in self.changes}
        if "rerun" in kinds:
            return "unstable"
        if kinds & {"future", "poison"}:
            return "leaks"
        if "order" in kinds:
            return "unstable"
        if "past" in kinds:
            return "rewritten"
        if self.is_static:
            return "static"
        return "untested" if self.reason or not self.probes else "clean"

    @property
    def change(self) -> Change | None:
        """The change that shows the verdict."""
        kinds = ("rerun", "future", "poison", "order", "past")
        return min(self.changes, key=lambda change: kinds.index(change.probe), default=None)


@dataclass(frozen=True)
class AuditReport:
    """The audit of some features over ``rows`` rows of a spine, with the ``cuts`` that were made.

    ``failures`` are probes whose query the engine could not run, with its reason.
    """

    features: tuple[FeatureAudit, ...]
    rows: int
    cuts: tuple[datetime, ...]
    seed: int
    failures: tuple[str, ...] = ()

    @property
    def found(self) -> tuple[FeatureAudit, ...]:
        """The features that leak, are unstable, or have other values than were recorded."""
        return tuple(one for one in self.features if one.verdict in ("leaks", "unstable", "rewritten"))

    @property
    def untested(self) -> tuple[FeatureAudit, ...]:
        return tuple(feature for feature in self.features if feature.verdict == "untested")


def with_past(report: AuditReport, past: Sequence[FeatureAudit], rows: int, failures: tuple[str, ...]) -> AuditReport:
    """The report with what recorded training sets showed; that alone, where there was no other probe.

    Recorded values that are the same today show nothing of what was known at a cut, so they count as no probes.
    """
    if not report.features:
        return replace(report, features=tuple(past), rows=rows, failures=failures)
    by_name = {feature.name: feature for feature in report.features}
    for feature in past:
        if feature.name in by_name:
            by_name[feature.name].changes += feature.changes
    return replace(report, failures=(*report.failures, *failures))


def choose_cuts(instants: Sequence[datetime], count: int, seed: int) -> tuple[datetime, ...]:
    """``count`` quantiles of the instants and as many random instants between the first and the last, in turns.

    A cut after the last instant would show little, so none is. There are none over fewer than two instants.
    """
    ordered = sorted(instants)
    if len(ordered) < 2 or ordered[0] == ordered[-1]:
        return ()
    draw = random.Random(seed)
    first, length = ordered[0], (ordered[-1] - ordered[0]) // timedelta(microseconds=1)
    cuts: dict[datetime, None] = {}
    for number in range(count):
        cuts[ordered[(number + 1) * len(ordered) // (count + 1)]] = None
        cuts[first + timedelta(microseconds=draw.randrange(length))] = None
    return tuple(cuts)
