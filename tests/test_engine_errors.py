"""An engine's full reason reaches the user: the file, the line, the column, and what was wrong."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from asknown.engines.clickhouse.errors import translate as from_clickhouse
from asknown.engines.duckdb.errors import translate as from_duckdb
from asknown.engines.spark.errors import translate as from_spark

FILES = {
    "a.csv": b"id,x\n1,2\n2,abc\n3,4\n",
    "latin.csv": b"id,x\n1,\xe9\n2,y\n",
    "ragged.csv": b"a,b\n1,2\n2,3,4\n",
    "bad.json": b'{"a":1}\n{"a":',
    "bad.parquet": b"garbage garbage",
}
TYPES = "columns={'id': 'int', 'x': 'int'}"
DUCKDB = {
    f"from read_csv('a.csv', {TYPES})": (
        'Conversion Error: a.csv, line 3: Error when converting column "x". Could not convert string "abc" to '
        "'INTEGER'; the line is: 2,abc",
        "data_type",
    ),
    "from read_csv('latin.csv', header=true, delim=',')": ("This file is not utf-8 encoded; the line is", "latin-1"),
    "from read_csv('ragged.csv', auto_detect=false, columns={'a': 'text', 'b': 'text'})": (
        "ragged.csv, line 3: Expected Number of Columns: 2 Found: 3",
        "options",
    ),
    "from read_json('bad.json')": (
        'Malformed JSON in file "bad.json", at byte 6 in line 3: unexpected end of data',
        "",
    ),
    "from read_parquet('bad.parquet')": ("No magic bytes found at end of file 'bad.parquet'", ""),
    "select cast(x as int) + 1 from (values ('12'), ('abc')) t(x)": (
        "Could not convert string 'abc' to INT32 when casting from source column x, in cast(x as int)",
        "",
    ),
    "select strptime(x, '%Y') from (values ('2012'), ('abc')) t(x)": (
        'Could not parse string "abc" according to format specifier "%Y" Error: Expected a number',
        "",
    ),
    "select nosuch from (select 1 as nosuc)": ('Referenced column "nosuch" not found in FROM clause!', '"nosuc"'),
    "select error('asknown: first\nsecond')": ("first\nsecond", ""),
}


@pytest.mark.parametrize("sql", DUCKDB)
def test_duckdbs_reason_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(duckdb.Error) as caught, duckdb.connect() as connection:
        connection.execute(sql).fetchall()
    error = from_duckdb(caught.value)
    message, hint = DUCKDB[sql]
    assert message in error.message
    assert hint in (error.hint or "")
    assert not any(word in error.message for word in ("Auto-Detected", "LINE 1", "Possible", "Candidate", "^"))


def test_a_full_memory_names_the_targets_options() -> None:
    config = {"memory_limit": "60MB", "temp_directory": ""}
    with pytest.raises(duckdb.Error) as caught, duckdb.connect(config=config) as connection:
        connection.execute("from range(10_000_000) t(i) order by hash(i)").fetchall()
    error = from_duckdb(caught.value)
    assert "could not allocate" in error.message
    assert "memory_limit in profiles.yml" in (error.hint or "")


def test_clickhouse_says_where_in_the_file() -> None:
    text = (
        "Code: 27. DB::ParsingException: Cannot parse input: expected ',' before: 'abc\\n3,4': \n"
        'Row 2:\nColumn 1,   name: x, type: Int64, parsed text: "<EMPTY>"ERROR\n'
        ": (in file/uri /data/a.csv): While executing CSVRowInputFormat. (CANNOT_PARSE_INPUT_ASSERTION_FAILED) "
        "(version 25.1)"
    )
    message = from_clickhouse(text).message
    assert message.startswith("Cannot parse input: expected ',' before: 'abc\\n3,4': Row 2: Column 1, name: x")
    assert message.endswith("(in file/uri /data/a.csv)")


def test_spark_says_the_cause_and_the_expression() -> None:
    text = (
        "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///data/bad.parquet. SQLSTATE: KD001\n"
        "\tat org.apache.spark.sql.errors.QueryExecutionErrors\n"
        "Caused by: java.lang.RuntimeException: file:/data/bad.parquet is not a Parquet file. Expected magic number\n"
    )
    assert from_spark(Exception(text)).message == (
        "Encountered error while reading file file:///data/bad.parquet: "
        "file:/data/bad.parquet is not a Parquet file. Expected magic number"
    )
    text = (
        '[CAST_INVALID_INPUT] The value \'abc\' of the type "STRING" cannot be cast to "INT" because it is malformed. '
        "SQLSTATE: 22018\n== SQL (line 1, position 8) ==\nSELECT CAST(x AS INT) FROM t\n       ^^^^^^^^^^^^^^\n"
    )
    assert from_spark(Exception(text)).message.endswith("because it is malformed., in CAST(x AS INT)")
