"""Files are read as they are: every value of every file arrives unchanged, or an error names it."""

from __future__ import annotations

import datetime as dt
import gzip
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asknown import AsknownError, FeatureStore
from asknown.engines.duckdb import DuckDB

MANY = 30_000  # rows, more than DuckDB's sniffer looks at


def project(folder: Path, path: str, more: str = "") -> FeatureStore:
    """A project with one source ``raw.t`` at ``path``, and a model ``m`` of all its columns."""
    (folder / "models").mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "p"\n')
    (folder / "models" / "s.yml").write_text(
        f"sources:\n  - name: raw\n    tables:\n      - name: t\n        path: {path}\n{more}"
    )
    (folder / "models" / "m.sql").write_text("select * from {{ source('raw', 't') }}")
    return FeatureStore(folder)


def read(folder: Path, path: str, more: str = "") -> pa.Table:
    with project(folder, path, more) as store:
        return store.preview("m", None)


def csv(folder: Path, *lines: str, name: str = "t.csv") -> str:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return name


def after_many(usual: str, *late: str) -> list[str]:
    return ["id,x", *(f"{i},{usual}" for i in range(MANY)), *(f"{i},{value}" for i, value in enumerate(late))]


LATE: dict[str, tuple[str, tuple[str, ...], list[Any]]] = {
    "decimals after integers": ("5", ("7.9", "8.4"), [7.9, 8.4]),
    "a key with leading zeros": ("17", ("007",), ["007"]),
    "an integer beyond 64 bits": ("5", ("12345678901234567890",), [Decimal("12345678901234567890")]),
    "text after numbers": ("5", ("n/a",), ["n/a"]),
    "a time of day after dates": ("2024-03-01", ("2024-03-02 11:00:00",), [dt.datetime(2024, 3, 2, 11)]),
    "a fraction after seconds": (
        "2024-03-01 10:00:00",
        ("2024-03-01 10:00:00.123456",),
        [dt.datetime(2024, 3, 1, 10, 0, 0, 123456)],
    ),
    "text after truths": ("true", ("maybe",), ["maybe"]),
    "a number after nothing": ("", ("5",), [5]),
    "an instant after nothing": ("", ("2024-03-01 10:00:00",), [dt.datetime(2024, 3, 1, 10)]),
    "a quoted field after plain ones": ("a", ('"b,c"', '"d ""e"""'), ["b,c", 'd "e"']),
    "a comment sign": ("a", ("#b",), ["#b"]),
    "underscores in a number": ("5", ("1_000",), ["1_000"]),
    "an exponent": ("5", ("1e3",), [1000.0]),
}


@pytest.mark.parametrize("what", LATE)
def test_the_whole_file_decides(tmp_path: Path, what: str) -> None:
    usual, late, expected = LATE[what]
    found = read(tmp_path, csv(tmp_path, *after_many(usual, *late)))
    assert found["x"].to_pylist()[MANY:] == expected
    assert len(found) == MANY + len(late)


