"""Periods: the divisions of time that frames such as ``this('month')`` and ``previous('month')`` stand on (rule 4).

A period of the calendar is a unit that the clocks of a zone show. It begins at the first instant at which they show
it. Where clocks leave a whole unit out, the unit is empty. The standard library only: the online reader imports this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise

DAY = 86_400_000_000  # microseconds

UNITS: dict[str, int] = {
    "hour": 3_600_000_000,
    "day": DAY,
    "week": 7 * DAY,
    "month": 31 * DAY,
    "quarter": 92 * DAY,
    "year": 366 * DAY,
}
"""The units of the calendar, and the longest length of each in microseconds, by a clock that is never moved."""

UTC = "UTC"


@dataclass(frozen=True)
class CalendarPeriod:
    """Successive units of the calendar, one of :data:`UNITS`, as the clocks of ``zone`` show them; hours are UTC's."""

    unit: str
    zone: str = UTC

    @property
    def longest(self) -> int:
        """No such period is longer, in microseconds. A zone moves its clocks by a day at most."""
        return UNITS[self.unit] + (0 if self.zone == UTC else DAY)

    def __str__(self) -> str:
        return self.unit if self.zone == UTC else f"{self.unit} in {self.zone}"


@dataclass(frozen=True)
class FixedPeriod:
    """Successive stretches of ``length`` microseconds, counted from 1970."""

    length: int

    @property
    def longest(self) -> int:
        """The length of each."""
        return self.length

    def __str__(self) -> str:
        from asknown.durations import spell  # which reads fractions: plain reads do without

        return f"period of {spell(self.length)} since 1970"


Period = CalendarPeriod | FixedPeriod


@dataclass(frozen=True)
class Starts:
    """The instants at which successive periods begin: the first, in microseconds, and runs of (length, how many)."""

    period: CalendarPeriod
    first: int
    runs: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, period: CalendarPeriod, instants: Sequence[int]) -> Starts:
        """The starts of a period, from one instant for each, in order."""
        lengths = (later - earlier for earlier, later in pairwise(instants))
        return cls(period, instants[0], tuple((length, len(list(run))) for length, run in groupby(lengths)))

    @property
    def last(self) -> int:
        """The last instant. What begins after it is not known."""
        return self.first + sum(length * count for length, count in self.runs)

    def instants(self) -> list[int]:
        """All the instants, in order."""
        lengths = (length for length, count in self.runs for _ in range(count))
        return list(accumulate(lengths, initial=self.first))
