"""The group of all commands: help, shared options, wrong usage, and how errors look."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from typed import JULY, fail, succeed, write

from asknown.cli.group import COMMANDS, main
from asknown.cli.help_text import TEXT

# --- the group --------------------------------------------------------------------------------------------------------


def test_help_has_a_line_for_each_command_and_the_exit_codes() -> None:
    text = succeed("--help").stdout
    for name, summary in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", text, re.MULTILINE)
    for code in ("0 ", "1 ", "2 ", "130 "):
        assert re.search(rf"^    {code}", text, re.MULTILINE)
    assert "_ASKNOWN_COMPLETE=bash_source" in text


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_help_at_hand_is_the_help_of_the_group(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert succeed("--help").stdout == TEXT, "run make docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_of_itself_what_the_group_says(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert (command.name, command.get_short_help_str(200)) == (name, COMMANDS[name])
    text = succeed(name, "--help").stdout
    assert re.search(rf"^ +asknown {name}\b", text, re.MULTILINE), "no example"
    assert max(map(len, text.splitlines())) < 110


def test_the_version() -> None:
    import asknown as package

    assert succeed("--version").stdout == f"asknown {package.__version__}\n"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(["trian"], "train"), (["materialise"], "materialize"), (["get", "x", "--formt", "csv"], "--format")],
)
def test_a_mistyped_word_is_wrong_usage_and_names_the_right_one(typed: list[str], meant: str) -> None:
    text = fail(*typed, code=2)
    assert f"Did you mean '{meant}'?" in text
    assert re.search(r"^  hint: asknown( get)? --help$", text, re.MULTILINE)


def test_no_command_shows_the_help_as_wrong_usage() -> None:
    assert "Commands:" in fail(code=2)


def test_shared_options_work_on_both_sides_of_the_command(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    before = succeed("--project", str(project), "ls")
    assert before == succeed("ls", "--project", str(project))
    assert before.stdout.startswith("kind ")
    for words in (["--target", "prod", "ls"], ["ls", "--target", "prod"]):
        text = fail("--project", str(project), *words)
        assert text.startswith("error[unknown-profile]: profile 'my_features' has no target 'prod'")


def test_a_project_works_from_another_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    words = ["--project", str(project)]
    assert (
        len(succeed("train", "customer_orders", "--spine", "orders_spine", *words, "--format", "csv").records()) == 58
    )
    succeed("materialize", "--until", JULY, *words)
    succeed("get", "customer_orders", "customer_id=1", "--at", JULY, *words)


def test_the_later_of_two_shared_options_holds(project: Path) -> None:
    assert succeed("--project", "/nowhere", "ls", "--project", str(project)).stdout.startswith("kind ")


# --- errors -----------------------------------------------------------------------------------------------------------


def test_an_error_points_into_the_file(project: Path) -> None:
    write(project / "models" / "broken.sql", "select\n    (customer_id\nfrom {{ ref('stg_orders') }}\n")
    lines = fail("show", "broken").splitlines()
    assert lines[0].startswith("error[sql-syntax]: the SQL of 'broken' does not parse")
    assert lines[1:4] == ["  at models/broken.sql:3:1", "  3 | from {{ ref('stg_orders') }}", "    | ^"]
    assert lines[4].startswith("  hint: ")


def test_debug_shows_where_an_error_comes_from(project: Path) -> None:
    for words in (["--debug", "show", "nothing"], ["show", "nothing", "--debug"]):
        text = fail(*words)
        assert text.startswith("Traceback (most recent call last)")
        assert "\nerror[unknown-model]: " in text
    assert "Traceback" not in fail("show", "nothing")


def test_outside_a_project_the_hint_is_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = fail("ls")
    assert text.startswith("error[no-project]: ")
    assert "hint: asknown init" in text