REFUSED: dict[str, tuple[list[str], str, str]] = {
    "digits that a float loses": (
        after_many("5.5", "0.12345678901234567891"),
        "",
        f"t.csv, line {MANY + 2}: column 'x' has a number that a float does not keep: '0.12345678901234567891'",
    ),
    "nanoseconds": (
        after_many("2024-03-01 10:00:00", "2024-03-01 10:00:00.123456789"),
        "",
        f"t.csv, line {MANY + 2}: column 'x' has an instant that is not a whole microsecond: '2024-03-01 10:00:00.",
    ),
    "offsets and none": (
        after_many("2024-03-01 10:00:00", "2024-03-01 10:00:00+02:00"),
        "",
        "t.csv, line 2: column 'x' mixes times with an offset (1) and without (30000)",
    ),
    "an ambiguous order": (
        ["id,x", "1,01/06/2024", "2,02/06/2024"],
        "",
        "t.csv, line 2: column 'x' has dates in an ambiguous order",
    ),
    "a declared type": (
        ["id,x", "1,5", "2,7.9"],
        "        columns: [{name: x, data_type: bigint}]\n",
        "t.csv, line 3: column 'x' has a value that bigint does not hold: '7.9'",
    ),
    "a declared scale": (
        ["id,x", "1,5.25", "2,7.125"],
        "        columns: [{name: x, data_type: 'decimal(9,2)'}]\n",
        "t.csv, line 3: column 'x' has a value that decimal(9,2) does not hold: '7.125'",
    ),
    "a scale after a comma": (
        ["id;x", "1;5,25", "2;7,125"],
        "        columns: [{name: x, data_type: 'decimal(9,2)'}]\n        options: {decimal_separator: ','}\n",
        "t.csv, line 3: column 'x' has a value that decimal(9,2) does not hold: '7,125'",
    ),
    "digits after a comma": (
        ["id;x", "1;0,12345678901234567891"],
        "        options: {decimal_separator: ','}\n",
        "t.csv, line 2: column 'x' has a number that a float does not keep: '0,12345678901234567891'",
    ),
    "a number beyond a float": (
        ["x", "1e400", "1.5"],
        "",
        "column 'x' has a number that a float does not keep: '1e400'",
    ),
    "a number that a float takes for zero": (["x", "1.5", "1e-400"], "", "does not keep: '1e-400'"),
    "a declared float": (
        ["x", "1e39"],
        "        columns: [{name: x, data_type: real}]\n",
        "t.csv, line 2: column 'x' has a value that real does not hold: '1e39'",
    ),
    "a line of fewer values": (
        ["a,b,c", "1,2", "3,4,5"],
        "",
        "t.csv, line 2 has 2 values, and the line of names has 3",
    ),
    "no line of names": (["1,2024-01-01", "2,2024-01-02"], "", "the first line seems to hold values"),
    "a quote that is never closed": (["a,b", '1,"x', "2,y"], "", "t.csv: no delimiter and no quotes divide all of its"),
    "two columns of one name": (["a,A", "1,2"], "", "two columns have the name 'a'"),
    "the same name twice": (["b,a,a", "0,1,2"], "", "two columns have the name 'a'"),
    "a declared column that is not there": (
        ["a", "1"],
        "        columns: [{name: aa, data_type: bigint}]\n",
        "t.csv has no column 'aa', whose data_type the source declares",
    ),
    "a year of two digits": (["x", "13/01/24"], "", "column 'x' has dates whose years have two digits"),
    "a line of more values": (["a,b", "1,2", "3,4,5"], "", "the first 2 lines have fewer values than the others"),
    "a title": (["Report of May", "", "a,b", "1,2"], "", "the first 2 lines have fewer values than the others"),
    "a declared date": (
        ["id,x", "1,2024-03-01 10:00:00"],
        "        columns: [{name: x, data_type: date}]\n",
        "t.csv, line 2: column 'x' has a value that date does not hold: '2024-03-01 10:00:00'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_as_it_is_is_named(tmp_path: Path, what: str) -> None:
    lines, more, words = REFUSED[what]
    with pytest.raises(AsknownError, match=re.escape(words)) as raised:
        read(tmp_path, csv(tmp_path, *lines), more)
    assert raised.value.code == "file-value"
    assert raised.value.hint


FORMS = {
    "gzip": (gzip.compress(b"x\n1\n"), "t.csv is compressed by gzip"),
    "zip": (b"PK\x03\x04 and so on", "t.csv is a zip archive or an Excel workbook"),
    "UTF-16": ("x\n1\n".encode("utf-16"), "t.csv is written in UTF-16"),
    "Parquet": (b"PAR1 and so on PAR1", "t.csv is a Parquet file"),
    "nothing": (b"", "t.csv is empty"),
}


@pytest.mark.parametrize("what", FORMS)
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path: Path, what: str) -> None:
    content, words = FORMS[what]
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(AsknownError, match=re.escape(words)) as raised:
        read(tmp_path, "t.csv")
    assert raised.value.code == "file-value"


def test_the_hint_for_utf_16_reads_the_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("x,y\n1,é\n".encode("utf-16"))
    assert read(tmp_path, "t.csv", "        options: {encoding: utf-16}\n").to_pylist() == [{"x": 1, "y": "é"}]


BESIDE = {
    "of Delta Lake": ("_delta_log/00000000000000000000.json", "is a table of Delta Lake"),
    "of Iceberg": ("metadata/v1.metadata.json", "is a table of Iceberg"),
    "of Hudi": (".hoodie/hoodie.properties", "is a table of Hudi"),
    "unfinished": ("_temporary/0/part-1.parquet", "such files are unfinished or hidden"),
    "hidden": ("._part-1.parquet", "such files are unfinished or hidden"),
    "of text": ("day=1/more.csv", "of a folder, asknown reads the Parquet files alone"),
}


@pytest.mark.parametrize("what", BESIDE)
def test_a_folder_that_holds_other_rows_is_refused(tmp_path: Path, what: str) -> None:
    name, words = BESIDE[what]
    for file in ("rows/part-0.parquet", f"rows/{name}"):
        parquet(tmp_path, file, "select 1 as x")
    with pytest.raises(AsknownError, match=re.escape(words)):
        read(tmp_path, "rows")


def test_marks_of_a_finished_write_are_no_rows(tmp_path: Path) -> None:
    parquet(tmp_path, "rows/_day=1/part-0.parquet", "select 1 as x")
    for name in ("_SUCCESS", ".part-0.parquet.crc", "README.md", "_metadata"):
        (tmp_path / "rows" / name).write_text("")
    assert read(tmp_path, "rows")["x"].to_pylist() == [1]


DECLARED: dict[str, tuple[list[str], str, list[Any]]] = {
    "the order of dates": (
        ["x", "01/06/2024", "02/06/2024"],
        "        options: {dateformat: '%d/%m/%Y'}\n",
        [dt.date(2024, 6, 1), dt.date(2024, 6, 2)],
    ),
    "dates without marks": (
        ["x", "20240601", "20240602"],
        "        options: {dateformat: '%Y%m%d'}\n",
        [dt.date(2024, 6, 1), dt.date(2024, 6, 2)],
    ),
    "an order that the file decides": (
        ["x", "01/06/2024", "13/06/2024"],
        "",
        [dt.date(2024, 6, 1), dt.date(2024, 6, 13)],
    ),
    "text": (["x", "007", "8"], "        columns: [{name: x, data_type: varchar}]\n", ["007", "8"]),
    "a decimal": (
        ["x", "0.10", "12.345"],
        "        columns: [{name: x, data_type: 'decimal(9,3)'}]\n",
        [Decimal("0.100"), Decimal("12.345")],
    ),
    "a float of many digits": (
        ["x", "0.12345678901234567891"],
        "        columns: [{name: x, data_type: double}]\n",
        [0.12345678901234567891],
    ),
    "nulls": (["x", "5", "NA", "-"], "        options: {nulls: [NA, '-']}\n", [5, None, None]),
    "a delimiter": (["x|y", "5|a,b"], "        options: {delimiter: '|'}\n", [5]),
    "no header": (["5", "7"], "        options: {header: false}\n", [5, 7]),
    "a comma before the fraction": (
        ["x;y", "1,5;a", "-7;b", ";c", "0,25;d"],
        "        options: {decimal_separator: ','}\n",
        [1.5, -7.0, None, 0.25],
    ),
    "a comma after the sample": (
        ["x;y", *["7;a"] * 30_000, "7,5;b"],
        "        options: {decimal_separator: ',', delimiter: ';'}\n",
        [*[7.0] * 30_000, 7.5],
    ),
    "a comma, and whole numbers": (["x;y", "7;a"], "        options: {decimal_separator: ','}\n", [7]),
    "a comma, and thousands": (
        ["x;y", "1.234,5;a", "2,5;b"],
        "        options: {decimal_separator: ','}\n",
        ["1.234,5", "2,5"],
    ),
    "a comma, and a point": (["x;y", "1.5;a"], "        options: {decimal_separator: ','}\n", ["1.5"]),
    "a comma in a decimal": (
        ["x;y", "1,50;a", "12,345;b"],
        "        options: {decimal_separator: ','}\n        columns: [{name: x, data_type: 'decimal(9,3)'}]\n",
        [Decimal("1.500"), Decimal("12.345")],
    ),
    "a quote": (["x,y", "'7,5',a"], '        options: {quote: "\'"}\n', ["7,5"]),
    "an escape": (["x,y", '"a\\"b",c'], "        options: {escape: '\\\\'}\n".replace("\\\\", "\\"), ['a"b']),
    "the form of timestamps": (
        ["x", "01.06.2024 10:30", "02.06.2024 11:00"],
        "        options: {timestampformat: '%d.%m.%Y %H:%M'}\n",
        [dt.datetime(2024, 6, 1, 10, 30), dt.datetime(2024, 6, 2, 11)],
    ),
    "lines to skip": (["written by hand", "x", "5"], "        options: {skip: 1}\n", [5]),
}


@pytest.mark.parametrize("what", DECLARED)
def test_what_a_source_declares_is_used(tmp_path: Path, what: str) -> None:
    lines, more, expected = DECLARED[what]
    found = read(tmp_path, csv(tmp_path, *lines), more)
    assert found.column(0).to_pylist() == expected


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".csv.gz", ".json", ".jsonl", ".ndjson", ".jsonl.gz", ".parq"])
def test_the_endings_of_files(tmp_path: Path, ending: str) -> None:
    rows = [{"id": i, "x": 5} for i in range(MANY)] + [{"id": 1, "x": 7.9}]
    path = tmp_path / f"t{ending}"
    if ending == ".parq":
        duckdb.sql(f"copy (select 7.9::double as x) to '{path}' (format parquet)")
    elif ".json" in ending or "ndjson" in ending:
        text = "\n".join(f'{{"id": {row["id"]}, "x": {row["x"]}}}' for row in rows)
        path.write_bytes(gzip.compress(text.encode()) if ending.endswith(".gz") else text.encode())
    else:
        mark = "\t" if ".tsv" in ending else ","
        text = "\n".join([f"id{mark}x", *(f"{row['id']}{mark}{row['x']}" for row in rows)])
        path.write_bytes(gzip.compress(text.encode()) if ending.endswith(".gz") else text.encode())
    assert read(tmp_path, path.name)["x"].to_pylist()[-1] == 7.9


