"""Decides how text files (CSV, TSV) are read: every value of every file counts, and none is changed (rule 7).

DuckDB guesses types from a sample of the first file, and then converts the rest: 7.9 becomes 8, key 007 becomes 7, a
time of day is cut. So text is read as text, each column is given the narrowest type that keeps all of its values, and
the query casts the columns to these types. Types that a source declares are used instead, and checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

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
from asknown.errors import AsknownError, Where, did_you_mean
from asknown.project.nodes import FileRead
from asknown.types import parse_type


class QueryRunner(Protocol):
    """The part of a DuckDB session that this module uses."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        ...


_SAMPLE = 20_480  # rows that DuckDB's sniffer looks at
_TIME_FORMATS = ("DateFormat", "TimestampFormat")


@dataclass(frozen=True)
class TextFile:
    """Text files to read: a path or glob, the ``options`` of their source, and the types it declares by column."""

    path: str
    options: Mapping[str, Any]
    declared: Mapping[str, str]
    at: Where | None = None


def inspect_text(engine: QueryRunner, file: TextFile) -> FileRead:
    """How the files are read, from one look at all of their values.

    Raises ``no-data`` where there is no file, and ``file-value`` where a conversion would change a value: with the
    file, the column, the line and the value.
    """
    if "://" in file.path and not re.search(r"[*?\[]", file.path):
        files = [file.path]  # an address, which no folder lists
    else:
        files = [str(name) for (name,) in engine.rows(f"SELECT file FROM GLOB({_literal(file.path)}) ORDER BY file")]
    if not files:
        raise AsknownError("no-data", f"no file matches {file.path}", at=file.at, hint="correct the path in the source")
    return _Inspection(engine, file, files).result()


