"""The verdicts of a comparison of online reads with training: equal, a bug, a lag of loading, or late data.

Each value passes three comparisons, and the first that fails gives its class:

- ``bug``: the value is not that of the training query over the rows that the load had seen;
- ``lag``: that one is not the value over the rows that were there at the instant of the read;
- ``late``: that one is not the value over the rows that are there today.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

Outcome = Literal["equal", "bug", "lag", "late", "not replayable"]
"""``not replayable``: the value differs from training today, and nothing says which rows the read could see."""


@dataclass(frozen=True)
class ServedRead:
    """The read of a log that gave a value: its instant, and the load of the view, with its watermark."""

    at: datetime
    request: str | None
    load_id: str | None
    watermark: datetime | None


@dataclass(frozen=True)
class Example:
    """One value that differs: the keys, the value and status online, and those of training today.

    ``read`` is the logged read that gave it; None where the value was read to be compared.
    """

    outcome: Outcome
    keys: Mapping[str, Any]
    online: tuple[Any, str]
    training: tuple[Any, str]
    read: ServedRead | None = None


@dataclass
class FeatureVerification:
    """The comparison of one feature: the number of values by outcome, and the first example of each outcome.

    ``present`` is the number of compared values that are not NULL online. Of those that differ, ``missing`` are NULL
    online alone, and ``extra`` in training alone.
    """

    view: str
    feature: str
    present: int = 0
    missing: int = 0
    extra: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=dict)
    examples: dict[Outcome, Example] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.view}:{self.feature}"

    @property
    def compared(self) -> int:
        return sum(self.outcomes.values())

    def add(self, example: Example) -> None:
        """Counts a value."""
        self.outcomes[example.outcome] = self.outcomes.get(example.outcome, 0) + 1
        self.present += example.online[0] is not None
        if example.outcome != "equal":
            self.missing += example.online[0] is None and example.training[0] is not None
            self.extra += example.online[0] is not None and example.training[0] is None
            self.examples.setdefault(example.outcome, example)

    def add_equal(self, count: int, present: int) -> None:
        """Counts values that are equal, of which ``present`` are not NULL."""
        self.present += present
        if count:
            self.outcomes["equal"] = self.outcomes.get("equal", 0) + count

    def merge(self, other: FeatureVerification) -> None:
        """Adds the counts of another comparison of the same feature."""
        self.present += other.present
        self.missing += other.missing
        self.extra += other.extra
        for outcome, count in other.outcomes.items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + count
            if outcome in other.examples:
                self.examples.setdefault(outcome, other.examples[outcome])

    def count(self, outcome: Outcome) -> int:
        return self.outcomes.get(outcome, 0)


def merged(found: Iterable[FeatureVerification]) -> list[FeatureVerification]:
    """The comparisons, those of one feature as one."""
    by_name: dict[str, FeatureVerification] = {}
    for feature in found:
        kept = by_name.setdefault(feature.name, feature)
        if kept is not feature:
            kept.merge(feature)
    return list(by_name.values())


@dataclass(frozen=True)
class Compared:
    """The comparison of some features."""

    features: tuple[FeatureVerification, ...]

    @property
    def bugs(self) -> int:
        return sum(feature.count("bug") for feature in self.features)

    @property
    def compared(self) -> int:
        return sum(feature.compared for feature in self.features)

    @property
    def present(self) -> int:
        return sum(feature.present for feature in self.features)


@dataclass(frozen=True)
class Verification(Compared):
    """The comparison of some views at an instant, with the watermark of each."""

    at: datetime
    watermarks: Mapping[str, datetime]


@dataclass(frozen=True)
class LogVerification(Compared):
    """The comparison of logged reads: ``rows`` of them were replayed, from ``first`` to ``last``.

    ``hidden`` rows have keys or inputs that the log hashed or left out, and ``torn`` lines of the log cannot be read.
    ``unknown`` names logged features that the project no longer has. ``oldest`` is the greatest age that a load had
    when one of the values that lag was read. ``versions`` names the applied versions by which reads were replayed that
    saw loads of other definitions than today's.
    """

    rows: int
    first: datetime | None
    last: datetime | None
    hidden: int = 0
    torn: int = 0
    unknown: tuple[str, ...] = ()
    oldest: timedelta | None = None
    versions: tuple[str, ...] = ()
