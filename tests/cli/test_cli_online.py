"""`asknown materialize` and `asknown get`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typed import JULY, fail, succeed, write

from asknown.cli.output import FORMATS

# --- materialize ------------------------------------------------------------------------------------------------------


def test_materialize_reports_each_view(project: Path) -> None:
    (project / "online.db").unlink()
    first = succeed("materialize", "--until", "2024-03-01", "--format", "json").objects()
    assert [(row["view"], row["new"], row["rows_seen"]) for row in first] == [
        ("customer_orders", 9, 9),
        ("customer_profile", 12, 12),
    ]
    assert first[0]["watermark"] == "2024-03-01T00:00:00+00:00"
    (second,) = succeed("materialize", "customer_orders", "--until", "2024-03-01 00:00", "--format", "csv").records()
    assert (second["new"], second["unchanged"]) == ("0", "9")
    output = succeed("materialize", "--until", JULY)
    assert re.search(r"^customer_profile +12 +0 +\d+ +0 +\d+ +2024-07-01 00:00:00$", output.stdout, re.MULTILINE)
    said = "customer_orders: load: nothing new in the sources\ncustomer_profile: load: nothing new in the sources\n"
    assert re.match(rf"{said}2 views loaded into {re.escape(str(project / 'online.db'))} in ", output.stderr)
    refreshed = succeed("materialize", "--until", JULY, "--full-refresh", "--format", "json").objects()
    assert [row["rebuilt"] for row in refreshed] == [True, True]


def test_materialize_at_an_instant_with_an_offset(project: Path) -> None:
    (project / "online.db").unlink()
    (row, _) = succeed("materialize", "--until", "2024-03-01T02:30+02:00", "--format", "json").objects()
    assert row["watermark"] == "2024-03-01T00:30:00+00:00"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--until", "tomorrow"], "error[bad-value]: --until: 'tomorrow' is not an instant"),
        (["--until", "2024-13-01"], "error[bad-value]: --until: '2024-13-01' is not an instant"),
        (["--until", "0001-01-01T00:00+23:59"], "is not an instant"),
        (["--until", "2999-01-01"], "is in the future"),
        (["custmer_orders"], "did you mean 'customer_orders'"),
        (["stg_orders"], "error[unknown-view]"),
    ],
)
def test_materialize_refuses(project: Path, words: list[str], says: str) -> None:
    assert says in fail("materialize", *words)


# --- get --------------------------------------------------------------------------------------------------------------


def test_get_one_entity(project: Path) -> None:
    output = succeed("get", "return_risk_v1", "customer_id=1", "--at", JULY)
    lines = [line.split() for line in output.stdout.splitlines()]
    assert lines[0] == ["feature", "value", "status", "event", "time"]
    assert [line[:3] for line in lines[2:]] == [
        ["last_amount", "49.97", "PRESENT"],
        ["last_items", "2", "PRESENT"],
        ["last_returned", "false", "PRESENT"],
        ["plan", "plus", "PRESENT"],
        ["city", "Porto", "PRESENT"],
    ]
    assert output.stderr == ""


def test_get_needs_no_secret_of_the_warehouse(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["get", "customer_orders:last_items", "customer_id=1", "--at", JULY, "--format", "csv"]
    expected = succeed(*words).stdout
    write(
        project / "profiles.yml",
        f"""{project.name}:
  target: "{{{{ env_var('ASKNOWN_TEST_TARGET') }}}}"
  outputs: {{dev: {{type: postgres, password: "{{{{ env_var('ASKNOWN_TEST_SECRET') }}}}"}}}}
  online: {{type: sqlite, path: online.db}}