# ---------------------------------------------------------------- several files


def test_csv_files_are_united_by_the_names_of_their_columns(tmp_path: Path) -> None:
    csv(tmp_path, "id,day", "1,2024-03-01", name="a/1.csv")
    csv(tmp_path, "day,id,price", "2024-03-02 10:00:00,2,1.5", name="a/2.csv")
    found = read(tmp_path, "'a/*.csv'").sort_by("id")
    assert found["day"].to_pylist() == [dt.datetime(2024, 3, 1), dt.datetime(2024, 3, 2, 10)]
    assert found["price"].to_pylist() == [None, 1.5]


def test_csv_files_of_two_forms_are_refused(tmp_path: Path) -> None:
    csv(tmp_path, "id,x", "1,2", name="a/1.csv")
    csv(tmp_path, "id;x", "1;2", name="a/2.csv")
    with pytest.raises(AsknownError, match=r"differ in their delimiter: ',' and ';'"):
        read(tmp_path, "'a/*.csv'")


def parquet(folder: Path, name: str, select: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"copy ({select}) to '{folder / name}' (format parquet)")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("1::int", "2.5::double", [1.0, 2.5]),
        ("1.5::decimal(4,1)", "2.345::decimal(9,3)", [Decimal("1.500"), Decimal("2.345")]),
        ("1::tinyint", "3000000000::bigint", [1, 3000000000]),
        (
            "date '2024-03-01'",
            "timestamp '2024-03-01 10:00:00'",
            [dt.datetime(2024, 3, 1), dt.datetime(2024, 3, 1, 10)],
        ),
        ("1::int", "2.5::decimal(4,1)", [Decimal("1.0"), Decimal("2.5")]),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_parquet_files_have_the_widest_exact_type(
    tmp_path: Path, first: str, second: str, expected: list[Any], turned: bool
) -> None:
    parquet(tmp_path, f"a/{1 + turned}.parquet", f"select 1 as id, {first} as x")
    parquet(tmp_path, f"a/{2 - turned}.parquet", f"select 2 as id, {second} as x")
    assert read(tmp_path, "'a/*.parquet'").sort_by("id")["x"].to_pylist() == expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("9007199254740993::bigint", "2.5::double"),
        ("1.1::decimal(4,1)", "2.5::double"),
        ("true", "2::int"),
        ("timestamp '2024-03-01'", "timestamptz '2024-03-01 00:00:00+00'"),
        ("5::int", "'five'"),
    ],
)
def test_parquet_files_without_an_exact_common_type_are_refused(tmp_path: Path, first: str, second: str) -> None:
    parquet(tmp_path, "a/1.parquet", f"select {first} as x")
    parquet(tmp_path, "a/2.parquet", f"select {second} as x")
    with pytest.raises(AsknownError, match=r"column 'x' is .* in .*1\.parquet and .* in .*2\.parquet"):
        read(tmp_path, "'a/*.parquet'")


