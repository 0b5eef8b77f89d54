"""The plan of a query: its spine, its steps with their forms, and its outputs.

A step reads the spine's distinct *moments* (keys, instant) and gives one row for each moment that has an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, assert_never

from sqlglot import exp

from asknown.model.nodes import FeatureView, Model, WindowCall
from asknown.types import Column, SqlType

Form = Literal["cascade", "asof", "range", "union"]
FORMS: tuple[Form, ...] = ("cascade", "asof", "range", "union")
"""Ways to find each moment's newest visible row. All give the same rows; they differ in cost.

- ``range`` joins on the keys, keeps the visible rows and takes the greatest. It is best if there are few pairs.
- ``asof`` sorts the view's keys and times once. It is never bad.
- ``cascade`` joins on the keys and a bucket of time. Moments that find nothing go on to wider buckets, and at last to
  ``asof`` if there is no ttl. It is best for dense histories, because it sorts nothing large.
- ``union`` sorts rows and moments together and takes a running maximum. Engines without an as-of join use it instead.
"""


_LEAST_WIDTH = 5  # of a step, in columns


WindowForm = Literal["pairs", "bands", "tiles", "sorted"]
WINDOW_FORMS: tuple[WindowForm, ...] = ("pairs", "bands", "tiles", "sorted")
"""Ways to aggregate over frames, with the same results.

- ``pairs`` adds each pair of a moment and a row to every frame that has it.
- ``bands`` adds each pair to its band of age, and each frame merges its bands.
- ``tiles`` is as bands, after the rows of keys that have many are added up by tiles of time. Only tiles that the edge
  of a frame cuts are read row by row.
- ``sorted`` is as pairs, after these are sorted by moment, so that the values of few moments are in memory at a time.
"""


@dataclass(frozen=True)
class Match:
    """The form of a match, and the reason for it, which people read.

    ``widths`` are the widths of a cascade's buckets in microseconds, from narrow to wide. ``many_ties``: many rows
    share keys and event time.
    """

    form: Form
    reason: str
    widths: tuple[int, ...] = ()
    many_ties: bool = False


@dataclass(frozen=True)
class Relation:
    """A query that gives rows, and its columns.

    The query stands on the models ``refs`` and the tables ``sources``. ``repeatable`` is true if running it twice
    surely gives the same rows. ``row`` names a column beside ``columns`` that numbers the rows, for engines whose
    tables keep no order. Where its rows have no order to keep, ``ordered`` is false, and so has the result none.
    """

    sql: str
    columns: tuple[Column, ...]
    repeatable: bool
    refs: tuple[str, ...] = ()
    sources: tuple[tuple[str, str], ...] = ()
    row: str | None = None
    ordered: bool = True


@dataclass(frozen=True)
class Bounds:
    """The number of a spine's rows and the range of its instants, as far as they are known."""

    earliest: datetime | None = None
    latest: datetime | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Spine:
    """The rows to answer. ``instant`` is the column that says as of when."""

    relation: Relation
    instant: Column
    bounds: Bounds = Bounds()

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns of the spine: keys, the instant, and columns that are passed on."""
        return self.relation.columns


@dataclass(frozen=True)
class AsOfJoin:
    """Fetches, for each moment, columns of the newest visible row of ``view`` (rules 2 and 3).

    ``keys`` are the spine's columns, one for each of the view's keys, in order. The names of the step's CTEs and full
    feature names begin with ``label``.
    """

    label: str
    view: FeatureView
    keys: tuple[Column, ...]
    columns: tuple[Column, ...]
    match: Match


@dataclass(frozen=True)
class TrailingWindow:
    """Aggregates, for each moment, the visible rows in frames that end at it (rule 4).

    ``calls`` are places in the view's list of window calls. In the form ``tiles``, keys with more rows than ``many`` in
    the longest frame have tiles. ``sparse``: the spine surely has few of the view's keys.
    """

    label: str
    view: FeatureView
    keys: tuple[Column, ...]
    calls: tuple[int, ...]
    form: WindowForm
    reason: str
    many: int = 0
    sparse: bool = False


@dataclass(frozen=True)
class Fetched:
    """A column that the as-of join ``step`` fetches."""

    step: int
    column: Column


@dataclass(frozen=True)
class WindowValue:
    """The value of a window call, which ``step`` computes. ``place`` is the call's in the view's list."""

    step: int
    place: int
    call: WindowCall


@dataclass(frozen=True)
class SpineValue:
    """A value of the spine's ``column``, converted to ``type``."""

    column: Column
    type: SqlType


@dataclass(frozen=True)
class SpineInstant:
    """The spine's instant, as a naive timestamp in UTC."""


@dataclass(frozen=True)
class DerivedValue:
    """The value of a derived ``step``, of a type."""

    step: int
    type: SqlType


@dataclass(frozen=True)
class LookedUp:
    """A value of a view that is looked up: NULL where one of the ``keys`` is, which ``sources`` are the values of."""

    value: Fetched | DerivedValue
    keys: tuple[Column, ...]
    sources: tuple[Value, ...]


@dataclass(frozen=True)
class Listed:
    """The values that ``step`` gathers as ``column``, one for each element of a list: NULL where the list is.

    ``key`` is the spine's column that has the list.
    """

    step: int
    column: Column
    key: Column


