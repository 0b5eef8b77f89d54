"""Decides the type of a column of text files from counts of its values: the narrowest that keeps all of them (rule 7).

Each decision is a generator. It yields tests, and is sent how many values fail each of them; so one look at the files
answers the tests of all columns. A column whose guessed type holds is decided after one look, any other after two.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from asknown.engines.text_values import (
    ALL,
    COMMA,
    DAY,
    FITS,
    IS_FLOAT,
    KEEPS_DIGITS,
    OFFSET,
    WIDER,
    WITH_COMMA,
    declared_test,
    with_comma,
)
from asknown.types import parse_type


@dataclass(frozen=True)
class Counts:
    """How many values a column has, and how many of them fail each test."""

    values: int
    misfits: Mapping[str, int]


@dataclass(frozen=True)
class Decided:
    """A column's type, and the format of its texts where they are cast in another way than DuckDB's own."""

    kind: str
    written: str | None = None


@dataclass(frozen=True)
class Refused:
    """Why a column has no type that keeps all values; ``condition`` holds for the values to blame."""

    message: str
    condition: str
    hint: str


@dataclass(frozen=True)
class TextColumn:
    """The facts about a column that are known before its values are counted.

    ``guess`` is the sniffer's type, ``declared`` the source's, ``written`` an unusual format of dates that the sniffer
    found, and ``given`` the one that the source declares for this type.
    """

    name: str
    guess: str
    declared: str | None = None
    written: str | None = None
    given: str | None = None
    is_empty: bool = False  # in the sniffer's sample, so that the guess says nothing
    has_commas: bool = False  # before the fractions of numbers


Decision = Generator[Mapping[str, str], Counts, Decided | Refused]
"""Yields tests by their names: conditions on the text ``x``."""

TEXT = Decided("VARCHAR")


def decide(column: TextColumn) -> Decision:
    """The decision about a column."""
    if column.declared is not None:
        return _declared(column, column.declared)
    if column.written is not None:
        return _dates(column, column.written)
    if column.is_empty:
        return _narrowest(column, ALL, first=0)
    if column.has_commas and column.guess in ("VARCHAR", "BIGINT"):
        return _narrowest(column, (*(("BIGINT", "HUGEINT") if column.guess == "BIGINT" else ()), "DOUBLE"))
    if column.guess not in WIDER or (column.guess == "DOUBLE" and column.has_commas):
        return _text()
    return _narrowest(column, (column.guess if column.guess in FITS else "TIMESTAMPTZ", *WIDER[column.guess]))


def _text() -> Decision:
    """VARCHAR, without a look at the values."""
    return TEXT
    yield {}


def _declared(column: TextColumn, kind: str) -> Decision:
    """The declared type, if it holds all values."""
    parsed, written, test = parse_type(kind), None, declared_test(kind)
    if column.has_commas and parsed.kind in ("float", "decimal"):
        test, written = with_comma(test), COMMA
    if parsed.kind != "text":
        counts = yield {kind: test}
        if counts.misfits[kind]:
            hint = f"correct the file, or declare another data_type for '{column.name}'"
            return Refused(f"has a value that {kind} does not hold", f"NOT ({test})", hint)
    return Decided(kind, written)


def _dates(column: TextColumn, written: str) -> Decision:
    """The type of a column of dates in another order than year, month, day; an ambiguous order is refused."""
    swapped = written.replace("%d", "%·").replace("%m", "%d").replace("%·", "%m")
    forms = dict.fromkeys((written, swapped) if column.given is None else (column.given,))
    counts = yield {form: f"TRY_STRPTIME(x, '{_escaped(form)}') IS NOT NULL" for form in forms}
    fitting = [form for form in forms if not counts.misfits[form]]
    is_short = "%y" in written  # of two digits, which may be any of the three numbers
    if column.given is None and written in fitting and (len(fitting) > 1 or is_short):
        option = "dateformat" if column.guess == "DATE" else "timestampformat"
        return Refused(
            "has dates whose years have two digits, so that their order is ambiguous"
            if is_short
            else f"has dates in an ambiguous order: {written} and {swapped} fit all of them",
            "TRUE",
            f"declare the order in the source: options: {{{option}: '{written}'}}",
        )
    return Decided(column.guess, fitting[0]) if fitting else TEXT


def _narrowest(column: TextColumn, kinds: Sequence[str], first: int = 1) -> Decision:
    """The first of ``kinds`` that keeps all values, else text; the ``first`` ones are tried before the others."""
    kinds = [WITH_COMMA if column.has_commas and kind == "DOUBLE" else kind for kind in kinds]
    counts = yield {kind: FITS[kind] for kind in kinds[:first]}
    if not counts.values:
        return TEXT
    misfits = dict(counts.misfits)
    if all(misfits.values()):
        counts = yield _further_tests(kinds, kinds[first:])
        misfits |= counts.misfits
    for kind in kinds:
        if not misfits[kind]:
            return Decided("DOUBLE", COMMA) if kind == WITH_COMMA else Decided(kind)
        if (refused := _lost_digits(column, kind, misfits)) is not None:
            return refused
    return _lost_instants(column, counts.values, misfits) or TEXT


_DIGITS, _FINER = "a float but for its digits", "an instant, or finer than a microsecond"
_IS_FINER = rf"REGEXP_FULL_MATCH(x, '\s*{DAY}[ T]\d{{1,2}}:\d{{2}}:\d{{2}}\.\d{{7,}}({OFFSET})?\s*')"


def _further_tests(kinds: Sequence[str], untried: Sequence[str]) -> dict[str, str]:
    """The tests of the types that were not tried, and those that tell text from numbers and times that are refused."""
    tests = {kind: FITS[kind] for kind in untried}
    if "DOUBLE" in kinds or WITH_COMMA in kinds:
        tests[_DIGITS] = with_comma(IS_FLOAT) if WITH_COMMA in kinds else IS_FLOAT
    if "TIMESTAMPTZ" in kinds:
        tests["TIMESTAMP"] = FITS["TIMESTAMP"]
        tests[_FINER] = f"({FITS['TIMESTAMP']}) OR ({FITS['TIMESTAMPTZ']}) OR {_IS_FINER}"
    return tests


def _lost_digits(column: TextColumn, kind: str, misfits: Mapping[str, int]) -> Refused | None:
    """The refusal of numbers that are floats but for the digits that a float has no room for."""
    if kind not in ("DOUBLE", WITH_COMMA) or misfits[_DIGITS]:
        return None
    keeps = KEEPS_DIGITS if kind == "DOUBLE" else with_comma(KEEPS_DIGITS)
    hint = f"columns: [{{name: {column.name}, data_type: 'decimal(38,…)'}}] keeps its digits, varchar its text"
    return Refused("has a number that a float does not keep", f"NOT ({keeps})", hint)


def _lost_instants(column: TextColumn, values: int, misfits: Mapping[str, int]) -> Refused | None:
    """The refusal of instants that only text would keep: text orders them wrongly."""
    if "TIMESTAMPTZ" not in misfits:
        return None
    naive, aware = values - misfits["TIMESTAMP"], values - misfits["TIMESTAMPTZ"]
    if naive and aware and naive + aware == values:
        return Refused(
            f"mixes times with an offset ({aware}) and without ({naive})",
            f"NOT ({FITS['TIMESTAMPTZ']})",
            "give all of them an offset, or none",
        )
    if not misfits[_FINER]:
        hint = f"columns: [{{name: {column.name}, data_type: varchar}}] reads it as text, which a model can shorten"
        return Refused("has an instant that is not a whole microsecond", _IS_FINER, hint)
    return None


def _escaped(text: str) -> str:
    return text.replace("'", "''")