def test_a_folder_is_all_parquet_files_below_it(tmp_path: Path) -> None:
    parquet(tmp_path, "a/b/1.parquet", "select 1 as x")
    parquet(tmp_path, "a/2.parquet", "select 2 as x")
    assert sorted(read(tmp_path, "a")["x"].to_pylist()) == [1, 2]


def test_folders_that_name_a_column_bring_it(tmp_path: Path) -> None:
    parquet(tmp_path, "a/day=2024-03-01/1.parquet", "select 1 as x")
    parquet(tmp_path, "a/day=2024-03-02/1.parquet", "select 2 as x")
    found = read(tmp_path, "a").sort_by("x")
    assert found["day"].to_pylist() == [dt.date(2024, 3, 1), dt.date(2024, 3, 2)]


def test_a_column_that_folders_and_files_bring_is_refused(tmp_path: Path) -> None:
    parquet(tmp_path, "a/day=2024-03-01/1.parquet", "select 1 as x, date '2024-03-09' as day")
    with pytest.raises(AsknownError, match="'day' is a column of the files and a folder's name: day=2024-03-01"):
        read(tmp_path, "a")
    found = read(tmp_path, "a", "        options: {hive_partitioning: false}\n")
    assert found["day"].to_pylist() == [dt.date(2024, 3, 9)]