""",
    )
    assert "ASKNOWN_TEST_TARGET is not set" in fail(*words)  # whose table is to be read cannot be known
    assert succeed(*words, "--target", "dev").stdout == expected
    monkeypatch.setenv("ASKNOWN_TEST_TARGET", "dev")
    assert succeed(*words).stdout == expected
    assert "no target 'prod' among its outputs" in fail(*words, "--target", "prod")
    assert "error[missing-env]" in fail("materialize", "--target", "dev")


def test_get_in_json_has_all_there_is(project: Path) -> None:
    words = ["get", "customer_orders:last_amount", "customer_profile:city"]
    (found,) = succeed(*words, "customer_id=1", "--at", JULY, "--format", "json").objects()
    assert found == {
        "entity": {"customer_id": 1},
        "values": {"last_amount": "49.97", "city": "Porto"},
        "statuses": {"last_amount": "PRESENT", "city": "PRESENT"},
        "event_timestamps": {
            "last_amount": "2024-06-11T01:09:00+00:00",
            "city": "2024-01-25T18:05:00+00:00",
        },
    }
    (found,) = succeed(*words, "customer_id=1", "--at", "2025-07-01", "--format", "json").objects()
    assert found["values"] == {"last_amount": None, "city": "Porto"}
    assert found["statuses"] == {"last_amount": "OUTSIDE_MAX_AGE", "city": "PRESENT"}
    (found,) = succeed(*words, "customer_id=99", "--at", JULY, "--format", "json").objects()
    assert set(found["statuses"].values()) == {"NOT_FOUND"}
    assert set(found["event_timestamps"].values()) == {None}


def test_get_is_what_train_gives(project: Path) -> None:
    spine = f"select distinct customer_id, timestamp '{JULY}' as event_timestamp from {{{{ ref('stg_orders') }}}} "
    trained = succeed("train", "return_risk_v1", "--spine", spine + "order by 1", "--format", "json").objects()
    lines = "".join(json.dumps({"customer_id": row["customer_id"]}) + "\n" for row in trained)
    read = succeed("get", "return_risk_v1", "--rows", "-", "--at", JULY, "--format", "json", stdin=lines).objects()
    assert [{**row["entity"], **row["values"]} for row in read] == [
        {name: value for name, value in row.items() if name != "event_timestamp"} for row in trained
    ]


def test_get_many_entities(project: Path) -> None:
    rows = "customer_id,request\n1,a\n99,b\n1,\n,d\n"
    write(project / "rows.csv", rows)
    words = ["get", "customer_orders:last_items", "customer_profile:plan", "--at", "2024-12-01", "--rows"]
    output = succeed(*words, "rows.csv")
    assert [line.split() for line in output.stdout.splitlines()[2:]] == [
        ["1", "a", "OUTSIDE_MAX_AGE", "plus"],
        ["99", "b", "NOT_FOUND", "NOT_FOUND"],
        ["1", "NULL", "OUTSIDE_MAX_AGE", "plus"],
        ["NULL", "d", "NOT_FOUND", "NOT_FOUND"],
    ]
    assert succeed(*words, "rows.csv", "--format", "csv").stdout == (
        "customer_id,request,last_items,plan\n1,a,,plus\n99,b,,\n1,,,plus\n,d,,\n"
    )
    lines = '{"customer_id": 1, "request": "a"}\n\n{"customer_id": 99, "request": "b"}\n'
    write(project / "rows.jsonl", lines + '{"customer_id": 1}\n{"customer_id": null, "request": "d"}\n')
    for kind in FORMATS:
        assert succeed(*words, "rows.jsonl", "--format", kind) == succeed(*words, "rows.csv", "--format", kind)
    full = succeed(*words, "rows.csv", "--full-names", "--format", "csv").stdout
    assert full.startswith("customer_id,request,customer_orders__last_items,customer_profile__plan\n")


def test_get_without_any_row(project: Path) -> None:
    write(project / "rows.jsonl", "")
    assert succeed("get", "customer_orders", "--rows", "rows.jsonl", "--at", JULY, "--format", "json").objects() == []


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["customer_id=1"], 2, "no features given"),
        (["customer_orders", "=1"], 2, "'=1' names no key"),
        (["customer_orders", "customer_id=1", "customer_id=2"], 2, "the key 'customer_id' is given twice"),
        (["customer_orders", "customer_id=1", "--rows", "-"], 2, "not both"),
        (["customer_orders"], 1, "error[spine-key]: key 'customer_id' is missing"),
        (["customer_orders", "custmer_id=1"], 1, "did you mean 'customer_id'?"),
        (["customer_orders", "customer_id"], 1, "key 'customer_id' has no value"),
        (["customer_orders", "customer_id=one"], 1, "error[key-type]: 'one' cannot be read as the BIGINT"),
        (["customer_orders", "customer_id=1.7"], 1, "error[key-type]"),
        (["custmer_orders", "customer_id=1"], 1, "did you mean 'customer_orders'"),
        (["customer_orders:last_amuont", "customer_id=1"], 1, "did you mean 'last_amount'"),
        (["customer_orders", "customer_id=1", "--at", "noon"], 1, "'noon' is not an instant"),
        (["customer_orders", "customer_id=1", "--at", "2024-01-01"], 1, "error[before-watermark]"),
        (["customer_orders", "--rows", "none.csv"], 1, "none.csv cannot be read: No such file"),
        (["customer_orders", "--rows", "none.txt"], 1, "the format of none.txt is unknown"),
    ],
)
def test_get_refuses(project: Path, words: list[str], code: int, says: str) -> None:
    assert says in fail("get", *words, code=code)


@pytest.mark.parametrize(
    ("text", "ending", "says"),
    [
        ('{"customer_id": 1}\n{"customer_id": }\n', "jsonl", "rows.jsonl:2"),
        ("[1]\n", "jsonl", "it is not an object"),
        ('{"customer_id": "1"}\n', "jsonl", "error[key-type]"),
        ('{"customer_id": 1.5}\n', "jsonl", "the float 1.5"),
        ('{"customer": 1}\n', "jsonl", "did you mean 'customer'"),
        ("customer_id\n1\nx\n", "csv", "rows.csv:3"),
        ("customer_id,customer_id\n1,2\n", "csv", "two of its columns have the same name"),
        ("customer_id,request\n1\n", "csv", "it has 1 fields, but the header has 2"),
        ('customer_id\n"1\n', "csv", "the entities cannot be read"),
    ],
)
def test_get_points_at_the_row_that_cannot_be_read(project: Path, text: str, ending: str, says: str) -> None:
    write(project / f"rows.{ending}", text)
    assert says in fail("get", "customer_orders", "--rows", f"rows.{ending}", "--at", JULY)


def test_get_before_anything_is_loaded(project: Path) -> None:
    (project / "online.db").unlink()
    text = fail("get", "customer_orders", "customer_id=1")
    assert text.startswith("error[no-online]: ")
    assert "asknown materialize" in text


KEYS = [
    ("date '2024-01-31'", "2024-01-31", '"2024-01-31"'),
    ("timestamp '2024-01-31 12:00:00'", "2024-01-31T12:00", '"2024-01-31 12:00:00"'),
    ("cast('12.50' as decimal(10, 2))", "12.5", "12.50"),
    ("true", "true", "true"),
    ("'a=b'", "a=b", '"a=b"'),
    ("uuid '0f8fad5b-d9cb-469f-a165-70867728950e'", "0F8FAD5B-D9CB-469F-A165-70867728950E", None),
    ("cast(-7 as smallint)", "-7", "-7"),
]


@pytest.mark.parametrize(("sql", "typed", "in_json"), KEYS)
def test_keys_are_read_by_their_type(
    sql: str, typed: str, in_json: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "pyproject.toml", '[tool.asknown]\nname = "keys"\n')
    write(tmp_path / "models" / "entities.yml", "entities: [{name: thing}]")
    config = "{{ config(entity='thing', event_time='at') }}"
    write(tmp_path / "models" / "seen.sql", f"{config} select {sql} as thing, timestamp '2024-01-01' as at, 5 as five")
    succeed("materialize", "--until", "2024-02-01")
    assert succeed("get", "seen", f"thing={typed}", "--format", "csv").stdout.endswith(",5\n")
    write(tmp_path / "rows.csv", f"thing\n{typed}\n")
    assert succeed("get", "seen", "--rows", "rows.csv", "--format", "csv").stdout.endswith(",5\n")
    line = f'{{"thing": {in_json or json.dumps(typed)}}}'
    assert succeed("get", "seen", "--rows", "-", "--format", "csv", stdin=line).stdout.endswith(",5\n")
