"""What the emitter asks of an engine's SQL. A dialect is a value; nothing asks for a dialect's name.

What engines spell in different ways is a *word*: a piece of the engine's own SQL in which ``:x`` stands for a value.
A word that a dialect lacks is something that it cannot say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Clock = Literal["timestamp", "microseconds"]
"""What an instant is inside a query: a naive timestamp in UTC, or whole microseconds since 1970."""

Stage = Mapping[str, str]
"""One projection: the columns it gives, each spelled over the columns of the stage before."""


@dataclass(frozen=True)
class ExactSums:
    """How floats are added exactly and rounded once (DESIGN section 3, rule 5).

    A float ``:x`` is cut into ``parts``, numbers that this engine adds exactly. ``fits`` says whether it can be cut; a
    part that ``ranges`` names has a value in its range alone. The sums of the parts (NULL where no value had one)
    become one float in stages over the columns of the parts, ``n`` (the count to divide by, 1 for a sum) and ``m`` (the
    decimal's scale: it is divided by 10^m as well): ``before``, for an average ``divide``, for decimals ``scale`` as
    often as it takes at ``tens`` digits a time, then ``after``, and last the float itself. Where ``is_short``, it takes
    less: ``short``, for an average ``short_divide``, then ``short_after``; with ``short_whole`` first where whole
    numbers were added, which are always short.

    With a ``grade`` (a small whole number, 0 for nearly all floats), floats are added up apart by it, each as the one
    whole number ``graded`` of ``:x`` and ``:grade``. ``parts`` and ``ranges`` are then those of such a number, or of a
    sum of them: those of grade 0 have the part ``common`` alone, and those in the range ``x`` have a sum that only
    ``special`` and ``misfit`` can read.

    ``whole`` turns a whole number into the part ``wholes``, ``digits`` a decimal times 10^m, ``long_digits`` one whose
    digits that product could overflow.
    """

    parts: Mapping[str, str]
    whole: str
    wholes: str
    digits: str
    long_digits: str
    value: str
    fits: str = ""  # with a grade, misfit says it
    ranges: Mapping[str, str] = field(default_factory=dict)
    grade: str | None = None
    graded: str = ""
    common: str = ""
    special: str = ""
    misfit: str = ""
    is_short: str = ""
    short: tuple[Stage, ...] = ()
    short_whole: tuple[Stage, ...] = ()
    short_divide: tuple[Stage, ...] = ()
    short_after: tuple[Stage, ...] = ()
    before: tuple[Stage, ...] = ()
    divide: tuple[Stage, ...] = ()
    scale: tuple[Stage, ...] = ()
    tens: int = 38
    after: tuple[Stage, ...] = ()


@dataclass(frozen=True)
class PlanRules:
    """Which forms of a plan an engine can run, and what its optimizer is good at."""

    forms: tuple[str, ...]  # of a match
    window_forms: tuple[str, ...]
    keyless_forms: tuple[str, ...] = ()  # of ``forms``, those for views without keys; all, where none is named
    tiled_rows: int = 1_000  # from this many rows of a key in the longest frame on, tiles pay
    scans_for_keys: bool = False  # a semi-join on the keys alone spares the scan most of the other rows
    matches_outside_on: bool = False  # the comparison of an as-of join is a MATCH_CONDITION; rows without a match stay


@dataclass(frozen=True)
class AggregateRules:
    """How an engine writes aggregates and orders values.

    ``templates`` and ``finalizers`` go by the aggregate's name, or by ``name.kind`` for a column of that kind.
    """

    templates: Mapping[str, str]  # the aggregate of ``:x``
    finalizers: Mapping[str, str] = field(default_factory=dict)  # what is left to do with an aggregate's ``:value``
    untyped: frozenset[str] = frozenset()  # of ``finalizers``, those whose result has forgotten its type
    filters: bool = True  # aggregates take FILTER (WHERE …)
    aggregating: frozenset[str] = frozenset()  # its aggregates that sqlglot takes for plain functions
    nearest: Mapping[str, str] = field(default_factory=dict)  # what to write in place of an aggregate that it lacks
    # For each kind of column, the sort terms under which two values tie only if they are the same to the bit.
    order: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    nulls_lowest: bool = False  # NULLs come first in ascending order, and no order can say otherwise everywhere


@dataclass(frozen=True)
class Translation:
    """How models in DuckDB's SQL become the engine's; sqlglot translates what no rule names.

    ``rewrites`` maps a kind of expression to the engine's SQL, over the expression's own arguments (``:a1`` is the
    first of a list); ``:same`` leaves it to sqlglot. ``refused`` maps a kind of expression that has no translation to
    the reason. A kind of expression is sqlglot's key of the node, or the name in lower case of a function that sqlglot
    does not know. More particular names win:

    - ``key.kind.other`` and ``key.kind``, by the kinds of the operands (``SqlType.kind``, ``interval``, ``null``;
      ``unknown`` where they are not sure);
    - ``key.argument``, by an argument that the node has; ``key.unit``, by its unit;
    - ``key.plain``, where every engine reads the node's literal alike;
    - of casts, ``cast.as.type``, ``cast.from.to`` and ``cast.to.kind``.
    """

    rewrites: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    functions: frozenset[str] | None = None  # those that the engine has, where that is listed
    tested: frozenset[str] | None = None  # of an engine that is never run: its only functions, by sqlglot's keys


@dataclass(frozen=True)
class NameRules:
    """How an engine reads the names of columns and relations."""

    exact_names: bool = False  # names are told apart by letter case, plain ones by their lower case
    folds_up: bool = False  # plain names are their capitals, so that quotes around them would mean others
    splits_names: bool = False  # a dot within quotes divides a name too, so that names have a hyphen in its place
    reserved: frozenset[str] = frozenset()  # words that mean something else unless they are quoted
    quotes_all: bool = True  # names are quoted even where they are plain words
    plain_names: bool = True  # s.k of a join comes out as k, and an alias hides the name of its table
    own_schema: str | None = None  # where built models are, unless the session's own path says


@dataclass(frozen=True)
class CteRules:
    """How an engine is told to compute a CTE once, or to merge it with what reads it."""

    pins_ctes: bool = False  # a CTE can be told to be kept, or to be read in place
    reads_in_place: bool = True  # of a dialect that pins CTEs: it has a word for the latter too
    fences: bool = False  # OFFSET 0 keeps a subquery from being merged with what it is joined to


@dataclass(frozen=True)
class RelationRules:
    """What an engine reads rows from.

    ``readers`` maps a file's ending to the table function that reads it, or, with a dot behind, to the schema in which
    a path is a table. Without any, a source is the table ``source.table``.
    """

    readers: Mapping[str, str] = field(default_factory=dict)
    files_in_order: bool = True  # a file's rows are read in their order
    values_name_columns: bool = False  # (VALUES …) AS t(c) may stand in FROM
    unkept: Mapping[str, str] = field(default_factory=dict)  # kinds of columns that features cannot have, and why


@dataclass(frozen=True)
class Dialect:
    """How one engine spells what the plan needs.

    ``sqlglot`` is the name sqlglot writes and reads it by. ``words`` are pieces of its SQL. ``types`` are its names for
    types that sqlglot would not translate, by ours.
    """

    name: str
    sqlglot: str
    words: Mapping[str, str]
    plans: PlanRules
    aggregates: AggregateRules
    types: Mapping[str, str] = field(default_factory=dict)
    exact_sums: ExactSums | None = None  # None: sums of floats are the engine's own
    translation: Translation = Translation()
    names: NameRules = NameRules()
    ctes: CteRules = CteRules()
    relations: RelationRules = RelationRules()
    clock: Clock = "timestamp"
    session: tuple[str, ...] = ()  # statements that pin the session: time zone first
    executed: bool = True  # False: what is written for it is read back by sqlglot, and never run by us
