"""The facts about an engine's SQL that the emitter needs. A dialect is a value; no code asks for a dialect's name.

A *snippet* is a piece of an engine's own SQL in which ``:x`` stands for a value. A feature that needs a
snippet which the dialect lacks is refused for that engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Clock = Literal["timestamp", "microseconds"]
"""The form of an instant inside a query: a naive timestamp in UTC, or whole microseconds since 1970."""

Stage = Mapping[str, str]
"""One projection: its columns, and the SQL of each over the columns of the stage before."""


@dataclass(frozen=True, kw_only=True)
class ExactSums:
    """How an engine adds floats exactly and rounds their sum once (rule 5).

    Each float is cut into parts, which are numbers that the engine adds exactly. Each part has a sum, which is NULL
    where no float had the part. Stages turn the sums of the parts into one float. They read the columns of the parts,
    ``n`` (the count to divide by; 1 for a sum) and ``m`` (a decimal's scale: the sum is divided by 10^m as well).

    Engines with a ``grade`` first turn each float into one whole number, and add those of each grade apart. ``parts``
    and ``ranges`` then read such a whole number, or a sum of them, and ``:grade``. The part ``x`` in ``ranges`` is of
    the grade that is only counted.

    1.5 + 1.5 on DuckDB: the grade of both floats is 0. ``graded`` gives 1.5 * 2^60 = 1729382256910270464 for each, and
    part ``w`` sums to 3458764513820540928. No other part has a sum, so the sum is short: ``digits`` is that sum,
    ``scale`` is -60, and ``value`` is 3458764513820540928 * 2^-60 = 3.0.
    """

    # Floats.
    parts: Mapping[str, str]  # a part's name → its value, for the float ``:x``
    ranges: Mapping[str, str] = field(default_factory=dict)  # a part's name → the condition under which ``:x`` has it
    fits: str = ""  # whether ``:x`` can be cut; with grades, ``misfit`` says it
    grade: str | None = None  # a small integer for ``:x``, 0 for nearly all: floats of one grade share a power of two
    graded: str = ""  # ``:x`` of ``:grade`` as one whole number
    common: str = ""  # the part that grade 0 uses
    special: str = ""  # from the sum ``:x`` of the counted grade: the NaN or infinity that is the result, or NULL
    misfit: str = ""  # from the same sum: whether a float was out of range

    # Whole numbers and decimals.
    whole: str  # the integer ``:x`` as a part
    wholes: str  # that part's name
    digits: str  # the decimal ``:x`` times ``:power``, which is 10^m, as a part
    long_digits: str  # the same, where that product could overflow

    # A short sum: of grade 0 alone, or of whole numbers.
    is_short: str = ""  # whether a sum of floats is short, over its parts
    short: tuple[Stage, ...] = ()  # starts from floats
    short_whole: tuple[Stage, ...] = ()  # starts from whole numbers
    short_divide: tuple[Stage, ...] = ()  # for an average, divides by ``:n``
    short_after: tuple[Stage, ...] = ()  # finishes

    # Any other sum.
    before: tuple[Stage, ...] = ()  # carries
    divide: tuple[Stage, ...] = ()  # for an average, divides by ``:n``
    scale: tuple[Stage, ...] = ()  # for decimals, divides by up to 10^``tens``, as often as it takes
    tens: int = 38
    after: tuple[Stage, ...] = ()  # finishes

    value: str  # the float, over the columns of the last stage


@dataclass(frozen=True)
class PlanRules:
    """The forms of a plan that an engine can run, and facts about its optimizer."""

    forms: tuple[str, ...]  # of a match
    window_forms: tuple[str, ...]
    keyless_forms: tuple[str, ...] = ()  # of ``forms``, those for views without keys; all, where none is named
    memory: int | None = None  # bytes that a session may use; None: nobody set a limit
    tiled_rows: int = 1_000  # from this many rows of a key in the longest frame on, tiles pay
    scans_for_keys: bool = False  # a semi-join on the keys alone spares the scan most of the other rows
    wide: int | None = None  # from this many columns on (``Plan.width``), the engine must be told that a query is wide
    matches_outside_on: bool = False  # the comparison of an as-of join is a MATCH_CONDITION; rows without a match stay


@dataclass(frozen=True)
class AggregateRules:
    """How an engine writes aggregates and orders values.

    ``templates`` and ``finalizers`` go by the aggregate's name, or by ``name.type`` or ``name.kind`` for a column of
    that type or kind.
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
    """How models in DuckDB's SQL are translated into the engine's. sqlglot translates whatever no rule names.

    ``rewrites`` maps a kind of expression to the engine's SQL, over the expression's own arguments (``:a1`` is the
    first of a list); ``:same`` leaves it to sqlglot, and ``:cast …`` casts what follows. ``refused`` maps a kind of
    expression that has no translation to the reason. A kind of expression is sqlglot's key of the node, or the name in
    lower case of a function that sqlglot does not know. More particular names win:

    - ``key.kind.other`` and ``key.kind``, by the kinds of the operands (``SqlType.kind``, ``interval``, ``null``;
      ``unknown`` where they are not sure);
    - ``key.argument``, by an argument that the node has; ``key.unit``, by its unit;
    - ``key.plain``, where every engine reads the node's literal alike;
    - of casts, ``cast.as.type``, ``cast.from.to`` and ``cast.to.kind``.
    """

    rewrites: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    writes_utc: bool = False  # UTC is written into expressions that would follow the session's zone
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
    sees_later: bool = False  # a CTE reads the ones after it too, where a table has the same name
    fences: bool = False  # OFFSET 0 keeps a subquery from being merged with what it is joined to


@dataclass(frozen=True)
class RelationRules:
    """How an engine reads the rows of sources and files.

    ``readers`` maps a file's ending to the table function that reads it, or, with a dot behind, to the schema in which
    a path is a table. Without any, a source is the table ``source.table``.
    """

    readers: Mapping[str, str] = field(default_factory=dict)
    files_in_order: bool = True  # a file's rows are read in their order
    tables_in_order: bool = False  # a table's rows are read in the order in which they were written
    values_name_columns: bool = False  # (VALUES …) AS t(c) may stand in FROM
    unkept: Mapping[str, str] = field(default_factory=dict)  # kinds of columns that features cannot have, and why
    own: frozenset[str] = frozenset()  # its types that differ from those that DuckDB has by the same name
    unscaled: str | None = None  # the number with any scale in a table, which results have as whole numbers alone


@dataclass(frozen=True)
class Dialect:
    """How one engine writes each thing that a plan needs.

    ``sqlglot`` is sqlglot's name for the dialect. ``types`` maps our names of types to the engine's, where sqlglot
    would not translate them.
    """

    name: str
    sqlglot: str
    snippets: Mapping[str, str]
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
    planning: tuple[str, ...] = ()  # statements without which queries run much slower
    head: bool = True  # compiled SQL begins with ``planning`` and ``session``
    settings: Mapping[str, str] = field(default_factory=dict)  # those that a query of this dialect has at its end
    executed: bool = True  # False: what is written for it is read back by sqlglot, and never run by us

    def __hash__(self) -> int:
        return hash(self.name)