Value = Fetched | WindowValue | SpineValue | SpineInstant | DerivedValue | LookedUp | Listed
"""A value that the expression of a derived step reads."""


@dataclass(frozen=True)
class Extended:
    """Adds to the spine's rows ``columns`` with values of earlier steps, which keys of later steps are looked up by."""

    columns: tuple[tuple[Column, Value], ...]


@dataclass(frozen=True)
class Unnested:
    """Begins a lookup by lists: the steps up to the next :class:`Gathered` read a row for each element of each list.

    ``key`` is the spine's column of lists, and ``element`` the name and type of its elements; ``kept`` are the spine's
    columns that these steps read as well.
    """

    label: str
    key: Column
    element: Column
    kept: tuple[Column, ...]


@dataclass(frozen=True)
class Gathered:
    """Ends a lookup by lists: ``columns`` are lists of the values of the steps since ``unnested``, in its order."""

    unnested: Unnested
    columns: tuple[tuple[Column, Value], ...]


@dataclass(frozen=True)
class Derived:
    """Computes an expression over values of other steps and of the spine. It makes no CTE: the final SELECT has it.

    The expression is in the SQL of ``model``. It reads each of ``inputs`` under its name: that of a column, or ``@i``
    (an ``exp.Parameter``) for window call ``i``. ``call_types`` are the types of the view's calls, if they are known.
    ``feature`` names a feature of an on-demand view, and ``tree`` is its expression for the reader; they are None for
    an item of a feature view.
    ``narrowed`` is a feature that is a sum of integers, which the engine gives in a wider type than the feature has.
    """

    model: Model
    expression: exp.Expr
    inputs: Mapping[str, Value]
    call_types: tuple[SqlType, ...] = ()
    feature: Column | None = None
    tree: tuple[Any, ...] | None = None
    narrowed: Column | None = None


Step = AsOfJoin | TrailingWindow | Derived | Extended | Unnested | Gathered
"""Steps refer to each other by their places in the plan. A step comes after the steps that it reads."""


def _columns_of(step: AsOfJoin | TrailingWindow) -> Iterator[str]:
    """The columns that a step reads: keys, times, and what it fetches, with the columns before that break ties."""
    view = step.view
    yield from (column.name for column in (*view.keys, *view.times))
    if isinstance(step, AsOfJoin):
        last = max((place for place, column in enumerate(view.fetched) if column in step.columns), default=-1)
        yield from (column.name for column in view.fetched[: last + 1])
    else:
        assert view.lifted is not None
        calls = [view.lifted.calls[place] for place in step.calls]
        yield from (name for call in calls for name in (call.value, call.order, call.condition) if name is not None)


@dataclass(frozen=True)
class Output:
    """A column of the result: the ``column`` that an as-of join fetches, or the value of a derived ``step``."""

    name: str
    column: Column
    step: int


@dataclass(frozen=True)
class Status:
    """A column that says why the output ``of`` has or lacks a value, as an online read does.

    ``newest`` is the event time of the newest visible row of any age. A feature that is computed has none.
    """

    name: str
    of: Output
    newest: Fetched | None


@dataclass(frozen=True)
class Plan:
    """A training query: steps that each keep the spine's rows, and ``outputs`` in the order of the request.

    Each of the ``statuses`` stands behind its output.
    """

    spine: Spine
    steps: tuple[Step, ...]
    outputs: tuple[Output, ...]
    statuses: tuple[Status, ...] = ()

    @property
    def columns_read(self) -> dict[str, frozenset[str]]:
        """By a view's name, the columns of its rows that the plan reads, in lower case."""
        found: dict[str, set[str]] = {}
        for step in self.steps:
            if isinstance(step, AsOfJoin | TrailingWindow):
                found.setdefault(step.view.name, set()).update(name.casefold() for name in _columns_of(step))
        return {name: frozenset(names) for name, names in found.items()}

    @property
    def steps_of_statuses(self) -> set[int]:
        """The places of the steps that only statuses read."""
        read = {status.newest.step for status in self.statuses if status.newest is not None}
        return read - {output.step for output in self.outputs}

    @property
    def views(self) -> list[str]:
        """The names of the feature views that the steps read."""
        return list(dict.fromkeys(step.view.name for step in self.steps if isinstance(step, AsOfJoin | TrailingWindow)))

    @property
    def width(self) -> int:
        """The number of columns that the joins and sorts of all steps carry, those that only break ties included.

        A step counts for five columns at least, because its CTEs have a price too.
        """
        return sum(_width(step) for step in self.steps)


def _width(step: Step) -> int:
    match step:
        case AsOfJoin():
            fetched = step.view.fetched  # in the order in which they break ties
            places = (place for place, column in enumerate(fetched, 1) if column in step.columns)
            return max((_LEAST_WIDTH, *places))
        case TrailingWindow():
            return max(len(step.calls), _LEAST_WIDTH)
        case Derived() | Extended() | Unnested() | Gathered():
            return 0
    assert_never(step)


@dataclass(frozen=True)
class LoadPlan:
    """A load of one view: each entity's newest row visible at ``at``, all columns of the view."""

    view: FeatureView
    at: datetime