class _Inspection:
    """One look at some files: what their form is, then which types their columns have."""

    def __init__(self, engine: QueryRunner, file: TextFile, files: Sequence[str]) -> None:
        options = dict(file.options)
        self._has_commas = options.pop("decimal_separator", ".") == ","
        self._engine = engine
        self._file = file = replace(file, options=options)
        self._files = files
        sniffed = [self._sniff(name) for name in files]
        self._check_form(sniffed)
        self._form = {
            "all_varchar": True,
            "header": sniffed[0]["HasHeader"],
            "delim": sniffed[0]["Delimiter"],
            "quote": _or_default(sniffed[0]["Quote"], '"'),  # none in the sample is not none in the file
            "escape": _or_default(sniffed[0]["Escape"], _or_default(sniffed[0]["Quote"], '"')),
            "comment": "",
            "skip": 0,
            **({"union_by_name": True} if len(files) > 1 else {}),
            **file.options,
        }
        self._guesses: dict[str, str] = {}
        self._formats: dict[str, str] = {}
        for found in sniffed:
            for column in found["Columns"]:
                name, kind = column["name"], column["type"]
                self._guesses.setdefault(name, kind)
                written = found["DateFormat"] if kind == "DATE" else found["TimestampFormat"]
                declared = "dateformat" if kind == "DATE" else "timestampformat"
                unusual = declared in file.options or not str(written).startswith("%Y")
                if kind.startswith(("DATE", "TIMESTAMP")) and written and unusual:
                    self._formats.setdefault(name, str(written))

    def _sniff(self, name: str) -> dict[str, Any]:
        columns = (
            *("Delimiter", "Quote", "Escape", "HasHeader", "SkipRows", "DateFormat", "TimestampFormat", "Columns"),
        )
        given = arguments_sql({key: value for key, value in self._file.options.items() if key in _SNIFFED})
        (row,) = self._engine.rows(f"SELECT {', '.join(columns)} FROM SNIFF_CSV({_literal(name)}{given})")
        found = dict(zip(columns, row, strict=True))
        if found["SkipRows"] and "skip" not in self._file.options:
            raise AsknownError(
                "file-value",
                f"{name}: the first {found['SkipRows']} lines have fewer values than the others, or more",
                at=self._file.at,
                hint=f"correct the file, or leave them out: options: {{skip: {found['SkipRows']}}}",
            )
        return found

    def _check_form(self, sniffed: Sequence[dict[str, Any]]) -> None:
        for key, what, option in (("Delimiter", "delimiter", "delim"), ("HasHeader", "header", "header")):
            first = sniffed[0][key]
            for name, found in zip(self._files, sniffed, strict=True):
                if found[key] != first and option not in self._file.options:
                    raise AsknownError(
                        "file-value",
                        f"{self._files[0]} and {name} differ in their {what}: {first!r} and {found[key]!r}",
                        at=self._file.at,
                        hint=f"declare it in the source: options: {{{what}: …}}",
                    )

    def result(self) -> FileRead:
        columns = [name for name, *_ in self._engine.rows(f"DESCRIBE SELECT * FROM {self._read()}")]
        self._check_names(columns)
        types = self._types(columns)
        casts = {name: (kind, self._formats.get(name)) for name, kind in types.items() if kind != "VARCHAR"}
        arguments = tuple(sorted(self._form.items()))
        return FileRead("read_csv", arguments, tuple((name, *cast) for name, cast in casts.items()))

    def _check_names(self, columns: Sequence[str]) -> None:
        """Refuses a header that names two columns alike, of which DuckDB calls one otherwise, and types of none."""
        names = {name.casefold() for name in columns}
        for name in self._file.declared:
            if name.casefold() not in names:
                raise AsknownError(
                    "file-value",
                    f"{self._files[0]} has no column '{name}', whose data_type the source declares",
                    at=self._file.at,
                    hint=did_you_mean(name, columns, what="its columns"),
                )
        if not any((found := re.fullmatch(r"(.+)_\d+", n)) and found[1].casefold() in names for n in columns):
            return
        for file in self._files:
            form = {**self._form, "header": False}
            row = self._engine.rows(f"SELECT * FROM READ_CSV({_literal(file)}{arguments_sql(form)}) LIMIT 1")
            written = [str(name).strip().casefold() for name in row[0]] if row and self._form["header"] else []
            for name in written:
                if written.count(name) > 1:
                    raise AsknownError(
                        "file-value",
                        f"{file}: two columns have the name '{name}' (names that differ only in case are the same)",
                        at=self._file.at,
                        hint="rename one of them in the file's first line",
                    )

    def _types(self, columns: Sequence[str]) -> dict[str, str]:
        """The type of each column: as declared, else the narrowest that keeps all of its values."""
        declared = {name.casefold(): kind for name, kind in self._file.declared.items()}
        types: dict[str, str] = {}
        candidates: dict[str, list[str]] = {}
        empty = self._empty([name for name in columns if self._guesses.get(name) == "VARCHAR"])
        for name in columns:
            guess = self._guesses.get(name, "VARCHAR")
            if (kind := declared.get(name.casefold())) is not None:
                self._formats.pop(name, None)
                self._check_declared(name, kind)
                types[name] = kind
            elif name in self._formats:
                types[name] = self._check_order(name, guess)
            elif name in empty:
                candidates[name] = list(ALL)
            elif self._has_commas and guess in ("VARCHAR", "BIGINT"):
                candidates[name] = [*(("BIGINT", "HUGEINT") if guess == "BIGINT" else ()), WITH_COMMA]
            elif guess == "DOUBLE" and self._has_commas:
                types[name] = "VARCHAR"
            elif guess in WIDER:
                candidates[name] = [guess if guess in FITS else "TIMESTAMPTZ", *WIDER[guess]]
            else:
                types[name] = "VARCHAR"
        if self._has_commas:
            candidates = {n: [WITH_COMMA if k == "DOUBLE" else k for k in kinds] for n, kinds in candidates.items()}
        types |= self._narrowest(candidates)
        return {name: types[name] for name in columns}

    def _narrowest(self, candidates: dict[str, list[str]]) -> dict[str, str]:
        """For each column the first of its candidates that keeps all values; each round is one look at the files."""
        types: dict[str, str] = {}
        while candidates:
            asked = {name: kinds[0] for name, kinds in candidates.items()}
            for name, (values, misfits) in self._count({n: FITS[kind] for n, kind in asked.items()}).items():
                if values and not misfits:
                    types[name] = self._type_of(name, asked[name])
                elif not values or len(candidates[name]) == 1:
                    types[name] = self._as_text(name, asked[name], values, misfits) if values else "VARCHAR"
                else:
                    self._check_digits(name, asked[name])
                    del candidates[name][0]
            candidates = {name: kinds for name, kinds in candidates.items() if name not in types}
        return types

    def _type_of(self, name: str, kind: str) -> str:
        """The type of a column whose values are all of this kind."""
        if kind != WITH_COMMA:
            return kind
        self._formats[name] = COMMA
        return "DOUBLE"

    def _empty(self, names: Sequence[str]) -> set[str]:
        """The columns without a value in the sample, whose guess says nothing."""
        if not names:
            return set()
        counts = ", ".join(f"COUNT({_name(name)})" for name in names)
        (row,) = self._engine.rows(f"SELECT {counts} FROM (FROM {self._read()} LIMIT {_SAMPLE})")
        return {name for name, count in zip(names, row, strict=True) if not count}

    def _count(self, tests: Mapping[str, str]) -> dict[str, tuple[int, int]]:
        """For each column how many values it has, and how many fail its test."""
        parts = []
        for name, test in tests.items():
            x = _name(name)
            condition = self._of(name, f"x IS NOT NULL AND NOT ({test})")
            parts += [f"COUNT({x})", f"COUNT(*) FILTER (WHERE {condition})"]
        (row,) = self._engine.rows(f"SELECT {', '.join(parts)} FROM {self._read()}")
        return {name: (row[2 * i], row[2 * i + 1]) for i, name in enumerate(tests)}

    def _of(self, name: str, test: str) -> str:
        """The test of ``x`` as one of the column."""
        return re.sub(r"(?<![\w'])x(?![\w'])", lambda _: _name(name), test)

    def _as_text(self, name: str, kind: str, values: int, misfits: int) -> str:
        """VARCHAR, which keeps everything. Instants that only text would keep are refused: text orders them wrongly."""
        if kind == "TIMESTAMPTZ" and misfits < values:
            naive = self._count({name: FITS["TIMESTAMP"]})[name][1]
            if naive and naive + misfits == values:
                message = f"mixes times with an offset ({naive}) and without ({misfits})"
                raise self._refusal(
                    name, message, f"NOT ({FITS['TIMESTAMPTZ']})", "give all of them an offset, or none"
                )
        if kind in ("DOUBLE", WITH_COMMA):
            self._check_digits(name, kind)
        if kind == "TIMESTAMPTZ":
            finer = rf"REGEXP_FULL_MATCH(x, '\s*{DAY}[ T]\d{{1,2}}:\d{{2}}:\d{{2}}\.\d{{7,}}({OFFSET})?\s*')"
            fits = f"({FITS['TIMESTAMP']}) OR ({FITS['TIMESTAMPTZ']}) OR {finer}"
            if not self._count({name: fits})[name][1]:
                hint = f"columns: [{{name: {name}, data_type: varchar}}] reads it as text, which a model can shorten"
                raise self._refusal(name, "has an instant that is not a whole microsecond", finer, hint)
        return "VARCHAR"

    def _check_digits(self, name: str, kind: str) -> None:
        """Refuses numbers that are floats but for the digits that a float has no room for."""
        if kind not in ("DOUBLE", WITH_COMMA):
            return
        spelled: Callable[[str], str] = str if kind == "DOUBLE" else with_comma
        if self._count({name: spelled(IS_FLOAT)})[name][1]:
            return
        hint = f"columns: [{{name: {name}, data_type: 'decimal(38,…)'}}] keeps them, double takes the nearest float"
        raise self._refusal(name, "has more digits than a float keeps", f"NOT ({spelled(KEEPS_DIGITS)})", hint)

    def _check_order(self, name: str, guess: str) -> str:
        """The type of a column of dates in another order than year, month, day; an ambiguous order is refused."""
        written = self._formats[name]
        swapped = written.replace("%d", "%·").replace("%m", "%d").replace("%·", "%m")
        given = self._file.options.get("dateformat" if guess == "DATE" else "timestampformat")
        tests = {form: f"TRY_STRPTIME(x, {_literal(form)}) IS NOT NULL" for form in (written, swapped)}
        fits = {form: not self._count({name: test})[name][1] for form, test in tests.items()}
        is_short = "%y" in written  # of two digits, which may be any of the three numbers
        if given is None and fits[written] and ((fits[swapped] and written != swapped) or is_short):
            raise self._refusal(
                name,
                "has dates whose years have two digits, so that their order is ambiguous"
                if is_short
                else f"has dates in an ambiguous order: {written} and {swapped} fit all of them",
                "TRUE",
                f"declare the order in the source: options: {{dateformat: '{written}'}}"
                if guess == "DATE"
                else f"declare the order in the source: options: {{timestampformat: '{written}'}}",
            )
        for form in (str(given),) if given is not None else (written, swapped):
            if fits.get(form, True):
                self._formats[name] = form
                return guess
        del self._formats[name]
        return "VARCHAR"

    def _check_declared(self, name: str, kind: str) -> None:
        test = declared_test(kind)
        if self._has_commas and parse_type(kind).kind in ("float", "decimal"):
            test, self._formats[name] = with_comma(test), COMMA
        if self._count({name: test})[name][1]:
            raise self._refusal(
                name,
                f"has a value that {kind} does not hold",
                f"NOT ({test})",
                f"correct the file, or declare another data_type for '{name}'",
            )

    def _refusal(self, name: str, message: str, condition: str, hint: str) -> AsknownError:
        """The error that names the file, the line and the value of the first row for which the condition holds."""
        for file in self._files:
            numbered = f'SELECT ROW_NUMBER() OVER () AS "row", {_name(name)} AS x FROM {self._read(file)}'
            found = self._engine.rows(
                f'SELECT "row", x FROM ({numbered}) WHERE x IS NOT NULL AND ({condition}) ORDER BY 1 LIMIT 1'
            )
            if found:
                ((row, value),) = found
                line = row + bool(self._form["header"]) + int(self._form.get("skip", 0))
                return AsknownError(
                    "file-value",
                    f"{file}, line {line}: column '{name}' {message}: {value!r}",
                    at=self._file.at,
                    hint=hint,
                )
        return AsknownError("file-value", f"{self._file.path}: column '{name}' {message}", at=self._file.at, hint=hint)

    def _read(self, path: str | None = None) -> str:
        form = {key: value for key, value in self._form.items() if key not in ("dateformat", "timestampformat")}
        return f"READ_CSV({_literal(path or self._file.path)}{arguments_sql(form)})"


_SNIFFED = ("delim", "quote", "escape", "header", "skip", "nullstr", "dateformat", "timestampformat", "encoding")


def _or_default(sniffed: Any, default: str) -> str:
    return default if sniffed in (None, "", "(empty)", "\0") else str(sniffed)


def arguments_sql(named: Mapping[str, Any]) -> str:
    """Named arguments of a table function, as they stand behind its path: ``, header=true, delim=','``."""
    return "".join(f", {name}={_value(value)}" for name, value in named.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _literal(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_literal(key)}: {_value(item)}' for key, item in value.items())}}}"
    assert isinstance(value, Iterable)
    return f"[{', '.join(map(_value, value))}]"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
