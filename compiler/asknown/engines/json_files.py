"""Decides how JSON files are read: all of their values decide, and no integer is read as a float that changes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asknown.engines.text_files import QueryRunner, arguments_sql
from asknown.errors import AsknownError, Where
from asknown.project.nodes import FileRead

# The integers in a value's JSON text that a double does not hold. Those of fewer digits it holds.
_INTEGERS = r"REGEXP_EXTRACT_ALL(x, '(?:^|[\[:,])\s*(-?\d{16,}[.eE]?)', 1)"
_WHOLE = "TRY_CAST(t AS HUGEINT)"
_CHANGED = (
    f"NOT REGEXP_MATCHES(t, '[.eE]$') AND "
    f"({_WHOLE} IS NULL OR TRY_CAST(TRY_CAST(t AS DOUBLE) AS HUGEINT) IS DISTINCT FROM {_WHOLE})"
)


def inspect_json(engine: QueryRunner, path: str, options: Mapping[str, Any], at: Where | None) -> FileRead:
    """How the files are read.

    DuckDB reads a column of integers as integers of up to 64 bits, but as floats if one has a fraction or is larger.
    Raises ``file-value`` for an integer that this would change, and names the file, the column and the value.
    """
    whole: dict[str, Any] = {"sample_size": -1, "maximum_sample_files": -1, "union_by_name": True, **options}
    described = engine.rows(f"DESCRIBE SELECT * FROM READ_JSON({_literal(path)}{arguments_sql(whole)})")
    for name, kind, *_ in described:
        if "DOUBLE" in str(kind):
            _check_integers(engine, path, str(name), at)
    return FileRead("read_json", tuple(sorted(whole.items())))


def _check_integers(engine: QueryRunner, path: str, name: str, at: Where | None) -> None:
    column = '"' + name.replace('"', '""') + '"'
    read = f"READ_JSON({_literal(path)}, columns={{{_literal(name)}: 'JSON'}}, filename='_file')"
    texts = f"SELECT _file, CAST({column} AS VARCHAR) AS x FROM {read}"
    tokens = f"SELECT _file, UNNEST({_INTEGERS}) AS t FROM ({texts})"
    for file, value in engine.rows(f"SELECT _file, t FROM ({tokens}) WHERE {_CHANGED} LIMIT 1"):
        raise AsknownError(
            "file-value",
            f"{file}: column '{name}' has the integer {value}, which would be read as a float, and changed by it: "
            "it is beyond 64 bits, or other numbers there have a fraction",
            at=at,
            hint=f"write the numbers as text in the file, and cast them in a model: cast({name} as decimal(38, 2))",
        )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
