"""Decides how JSON files are read: all of their values decide, and none is changed (rule 7).

DuckDB reads a column of integers as integers of up to 64 bits, but as floats if one has a fraction or is larger. It
cuts times behind the sixth digit, and takes 01-06-2024 for the 1st of June. So the texts of such columns are looked at
once more. Columns with a declared type are read as text, checked, and cast.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from asknown.engines.text_files import QueryRunner, arguments_sql
from asknown.engines.text_values import declared_test
from asknown.errors import AsknownError, Where
from asknown.instants import FINER
from asknown.project.nodes import FileRead

# The integers in a value's JSON text that a double may not hold. Those of fewer digits it holds.
_INTEGERS = r"REGEXP_EXTRACT_ALL(x, '(?:^|[\[:,])\s*(-?\d{16,}[.eE]?)', 1)"
_WHOLE = "TRY_CAST(t AS HUGEINT)"
_CHANGED = (
    f"NOT REGEXP_MATCHES(t, '[.eE]$') AND "
    f"({_WHOLE} IS NULL OR TRY_CAST(TRY_CAST(t AS DOUBLE) AS HUGEINT) IS DISTINCT FROM {_WHOLE})"
)
_TEXTS = r"""REGEXP_EXTRACT_ALL(x, '"([^"\\]*)"', 1)"""
# The numbers with a fraction in the text of a whole object, from which its texts were taken out, and their digits.
_NO_TEXTS = r"""REGEXP_REPLACE(CAST(json AS VARCHAR), '"([^"\\]|\\.)*"', '', 'g')"""
_FRACTIONS = rf"REGEXP_EXTRACT_ALL({_NO_TEXTS}, '-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')"
_MANTISSA = "LTRIM(REGEXP_REPLACE(REGEXP_EXTRACT(t, '^[^eE]*'), '[^0-9]', '', 'g'), '0')"
_IS_ZERO = f"(TRY_CAST(t AS DOUBLE) = 0 AND {_MANTISSA} <> '')"
_BEYOND = f"REGEXP_MATCHES(t, '[.eE]') AND (LENGTH({_MANTISSA}) > 17 OR ISINF(TRY_CAST(t AS DOUBLE)) OR {_IS_ZERO})"
_TIMES = ("DATE", "TIME")
# The texts that DuckDB reads as UUIDs; it would write them in small letters.
_UUIDS = """REGEXP_EXTRACT_ALL(x, '"[0-9A-Fa-f-]{36}"')"""
_HAS_CAPITALS = f"COALESCE(BOOL_OR(LEN(LIST_FILTER({_UUIDS}, LAMBDA t: t <> LOWER(t))) > 0), FALSE)"


def inspect_json(
    engine: QueryRunner, path: str, options: Mapping[str, Any], declared: Mapping[str, str], at: Where | None
) -> FileRead:
    """How the files are read. ``declared`` has the types that the source declares, by column.

    Raises ``file-value`` for a value that this would change, and names the file, the column and the value.
    """
    return _Inspection(engine, path, options, at).result(declared)


class _Inspection:
    def __init__(self, engine: QueryRunner, path: str, options: Mapping[str, Any], at: Where | None) -> None:
        self._engine = engine
        self._path = path
        self._at = at
        self._whole = {"sample_size": -1, "maximum_sample_files": -1, "union_by_name": True, **options}

    def result(self, declared: Mapping[str, str]) -> FileRead:
        query = f"DESCRIBE SELECT * FROM READ_JSON({_literal(self._path)}{arguments_sql(self._whole)})"
        kinds = {str(name): str(kind) for name, kind, *_ in self._engine.rows(query)}
        self._check_names(list(kinds))
        types = {name.casefold(): kind for name, kind in declared.items()}
        known = {name: types[name.casefold()] for name in kinds if name.casefold() in types}
        mixed = {name: self._as_text(name, kind) for name, kind in kinds.items() if name not in known}
        for name, kind in kinds.items():
            if name in known:
                self._check_declared(name, known[name])
            elif "DOUBLE" in kind or mixed[name] is not None:
                self._check_integers(name)
            elif any(time in kind for time in _TIMES):
                self._check_times(name, is_date="DATE" in kind or "TIMESTAMP" in kind)
        texts = {name: kind for name, kind in mixed.items() if kind is not None}
        if texts or any("DOUBLE" in kind or "DECIMAL" in known.get(name, "").upper() for name, kind in kinds.items()):
            self._check_digits()
        if not known and not texts:
            return FileRead("read_json", tuple(sorted(self._whole.items())))
        kept = {key: value for key, value in self._whole.items() if key == "hive_partitioning"}
        read = {name: "VARCHAR" if name in known else texts.get(name, kind) for name, kind in kinds.items()}
        casts = tuple((name, kind, None) for name, kind in known.items() if kind.upper() != "VARCHAR")
        return FileRead("read_json", tuple(sorted({**kept, "columns": read}.items())), casts)

    def _check_names(self, names: list[str]) -> None:
        """Refuses keys that differ only in case, of which DuckDB gives one another name."""
        taken = {name.casefold() for name in names}
        doubted = [n for n in names if (m := re.fullmatch(r"(.+)_\d+", n)) and m[1].casefold() in taken]
        if not doubted:
            return
        keys = f"SELECT DISTINCT UNNEST(JSON_KEYS(json)) FROM READ_JSON_OBJECTS({_literal(self._path)})"
        written = [str(key) for (key,) in self._engine.rows(keys)]
        seen: dict[str, str] = {}
        for key in sorted(written):
            other = seen.setdefault(key.casefold(), key)
            if other != key:
                raise AsknownError(
                    "file-value",
                    f"{self._path} has the keys '{other}' and '{key}', which are one name in SQL",
                    at=self._at,
                    hint="rename one of them in the file",
                )

    def _as_text(self, name: str, kind: str) -> str | None:
        """The type of a column in which DuckDB's type would change texts; None where it keeps them.

        DuckDB reads values of several types as JSON, in which a text stands in quotes: they are read as text, in which
        it stands as it is. A UUID loses its capital letters.
        """
        if "JSON" not in kind and "UUID" not in kind:
            return None
        column = '"' + name.replace('"', '""') + '"'
        read = f"READ_JSON({_literal(self._path)}, columns={{{_literal(name)}: 'JSON'}})"
        texts = f"SELECT {column}, CAST({column} AS VARCHAR) AS x FROM {read}"
        ((structure, has_capitals),) = self._engine.rows(
            f"SELECT CAST(JSON_GROUP_STRUCTURE({column}) AS VARCHAR), {_HAS_CAPITALS} FROM ({texts})"
        )
        if re.search(r'"JSON"(?!:)', structure or ""):
            kind = kind.replace("JSON", "VARCHAR")
        if has_capitals:
            kind = kind.replace("UUID", "VARCHAR")
        return kind if "VARCHAR" in kind else None

    def _check_declared(self, name: str, kind: str) -> None:
        hint = f"correct the file, or declare another data_type for '{name}'"
        self._refuse(
            name, "[x]", f"NOT ({_of_token(declared_test(kind))})", f"a value that {kind} does not hold: {{}}", hint
        )

    def _check_integers(self, name: str) -> None:
        what = (
            "the integer {}, which would be read as a float, and changed by it: it is beyond 64 bits, or other numbers "
            "there have a fraction"
        )
        hint = f"write the numbers as text in the file, and cast them in a model: cast({name} as decimal(38, 2))"
        self._refuse(name, _INTEGERS, _CHANGED, what, hint, of_json=True)

    def _check_digits(self) -> None:
        """Refuses numbers with a fraction that a float would change; DuckDB reads every number of JSON as one."""
        read = f"READ_JSON_OBJECTS({_literal(self._path)}, filename='_file')"
        parts = f"SELECT _file, UNNEST({_FRACTIONS}) AS t FROM {read}"
        for file, value in self._engine.rows(f"SELECT _file, t FROM ({parts}) WHERE {_BEYOND} LIMIT 1"):
            raise AsknownError(
                "file-value",
                f"{file} has the number {value}, which would be read as a float, and changed by it",
                at=self._at,
                hint="write such numbers as text in the file, and cast them in a model",
            )

    def _check_times(self, name: str, *, is_date: bool) -> None:
        as_text = f"columns: [{{name: {name}, data_type: varchar}}] reads it as text, which a model can shorten"
        finer = f"REGEXP_MATCHES(t, {_literal(FINER)}) AND REGEXP_MATCHES(t, ':')"
        self._refuse(name, _TEXTS, finer, "a time that is not a whole microsecond: {}", as_text, of_json=True)
        if is_date:
            unordered = r"REGEXP_MATCHES(t, '^\s*\d{1,2}[-/.]\d{1,2}[-/.]\d')"
            hint = (
                f"columns: [{{name: {name}, data_type: varchar}}] reads it as text, and strptime() in a model as a date"
            )
            self._refuse(name, _TEXTS, unordered, "a date in an ambiguous order: {}", hint, of_json=True)

    def _refuse(self, name: str, tokens: str, condition: str, what: str, hint: str, *, of_json: bool = False) -> None:
        """Raises ``file-value`` for the first of a column's ``tokens``, ``t``, for which the condition holds."""
        column = '"' + name.replace('"', '""') + '"'
        kind = "JSON" if of_json else "VARCHAR"
        read = f"READ_JSON({_literal(self._path)}, columns={{{_literal(name)}: '{kind}'}}, filename='_file')"
        texts = f"SELECT _file, CAST({column} AS VARCHAR) AS x FROM {read} WHERE {column} IS NOT NULL"
        parts = f"SELECT _file, UNNEST({tokens}) AS t FROM ({texts})"
        for file, value in self._engine.rows(f"SELECT _file, t FROM ({parts}) WHERE {condition} LIMIT 1"):
            message = f"{file}: column '{name}' has {what.format(value)}"
            raise AsknownError("file-value", message, at=self._at, hint=hint)


def _of_token(test: str) -> str:
    return re.sub(r"(?<![\w'])x(?![\w'])", "t", test)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