def test_nanoseconds_in_parquet_are_whole_microseconds_or_an_error(tmp_path: Path) -> None:
    parquet(tmp_path, "t.parquet", "select timestamp_ns '2024-03-01 10:00:00.123456' as x")
    assert read(tmp_path, "t.parquet")["x"].to_pylist() == [dt.datetime(2024, 3, 1, 10, 0, 0, 123456)]
    parquet(tmp_path, "t.parquet", "select timestamp_ns '2024-03-01 10:00:00.123456789' as x")
    with pytest.raises(AsknownError, match=r"whole microsecond.*: 2024-03-01 10:00:00\.123456789") as raised:
        read(tmp_path, "t.parquet")
    assert raised.value.code == "file-value"
    text = read(tmp_path, "t.parquet", "        columns: [{name: x, data_type: varchar}]\n")  # as the hint says
    assert text["x"].to_pylist() == ["2024-03-01 10:00:00.123456789"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("{delimeter: ';'}", "delimeter"),
        ("{header: maybe}", "true or false"),
        ("{thousands: '.'}", "thousands"),
        ("{decimal_separator: '/'}", "7,9"),
        ("{skip: -1}", "at least 0"),
        ("[1]", "a mapping"),
    ],
)
def test_an_option_that_is_none_is_named(tmp_path: Path, options: str, words: str) -> None:
    csv(tmp_path, "x", "1")
    with pytest.raises(AsknownError, match=words):
        read(tmp_path, "t.csv", f"        options: {options}\n")


def test_options_of_text_are_not_for_parquet(tmp_path: Path) -> None:
    parquet(tmp_path, "t.parquet", "select 1 as x")
    with pytest.raises(AsknownError, match=r"'delimiter' of .* is an option of text files"):
        read(tmp_path, "t.parquet", "        options: {delimiter: ';'}\n")


# ---------------------------------------------------------------- any values

TEXTS: dict[str, Callable[[Any], str]] = {
    "integers": str,
    "floats": repr,
    "decimals": str,
    "dates": str,
    "instants": str,
}
VALUES = {
    "integers": st.integers(-(2**63), 2**63 - 1),
    "floats": st.floats(allow_nan=False, allow_infinity=False),
    "dates": st.dates(),
    "instants": st.datetimes(),
}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_column_of_any_values_arrives_as_it_was_written(tmp_path: Path, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(VALUES)))
    values = data.draw(st.lists(st.none() | VALUES[kind], min_size=1, max_size=6))
    written = ["" if value is None else TEXTS[kind](value) for value in values]
    found = read(tmp_path, csv(tmp_path, "id,x", *(f"{i},{text}" for i, text in enumerate(written))))["x"].to_pylist()
    for value, text, came in zip(values, written, found, strict=True):
        if value is None:
            assert came is None
        elif isinstance(came, str):
            assert came == text
        else:
            assert came == value or came == dt.datetime.combine(value, dt.time())


# ---------------------------------------------------------------- several Parquet files

UNITED: dict[str, tuple[str, str, list[Any]]] = {
    "decimals": ("1.5::decimal(4,1)", "1.25::decimal(4,2)", [Decimal("1.50"), Decimal("1.25")]),
    "an integer and a decimal": ("7::bigint", "1.25::decimal(4,2)", [Decimal("7.00"), Decimal("1.25")]),
    "a column of NULLs": ("null", "5", [None, 5]),
    "nanoseconds and microseconds": (
        "timestamp_ns '2024-03-01 10:00:00.000001'",
        "timestamp '2024-03-02'",
        [dt.datetime(2024, 3, 1, 10, 0, 0, 1), dt.datetime(2024, 3, 2)],
    ),
}


