"""A canary in the environment, in every place of profiles.yml that takes one, through every command: never shown."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from asknown import errors
from asknown.cli.group import main
from asknown.errors import hidden, keep_secret

CANARY = "t0k'en of=zebra/é&x"
SPINE = "select 1 as member_id, timestamp '2024-06-01' as event_timestamp"
FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "club"\n',
    "models/club.yml": "sources:\n  - name: shop\n    tables:\n      - {name: visits, path: visits.csv}\n"
    "entities:\n  - {name: member, keys: [member_id]}\n",
    "models/visits.sql": "{{ config(entity='member', event_time='seen_at') }}\n"
    "select member_id, seen_at, points from {{ source('shop', 'visits') }}\n",
    "visits.csv": "member_id,seen_at,points\n1,2024-01-01 12:00:00,10\n",
}
SAY = "\"{{ env_var('CANARY') }}\""
IN_A_PATH = "\"x/{{ env_var('CANARY') }}/y\""
PLACES = {
    "duckdb path": f"dev: {{type: duckdb, path: {SAY}}}",
    "duckdb path, below": f"dev: {{type: duckdb, path: {IN_A_PATH}}}",
    "an address": "dev: {type: duckdb, path: \"md:club?motherduck_token={{ env_var('CANARY') }}\"}",
    "threads": f"dev: {{type: duckdb, threads: {SAY}}}",
    "memory_limit": f"dev: {{type: duckdb, memory_limit: {SAY}}}",
    "temp_directory": "dev: {type: duckdb, temp_directory: \"/proc/{{ env_var('CANARY') }}\"}",
    "a setting": f"dev: {{type: duckdb, settings: {{threads: {SAY}}}}}",
    "an unknown setting": f"dev: {{type: duckdb, settings: {{s3_secret: {SAY}}}}}",
    "an unknown key": f"dev: {{type: duckdb, pasword: {SAY}}}",
    "the type": f"dev: {{type: {SAY}}}",
    "postgres dsn": f"dev: {{type: postgres, dsn: {SAY}}}",
    "postgres password": f"dev: {{type: postgres, host: 127.0.0.1, port: 1, user: u, password: {SAY}}}",
    "postgres address": "dev: {type: postgres, dsn: \"postgresql://u:{{ env_var('CANARY') }}@127.0.0.1:1/db\"}",
    "clickhouse dsn": f"dev: {{type: clickhouse, dsn: {SAY}}}",
    "clickhouse password": "dev: {type: clickhouse, dsn: \"clickhouse://u:{{ env_var('CANARY') }}@127.0.0.1:1/d\"}",
    "spark remote": "dev: {type: spark, remote: \"sc://127.0.0.1:1/;token={{ env_var('CANARY') }}\"}",
    "max_skew": f"dev: {{type: duckdb}}\n  online: {{max_skew: {SAY}}}",
    "online path": f"dev: {{type: duckdb}}\n  online: {{path: {IN_A_PATH}}}",
    "valkey address": "dev: {type: duckdb}\n"
    "  online: {type: valkey, url: \"redis://u:{{ env_var('CANARY') }}@127.0.0.1:1/0\"}",
    "online path of an output": f"dev: {{type: duckdb, online: {{path: {IN_A_PATH}}}}}",
    "online type": f"dev: {{type: duckdb}}\n  online: {{type: {SAY}}}",
    "the target's name": f"dev: {{type: duckdb}}\n  target: {SAY}",
}
COMMANDS = (
    ["ls"],
    ["show", "visits"],
    ["compile", "visits"],
    ["run"],
    ["train", "visits", "--spine", SPINE],
    ["train", "visits", "--spine", SPINE, "--explain"],
    ["materialize", "--until", "2024-06-01"],
    ["get", "visits", "member_id=1"],
    ["doctor"],
    ["doctor", "--target", "dev", "--format", "json"],
    ["--debug", "materialize", "--until", "2024-06-01"],
)


@pytest.mark.parametrize("place", PLACES)
def test_what_the_environment_holds_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "profiles.yml").write_text(f"club:\n  outputs:\n    {PLACES[place]}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CANARY", CANARY)
    failed = 0
    for command in COMMANDS:
        monkeypatch.setattr(errors, "_secrets", set())  # as in a new process
        done = CliRunner().invoke(main, command, prog_name="asknown")
        assert done.exception is None or isinstance(done.exception, SystemExit), command
        shown = [text for text in ("zebra", "of=", "en of", "t0k") if text in done.output]
        assert not shown, f"{command}: {done.output}"
        failed += done.exit_code != 0
    assert failed or place in ("online path", "temp_directory")
    for file in tmp_path.rglob("*.db"):
        with sqlite3.connect(file) as connection:
            assert not any("zebra" in line for line in connection.iterdump())


def test_an_address_hides_its_password_and_its_token() -> None:
    keep_secret("postgres://reader:p%40ssw0rd@db.example:5432/shop?api_key=k3y-of-a-zoo")
    assert hidden("user reader: p@ssw0rd or p%40ssw0rd at db.example: k3y-of-a-zoo") == (
        "user reader: *** or *** at db.example: ***"
    )


def test_short_values_are_not_blotted_out() -> None:
    keep_secret("dev")
    assert hidden("the target dev") == "the target dev"
