"""The verdicts of a comparison of online reads with training: equal, a bug, a lag of loading, or late data.

Each value passes three comparisons, and the first that fails gives its class:

- ``bug``: the value is not that of the training query over the rows that the load had seen;
- ``lag``: that one is not the value over the rows that were there at the instant of the read;
- ``late``: that one is not the value over the rows that are there today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Outcome = Literal["equal", "bug", "lag", "late", "not replayable"]
"""``not replayable``: the value differs from training today, and no source says when its rows were loaded."""


@dataclass(frozen=True)
class Example:
    """One value that differs: the keys, the value and status online, and those of training today."""

    outcome: Outcome
    keys: Mapping[str, Any]
    online: tuple[Any, str]
    training: tuple[Any, str]


@dataclass
class FeatureVerification:
    """The comparison of one feature: the number of values by outcome, and the first example of each outcome.

    ``present`` is the number of compared values that are not NULL online.
    """

    view: str
    feature: str
    present: int = 0
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
            self.examples.setdefault(example.outcome, example)

    def count(self, outcome: Outcome) -> int:
        return self.outcomes.get(outcome, 0)


@dataclass(frozen=True)
class Verification:
    """The comparison of some views at an instant, with the watermark of each."""

    features: tuple[FeatureVerification, ...]
    at: datetime
    watermarks: Mapping[str, datetime]

    @property
    def bugs(self) -> int:
        return sum(feature.count("bug") for feature in self.features)

    @property
    def compared(self) -> int:
        return sum(feature.compared for feature in self.features)

    @property
    def present(self) -> int:
        return sum(feature.present for feature in self.features)