@pytest.mark.parametrize("what", UNITED)
def test_parquet_files_are_united(tmp_path: Path, what: str) -> None:
    first, second, expected = UNITED[what]
    parquet(tmp_path, "t/a.parquet", f"select {first} as x")
    parquet(tmp_path, "t/b.parquet", f"select {second} as x")
    assert read(tmp_path, "t")["x"].to_pylist() == expected


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("1.5::decimal(38,1)", "1.25::decimal(38,20)", "they need 57 digits, and DuckDB keeps 38"),
        ("7::decimal(38,0)", "1.25::decimal(4,2)", "they need 40 digits"),
        ("{'y': 1}", "{'y': 1.5::double}", "column 'x.y' is INTEGER in"),
        ("[1]", "[1.5::double]", "no type holds both exactly"),
    ],
)
def test_parquet_files_of_no_common_type_are_named(tmp_path: Path, first: str, second: str, words: str) -> None:
    """The widest decimal has 38 digits, so that of DECIMAL(38, 1) and (38, 20) one lost its places: 1.25 became 1.3."""
    parquet(tmp_path, "t/a.parquet", f"select {first} as x")
    parquet(tmp_path, "t/b.parquet", f"select {second} as x")
    with pytest.raises(AsknownError, match=re.escape(words)) as caught:
        read(tmp_path, "t")
    assert caught.value.code == "file-value" and "a.parquet" in caught.value.message


@pytest.mark.parametrize("names", [["a", "A"], ["a", "a"]])
def test_a_parquet_file_with_two_columns_of_one_name_is_named(tmp_path: Path, names: list[str]) -> None:
    pq.write_table(pa.table([[1], [2]], names=names), tmp_path / "t.parquet")
    with pytest.raises(AsknownError, match=f"has the columns 'a' and '{names[1]}', which are one name"):
        read(tmp_path, "t.parquet")


def test_a_part_of_a_column_is_no_clash_with_a_folder(tmp_path: Path) -> None:
    parquet(tmp_path, "t/day=1/a.parquet", "select {'day': 5} as x")
    assert read(tmp_path, "t")["day"].to_pylist() == [1]


# ---------------------------------------------------------------- what it costs


def test_one_look_decides_all_columns_and_a_second_those_that_were_guessed_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    rows = DuckDB.rows

    def counted(engine: DuckDB, sql: str) -> list[tuple[Any, ...]]:
        looks.extend([sql] if "FILTER" in sql else [])
        return rows(engine, sql)

    monkeypatch.setattr(DuckDB, "rows", counted)
    usual = "1,2.5,2024-03-01,true,13/01/2024,5,9,text"
    lines = ["a,b,c,d,e,f,g,h", *[usual] * MANY]
    declared = "        columns: [{name: f, data_type: 'decimal(9,2)'}, {name: g, data_type: int}]\n"
    read(tmp_path, csv(tmp_path, *lines), declared)
    assert len(looks) == 1
    looks.clear()
    late = "1.5,n/a,2024-03-01 10:00:00,maybe,13/01/2024,5,9,text"
    found = read(tmp_path, csv(tmp_path, *lines, late), declared)
    assert [str(field.type) for field in found.schema][:4] == ["double", "string", "timestamp[us]", "string"]
    assert len(looks) == 2


EMPTY_AT_FIRST = {
    "offsets and none": (("2024-01-01 10:00:00", "2024-01-01 10:00:00Z"), "mixes times with an offset"),
    "nanoseconds": (("2024-01-01 10:00:00.123456789",), "has an instant that is not a whole microsecond"),
    "digits": (("0.12345678901234567891",), "has a number that a float does not keep"),
}


@pytest.mark.parametrize("what", EMPTY_AT_FIRST)
def test_a_column_that_begins_after_the_sample_is_refused_for_the_same_reasons(tmp_path: Path, what: str) -> None:
    late, words = EMPTY_AT_FIRST[what]
    with pytest.raises(AsknownError, match=f"line {MANY + 2}: column 'x' {words}"):
        read(tmp_path, csv(tmp_path, *after_many("", *late)))
