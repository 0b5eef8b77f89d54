"""Decides how text files (CSV, TSV) are read: every value of every file counts, and none is changed (rule 7).

DuckDB guesses types from a sample of the first file, and then converts the rest: 7.9 becomes 8, key 007 becomes 7, a
time of day is cut. So text is read as text, each column is given the narrowest type that keeps all of its values, and
the query casts the columns to these types. Types that a source declares are used instead, and checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from asknown.engines.file_forms import check_first_bytes
from asknown.engines.text_types import Counts, Decided, Decision, Refused, TextColumn, decide
from asknown.errors import AsknownError, Where, did_you_mean
from asknown.project.nodes import FileRead


class QueryRunner(Protocol):
    """The part of a DuckDB session that this module uses."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        ...


_SAMPLE = 20_480  # rows that DuckDB's sniffer looks at


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
        check_first_bytes(files, options.get("encoding"), file.at)
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
        self._check_header(name, found)
        return found

    def _check_header(self, name: str, found: Mapping[str, Any]) -> None:
        """Refuses a file whose lines the sniffer cannot tell apart from names, or cannot divide."""
        columns = [column["name"] for column in found["Columns"]]
        delimiter = re.search(r"[,;\t|]", columns[0]) if len(columns) == 1 else None
        if delimiter and found["HasHeader"] and "delim" not in self._file.options:
            count, sign = columns[0].count(delimiter[0]), _literal(delimiter[0])
            form = arguments_sql({"all_varchar": True, "header": True, "delim": "\x01", "quote": ""})
            values = f"LENGTH(x) - LENGTH(REPLACE(x, {sign}, ''))"
            numbered = f"SELECT ROW_NUMBER() OVER () AS line, x FROM READ_CSV({_literal(name)}{form}) t(x)"
            uneven = f"SELECT line, {values} FROM ({numbered}) WHERE {values} <> {count} ORDER BY line LIMIT 1"
            for line, signs in self._engine.rows(uneven):
                raise AsknownError(
                    "file-value",
                    f"{name}, line {line + 1} has {signs + 1} values, and the line of names has {count + 1}",
                    at=self._file.at,
                    hint="correct the line: a value that is missing still has its delimiter",
                )
        if not found["HasHeader"] and "header" not in self._file.options:
            raise AsknownError(
                "file-value",
                f"{name}: the first line seems to hold values, not the columns' names",
                at=self._file.at,
                hint="write the names into the file, or declare in the source: options: {header: true} if they are "
                "names, {header: false} if they are not (then the columns are column0, column1, …)",
            )

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
        casts = tuple((name, found.kind, found.written) for name, found in types.items() if found.kind != "VARCHAR")
        arguments = tuple(sorted(self._form.items()))
        return FileRead("read_csv", arguments, casts)

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

    def _types(self, columns: Sequence[str]) -> dict[str, Decided]:
        """The type of each column. Each round is one look at the files, for all columns that are not decided yet."""
        types: dict[str, Decided] = {}
        deciding = {column.name: decide(column) for column in self._described(columns)}
        answers: Mapping[str, Counts | None] = dict.fromkeys(deciding)
        while answers:
            asked: dict[str, Mapping[str, str]] = {}
            for name, answer in answers.items():
                match _go_on(deciding[name], answer):
                    case Decided() as found:
                        types[name] = found
                    case Refused() as refused:
                        raise self._refusal(name, refused.message, refused.condition, refused.hint)
                    case tests:
                        asked[name] = tests
            answers = self._count(asked)
        return {name: types[name] for name in columns}

    def _described(self, columns: Sequence[str]) -> list[TextColumn]:
        """The facts about the columns that are known before their values are counted."""
        declared = {name.casefold(): kind for name, kind in self._file.declared.items()}
        guesses = {name: self._guesses.get(name, "VARCHAR") for name in columns}
        empty = self._empty([name for name, guess in guesses.items() if guess == "VARCHAR"])
        return [
            TextColumn(
                name,
                guess,
                declared.get(name.casefold()),
                self._formats.get(name),
                self._file.options.get("dateformat" if guess == "DATE" else "timestampformat"),
                is_empty=name in empty,
                has_commas=self._has_commas,
            )
            for name, guess in guesses.items()
        ]

    def _empty(self, names: Sequence[str]) -> set[str]:
        """The columns without a value in the sample, whose guess says nothing."""
        if not names:
            return set()
        counts = ", ".join(f"COUNT({_name(name)})" for name in names)
        (row,) = self._engine.rows(f"SELECT {counts} FROM (FROM {self._read()} LIMIT {_SAMPLE})")
        return {name for name, count in zip(names, row, strict=True) if not count}

    def _count(self, asked: Mapping[str, Mapping[str, str]]) -> dict[str, Counts]:
        """For each column how many values it has, and how many fail each of its tests."""
        if not asked:
            return {}
        parts = []
        for name, tests in asked.items():
            parts.append(f"COUNT({_name(name)})")
            for test in tests.values():
                condition = _of(name, f"x IS NOT NULL AND NOT ({test})")
                parts.append(f"COUNT(*) FILTER (WHERE {condition})")
        (row,) = self._engine.rows(f"SELECT {', '.join(parts)} FROM {self._read()}")
        numbers = iter(row)
        return {name: Counts(next(numbers), {test: next(numbers) for test in tests}) for name, tests in asked.items()}

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


def _of(name: str, test: str) -> str:
    """The test of ``x`` as one of the column."""
    return re.sub(r"(?<![\w'])x(?![\w'])", lambda _: _name(name), test)


def _go_on(decision: Decision, answer: Counts | None) -> Mapping[str, str] | Decided | Refused:
    """The next tests of a decision that hears how many values failed the last ones, or what it ends in."""
    try:
        return next(decision) if answer is None else decision.send(answer)
    except StopIteration as end:
        found: Decided | Refused = end.value
        return found


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
