"""Reading a project's files: what a good one gives, and what a bad one says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from asknown.engines.engine import ENGINES
from asknown.errors import AsknownError
from asknown.project import find_root, load_online, load_profile, load_project, load_settings
from asknown.project.loader import standard_macros
from asknown.project.nodes import Key, Profile, Project, Settings
from asknown.project.options import (
    ClickHouseOptions,
    DuckDBOptions,
    PostgresOptions,
    SparkOptions,
    UnreadOptions,
)
from asknown.project.reader import Reader
from asknown.project.targets import TYPES, WRITTEN
from asknown.project.values import Entry, Mapping, Scalar, Value, to_plain
from asknown.project.yaml import read_yaml

REPOSITORY = Path(__file__).resolve().parents[1]
PYPROJECT = '[tool.asknown]\nname = "shop"\n'
MODEL = "select 1 as x\n"

Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASKNOWN_PROFILES_DIR", raising=False)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a project's files, given as path=text, over a smallest project; gives the root."""

    def write(files: dict[str, str | bytes] | None = None, **named: str | bytes) -> Path:
        root = tmp_path / "shop"
        every = {"pyproject.toml": PYPROJECT, "models/orders.sql": MODEL, **(files or {})}
        every |= {name.replace("__", "/").replace("_yml", ".yml"): text for name, text in named.items()}
        for name, content in every.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return write


def refused(run: Callable[[], object], code: str) -> AsknownError:
    """The error that ``run`` ends in, which must have this code."""
    with pytest.raises(AsknownError) as caught:
        run()
    assert caught.value.code == code, str(caught.value)
    return caught.value


def refused_properties(make: Make, text: str, code: str) -> AsknownError:
    root = make({"models/all.yml": text})
    return refused(lambda: load_project(root), code)


HERE = "§"  # stands in a file's text just before the place that the error points at


def check(fault: AsknownError, path: str, text: str, says: str, hint: str | None, *, shown: bool = True) -> None:
    """The error says this, at ``HERE`` in ``text`` (at the file as a whole where there is none)."""
    before, marked, _ = text.partition(HERE)
    line = before.count("\n") + 1 if marked else 0
    column = len(before.rpartition("\n")[2]) + 1 if marked else 0
    assert places(fault) == (path, line, column), str(fault)
    if shown:
        assert fault.at is not None
        assert fault.at.text == (text.replace(HERE, "").split("\n")[line - 1] if marked else "")
    assert says in fault.message
    assert hint is None or (fault.hint is not None and hint in fault.hint)


def places(fault: AsknownError) -> tuple[str, int, int]:
    assert fault.at is not None, str(fault)
    return fault.at.path, fault.at.line, fault.at.column


# --- the root and the settings ---------------------------------------------------------------------------------


def test_root_is_found_from_any_folder_below(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make({"models/staging/deep/a.sql": MODEL})
    assert find_root(root) == root
    assert find_root(root / "models" / "staging" / "deep") == root
    monkeypatch.chdir(root / "models")
    assert find_root() == root
    assert load_settings("staging").root == root


def test_nearest_root_wins_and_other_pyprojects_are_passed_over(make: Make) -> None:
    root = make(
        {
            "inner/pyproject.toml": '[tool.asknown]\nname = "inner"\n',
            "inner/models/a.sql": MODEL,
            "library/pyproject.toml": '[project]\nname = "library"\n',
            "library/src/x.txt": "",
            "template/pyproject.toml": "{{ broken",
        }
    )
    assert find_root(root / "inner" / "models") == root / "inner"
    assert find_root(root / "library" / "src") == root
    assert find_root(root / "template") == root


def test_no_project_says_where_it_looked(tmp_path: Path) -> None:
    fault = refused(lambda: load_project(tmp_path), "no-project")
    assert str(tmp_path) in fault.message
    assert fault.hint == "asknown init my_features"
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\n")
    fault = refused(lambda: load_project(tmp_path), "no-project")
    assert f"{tmp_path / 'pyproject.toml'} has no [tool.asknown] table" in fault.message


def test_a_start_that_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "x.sql"
    file.write_text("")
    fault = refused(lambda: load_project(file), "no-project")
    assert "is a file" in fault.message
    assert fault.hint == f"give its folder: {tmp_path}"
    assert "there is no folder" in refused(lambda: find_root(tmp_path / "gone"), "no-project").message


def test_settings_have_defaults(make: Make) -> None:
    root = make()
    assert load_settings(root) == Settings(
        name="shop",
        root=root,
        profile="shop",
        dialect="duckdb",
        model_paths=(root / "models",),
        macro_paths=(root / "macros",),
        test_paths=(root / "tests",),
        vars={},
    )


def test_every_setting_is_read(make: Make) -> None:
    text = """\
[tool.asknown]
name = "shop"
profile = "production"
dialect = "postgres"
model-paths = ["a", "../shared"]
macro-paths = ["m"]
[tool.asknown.vars]
days = 7
codes = ["a", "b"]
"""
    root = make({"pyproject.toml": text})
    settings = load_settings(root)
    assert (settings.profile, settings.dialect) == ("production", "postgres")
    assert settings.model_paths == (root / "a", root.parent / "shared")
    assert settings.macro_paths == (root / "m",)
    assert settings.vars == {"days": 7, "codes": ["a", "b"]}


@pytest.mark.parametrize(
    ("text", "code", "says", "hint"),
    [
        ('[tool.asknown]\nname = "s"\n§modle-paths = ["m"]\n', "unknown-key", "'modle-paths'", "'model-paths'"),
        ('[tool.asknown]\nname = "s"\n§model_paths = ["m"]\n', "unknown-key", "model_paths", "'model-paths'"),
        ('[tool.asknown]\nname = "s"\n\n[§tool.asknown.varz]\na = 1\n', "unknown-key", "'varz'", "'vars'"),
        ('[tool]\nasknown.name = "s"\n§asknown.profil = "p"\n', "unknown-key", "'profil'", "'profile'"),
        ('[other]\nnmae = 1\n[tool.asknown]\n§nmae = "s"\n', "unknown-key", "'nmae'", "'name'"),
        ('[§tool.asknown]\nprofile = "s"\n', "missing-key", "lacks 'name'", "name ="),
        ("[tool.asknown]\n§name = 3\n", "wrong-type", "must be text, not a number", None),
        ('[tool.asknown]\n§name = " "\n', "bad-name", "blank", None),
        ('[tool.asknown]\nname = "s"\n§model-paths = "m"\n', "wrong-type", "a list of folders", '["models"]'),
        ('[tool.asknown]\nname = "s"\n§model-paths = [1]\n', "wrong-type", "not a number", None),
        ('[tool.asknown]\nname = "s"\n§model-paths = []\n', "wrong-type", "must name a folder", None),
        ('[tool.asknown]\nname = "s"\n§vars = [1]\n', "wrong-type", "must be a table", "tool.asknown.vars"),
        ('[tool.asknown]\nname = "s"\n[tool.asknown.vars]\n§d = 2024-01-31\n', "wrong-type", "a date", "quotes"),
        ('[tool.asknown]\nname = "s"\n§vars.d = {a = 1}\n', "wrong-type", "not a table", None),
        ('[tool.asknown]\nname = "s"\n§vars = {d = [[1]]}\n', "wrong-type", "not a list", None),
        ("[[§tool.asknown]]\n", "wrong-type", "must be one table", "[tool.asknown]"),
        ("§tool.asknown = 3\n", "wrong-type", "must be one table", "[tool.asknown]"),
        ('[tool.asknown]\nname = "s"\nname = "t"§\n', "bad-toml", "overwrite", None),
        ('[tool.asknown]\nname = "s§\n', "bad-toml", "not TOML", None),
        ('[tool.asknown]\nname = """s§', "bad-toml", "not TOML", None),
    ],
)
def test_a_wrong_setting_is_refused_with_its_line(
    make: Make, text: str, code: str, says: str, hint: str | None
) -> None:
    root = make({"pyproject.toml": text.replace(HERE, "")})
    check(refused(lambda: load_settings(root), code), "pyproject.toml", text, says, hint)


@pytest.mark.parametrize(
    ("value", "line", "column", "says"), [("1" * 5000, 2, 5008, "not TOML"), ("[" * 5000, 0, 0, "nested too deep")]
)
def test_toml_that_exhausts_its_parser_is_refused(make: Make, value: str, line: int, column: int, says: str) -> None:
    root = make({"pyproject.toml": f"[tool.asknown]\nname = {value}"})
    fault = refused(lambda: load_settings(root), "bad-toml")
    assert places(fault) == ("pyproject.toml", line, column)
    assert says in fault.message


def test_a_text_of_several_lines_does_not_mislead_the_line(make: Make) -> None:
    table = 'text = """\nnmae = 1\n[tool.asknown]\n"""\n[tool.asknown]\nname = "s"\nnmae = 1\n'
    fault = refused(lambda: load_settings(make({"pyproject.toml": table})), "unknown-key")
    assert places(fault) == ("pyproject.toml", 7, 1)


def test_pyproject_must_be_utf8_and_may_have_windows_line_ends(make: Make) -> None:
    root = make({"pyproject.toml": b'\xef\xbb\xbf[tool.asknown]\r\nname = "shop"\r\n'})
    assert load_settings(root).name == "shop"
    make({"pyproject.toml": b'[tool.asknown]\nname = "caf\xe9"\n'})
    fault = refused(lambda: load_settings(root), "bad-toml")
    assert places(fault) == ("pyproject.toml", 2, 12)
    assert "UTF-8" in fault.message


def test_a_broken_pyproject_is_told_when_nothing_else_is_found(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("x = = 1\n")
    assert refused(lambda: find_root(tmp_path), "bad-toml").at is not None


# --- profiles --------------------------------------------------------------------------------------------------

PROFILES = """\
shop:
  target: dev
  outputs:
    dev: {type: duckdb, path: data/w.duckdb, threads: 2, memory_limit: 4GB, temp_directory: /tmp/x}
    prod:
      type: postgres
      host: "{{ env_var('PG_HOST') }}"
      password: "{{ env_var( \\"PG_PASSWORD\\" ) }}"
      port: 5432
  online: {type: sqlite, path: "{{ env_var('ONLINE', 'online/o.db') }}"}
"""


def profile_of(root: Path, **options: Any) -> Profile:
    return load_profile(load_settings(root), **options)


def refused_profile(make: Make, text: str, code: str, **options: Any) -> AsknownError:
    root = make({"profiles.yml": text})
    return refused(lambda: profile_of(root, **options), code)


def dev(options: str) -> str:
    return f"shop:\n  outputs:\n    dev:\n      {options}\n"


def test_without_profiles_it_is_duckdb_in_memory(make: Make) -> None:
    root = make()
    profile = profile_of(root)
    assert (profile.name, profile.target.name, profile.target.type) == ("shop", "dev", "duckdb")
    assert profile.target.options == DuckDBOptions(path=":memory:")
    assert profile.online.address == root / "online.db"
    assert profile_of(root, target="dev").target == profile.target
    assert "'prod'" in refused(lambda: profile_of(root, target="prod"), "unknown-profile").message
    assert "profiles.yml" in (refused(lambda: load_project(root, profile="p"), "unknown-profile").hint or "")


def test_the_chosen_target_is_read(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make({"profiles.yml": PROFILES})
    profile = profile_of(root)
    assert (profile.name, profile.target.name, profile.target.type) == ("shop", "dev", "duckdb")
    assert profile.target.options == DuckDBOptions(
        path=str(root / "data/w.duckdb"), threads=2, memory_limit="4GB", temp_directory="/tmp/x"
    )
    assert (profile.target.at.path, profile.target.at.line) == ("profiles.yml", 4)
    assert profile.online.address == root / "online/o.db"
    monkeypatch.setenv("ONLINE", "/somewhere/else.db")
    assert profile_of(root).online.address == Path("/somewhere/else.db")


def test_other_targets_variables_are_not_asked_for(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make({"profiles.yml": PROFILES})
    monkeypatch.delenv("PG_HOST", raising=False)
    profile_of(root)
    fault = refused(lambda: profile_of(root, target="prod"), "missing-env")
    assert places(fault) == ("profiles.yml", 7, 13)
    assert fault.message == "the environment variable PG_HOST is not set, but target 'prod' needs it"
    assert fault.hint == "export PG_HOST=…  or give a default: env_var('PG_HOST', '…')"
    monkeypatch.setenv("PG_HOST", "db.example")
    assert "PG_PASSWORD" in refused(lambda: profile_of(root, target="prod"), "missing-env").message
    monkeypatch.setenv("PG_PASSWORD", "0123")
    options = profile_of(root, target="prod").target.options
    assert options == PostgresOptions(host="db.example", password="0123", port=5432)


def test_target_and_profile_may_come_from_elsewhere(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make({"profiles.yml": "a:\n  outputs: {x: {type: duckdb}}\nb:\n  broken: 1\n"})
    project = load_project(root, profile="a")
    assert (project.profile.name, project.profile.target.name) == ("a", "x")
    make(
        {"profiles.yml": "shop:\n  target: \"{{ env_var('T') }}\"\n  outputs: {x: {type: duckdb}, y: {type: spark}}\n"}
    )
    refused(lambda: profile_of(root), "missing-env")
    monkeypatch.setenv("T", "y")
    assert profile_of(root).target.type == "spark"
    assert profile_of(root, target="x").target.type == "duckdb"


def test_a_target_may_have_its_own_online_table(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb}\n    old: {type: duckdb, online: }\n"
        "    prod: {type: postgres, dsn: \"{{ env_var('DSN') }}\", online: {path: 'p/{{target.name}}.db'}}\n"
        "    lab: {type: snowflake, online: {max_skew: 1 second}}\n"
        "  online: {path: \"{{ env_var('PLACE', 'x') }}/{{ target.name }}.db\", max_skew: 2 seconds}\n"
    )
    root = make({"profiles.yml": text})
    monkeypatch.setenv("DSN", "postgresql://h/d")
    found = {name: profile_of(root, target=name) for name in ("dev", "old", "prod", "lab")}
    assert {name: (p.online.address, p.online.max_skew) for name, p in found.items()} == {
        "dev": (root / "x/dev.db", 2_000_000),
        "old": (root / "x/old.db", 2_000_000),
        "prod": (root / "p/prod.db", 0),
        "lab": (root / "online.db", 1_000_000),
    }
    assert {(p.online.project, p.online.target == name) for name, p in found.items()} == {("shop", True)}
    assert found["lab"].target.options == UnreadOptions("snowflake", {})
    monkeypatch.delenv("DSN")  # a read needs none of the target's variables
    assert load_online(load_settings(root), "prod") == found["prod"].online
    assert load_online(load_settings(root)) == found["dev"].online


def test_environment_values_are_typed_where_a_type_is_wanted(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T", "3")
    monkeypatch.setenv("P", "12")
    text = dev("{type: duckdb, threads: \"{{ env_var('T') }}\", path: \"{{env_var('P')}}-{{ env_var('Q', 'q') }}\"}")
    root = make({"profiles.yml": text})
    assert profile_of(root).target.options == DuckDBOptions(path=str(root / "12-q"), threads=3)
    monkeypatch.setenv("T", "three")
    fault = refused(lambda: profile_of(root), "wrong-type")
    assert fault.message == "'threads' of target 'dev' must be a whole number, not text"
    assert "three" not in str(fault)


def test_settings_of_duckdb_are_texts(make: Make) -> None:
    text = dev("{type: duckdb, settings: {preserve_insertion_order: false, s3_region: eu, x: 1}}")
    options = profile_of(make({"profiles.yml": text})).target.options
    assert options == DuckDBOptions(settings={"preserve_insertion_order": "false", "s3_region": "eu", "x": "1"})


@pytest.mark.parametrize("path", [":memory:", "md:shop", "s3://bucket/w.duckdb", "/abs/w.duckdb"])
def test_paths_that_are_not_relative_stay(make: Make, path: str) -> None:
    options = profile_of(make({"profiles.yml": dev(f'{{type: duckdb, path: "{path}"}}')})).target.options
    assert options == DuckDBOptions(path=path)


def test_home_is_understood(make: Make) -> None:
    options = profile_of(make({"profiles.yml": dev("{type: duckdb, path: ~/w.duckdb}")})).target.options
    assert options == DuckDBOptions(path=str(Path.home() / "w.duckdb"))


@pytest.mark.parametrize("kind", WRITTEN)
def test_targets_without_an_engine_keep_their_options(make: Make, kind: str) -> None:
    target = profile_of(make({"profiles.yml": dev(f"{{type: {kind}, a: [1, x], b: {{c: 012}}}}")})).target
    assert target.type == kind
    assert target.options == UnreadOptions(kind, {"a": [1, "x"], "b": {"c": "012"}})


def test_each_engine_has_options_of_its_own(make: Make) -> None:
    root = make({"profiles.yml": dev("{type: clickhouse, path: w, secure: true, settings: {max_threads: 2, a: true}}")})
    wanted = ClickHouseOptions(path=str(root / "w"), secure=True, settings={"max_threads": "2", "a": "true"})
    assert profile_of(root).target.options == wanted
    make({"profiles.yml": dev("{type: spark, master: 'local[2]', warehouse: 's3a://b/w', settings: {spark.x-y: 1}}")})
    wanted_spark = SparkOptions(master="local[2]", warehouse="s3a://b/w", settings={"spark.x-y": "1"})
    assert profile_of(root).target.options == wanted_spark
    assert {row.options.type for row in ENGINES.values()} == set(ENGINES) == set(TYPES) - set(WRITTEN)


def test_a_truth_may_come_from_the_environment(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make({"profiles.yml": dev("{type: clickhouse, host: h, secure: \"{{ env_var('S') }}\"}")})
    monkeypatch.setenv("S", "false")
    assert profile_of(root).target.options == ClickHouseOptions(host="h", secure=False)
    monkeypatch.setenv("S", "perhaps")
    assert "perhaps" not in str(refused(lambda: profile_of(root), "wrong-type"))


@pytest.mark.parametrize(
    ("text", "code", "says", "hint"),
    [
        ("shap: {}\n", "unknown-profile", "no profile 'shop'", "'shap'"),
        ("", "unknown-profile", "no profile 'shop'", "there are no profiles"),
        ("§- shop\n", "wrong-type", "must be a mapping, not a list", None),
        ("shop: §3\n", "wrong-type", "must be a mapping", None),
        ("shop: §{target: dev}\n", "missing-key", "no 'outputs'", "type: duckdb"),
        ("shop:\n  §targets: dev\n", "unknown-key", "no key 'targets'", "'target'"),
        ("shop:\n  target: §div\n  outputs: {dev: {type: duckdb}}\n", "unknown-profile", "no target 'div'", "'dev'"),
        (
            "shop:\n  §outputs: {a: {type: duckdb}, b: {type: duckdb}}\n",
            "missing-key",
            "which of its outputs",
            "target: a",
        ),
        (dev("§{typo: duckdb}"), "missing-key", "lacks 'type'", "type: duckdb"),
        (dev("{type: §duckbd}"), "wrong-type", "'duckbd'", "'duckdb'"),
        (dev("{type: §sqlite, path: w.db}"), "wrong-type", "'sqlite'", "under 'online:'"),
        (dev("{type: clickhouse, §pasword: x}"), "unknown-key", "no key 'pasword'", "'password'"),
        (dev("{type: spark, §mater: x}"), "unknown-key", "no key 'mater'", "'master'"),
        (dev("{type: spark, settings: §fast}"), "wrong-type", "must be a mapping", None),
        (dev("{type: §[duckdb]}"), "wrong-type", "must be text, not a list", None),
        (dev("{type: duckdb, §thread: 2}"), "unknown-key", "no key 'thread'", "'threads'"),
        (dev("{type: duckdb, threads: §0}"), "wrong-type", "at least 1", None),
        (dev("{type: duckdb, threads: §2.5}"), "wrong-type", "a whole number, not a number", None),
        (dev("{type: duckdb, threads: §true}"), "wrong-type", "a whole number, not true or false", None),
        (dev("{type: duckdb, threads: §'2'}"), "wrong-type", "a whole number, not text", "without quotes"),
        (dev("{type: duckdb, memory_limit: §4}"), "wrong-type", "must be text, not a number", "quotes"),
        (dev("{type: duckdb, memory_limit: §lots}"), "wrong-type", "a number and a unit", "4GB"),
        (dev("{type: duckdb, path: §3}"), "wrong-type", "must be text", "quotes"),
        (dev("{type: duckdb, path: §' '}"), "bad-name", "blank", None),
        (dev("{type: duckdb, settings: §[a]}"), "wrong-type", "must be a mapping", None),
        (dev("{type: duckdb, settings: {a: §[1]}}"), "wrong-type", "the setting 'a'", None),
        (dev("{type: duckdb, path: §'{{ target.name }}'}"), "undefined", "only env_var", "env_var('NAME')"),
        (dev("{type: duckdb, path: §'{% if x %}'}"), "undefined", "only env_var", "env_var('NAME')"),
        (dev("{type: duckdb, path: §\"{{ env_var('A' ~ 'B') }}\"}"), "undefined", "only env_var", None),
        (dev("{type: duckdb, path: {§{ env_var('A') }}}"), "bad-yaml", "must be text", "put quotes around"),
        (dev("type: duckdb\n      path: {§{ env_var('A') }}/x"), "bad-yaml", "must be text", "put quotes around"),
        (dev("{type: duckdb}") + "  online: {type: §redis}\n", "wrong-type", "it says 'redis'", "type: valkey"),
        (dev("{type: duckdb}") + "  online: {type: §mysql}\n", "wrong-type", "it says 'mysql'", "postgres"),
        (dev("{type: duckdb}") + "  online: §{type: valkey}\n", "missing-key", "lacks 'url'", "redis://"),
        (dev("{type: duckdb}") + "  online: §{type: postgres}\n", "missing-key", "lacks 'dsn'", "postgresql://"),
        (dev("{type: duckdb}") + "  online: {type: valkey, url: u, §path: p}\n", "unknown-key", "'path'", "prefix"),
        (dev("{type: duckdb}") + "  online: {type: valkey, url: u, timeout: §5}\n", "wrong-type", "'timeout'", None),
        (dev("{type: duckdb}") + "  online: {§file: x}\n", "unknown-key", "no key 'file'", "type"),
        (dev("{type: duckdb, online: {§file: x}}"), "unknown-key", "no key 'file'", "type"),
        (dev("{type: duckdb, online: §o.db}"), "wrong-type", "'online' must be a mapping", "key: value"),
        (dev("{type: duckdb, §onlin: {}}"), "unknown-key", "no key 'onlin'", "'online'"),
        (dev("{type: duckdb, path: §'{{ target.name }}.db'}"), "undefined", "only env_var is", "env_var"),
        (
            dev("{type: duckdb, online: {path: §'{{ target.nme }}.db'}}"),
            "undefined",
            "only env_var and target.name are",
            "{{ target.name }}",
        ),
        (dev("{type: duckdb}") + "  online: {path: §':memory:'}\n", "wrong-type", "must be a file", "online.db"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_line(
    make: Make, text: str, code: str, says: str, hint: str | None
) -> None:
    fault = refused_profile(make, text.replace(HERE, ""), code)
    check(fault, "profiles.yml", text, says, hint, shown=False)


def test_an_unknown_target_says_what_exists(make: Make) -> None:
    fault = refused_profile(make, PROFILES, "unknown-profile", target="prd")
    assert fault.hint == "did you mean 'prod'?"
    assert places(fault)[:2] == ("profiles.yml", 4)


def test_the_folder_of_profiles_may_be_elsewhere(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make({"profiles.yml": dev("{type: duckdb}")})
    elsewhere = tmp_path / "secrets"
    monkeypatch.setenv("ASKNOWN_PROFILES_DIR", str(elsewhere))
    fault = refused(lambda: profile_of(root), "unknown-profile")
    assert "ASKNOWN_PROFILES_DIR" in fault.message
    elsewhere.mkdir()
    (elsewhere / "profiles.yml").write_text(dev("{type: duckdb, path: w.duckdb}"))
    profile = profile_of(root)
    assert profile.target.options == DuckDBOptions(path=str(root / "w.duckdb")), (
        "relative to the project, wherever the profile is"
    )
    assert profile.target.at.path == str(elsewhere / "profiles.yml")


def test_profiles_yaml_is_not_passed_over(make: Make) -> None:
    root = make({"profiles.yaml": dev("{type: duckdb}")})
    assert refused(lambda: profile_of(root), "unknown-profile").hint == "mv profiles.yaml profiles.yml"


SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        dev("{type: \"{{ env_var('SECRET') }}\"}"),
        dev("{type: duckdb, threads: \"{{ env_var('SECRET') }}\"}"),
        dev("{type: duckdb, memory_limit: \"{{ env_var('SECRET') }}\"}"),
        dev("{type: duckdb, pasword: \"{{ env_var('SECRET') }}\", threads: 1}"),
        dev("{type: duckdb, settings: {a: [\"{{ env_var('SECRET') }}\"]}}"),
        dev("{type: duckdb, path: \"{{ env_var('SECRET') }}{{ nope }}\"}"),
        dev("{type: duckdb, path: \"{{ env_var('SECRET') }}{{ env_var('MISSING') }}\"}"),
        "shop:\n  target: \"{{ env_var('SECRET') }}\"\n  outputs: {dev: {type: duckdb}}\n",
        dev("{type: duckdb}") + "  online: {type: \"{{ env_var('SECRET') }}\"}\n",
        # Written in the file itself.
        dev("{type: duckdb, pasword: hunter2}"),
        dev("{type: duckdb, memory_limit: hunter2}"),
        dev("{type: duckdb, threads: hunter2}"),
        dev("{type: duckdb, path: '{{ hunter2 }}'}"),
        dev("{type: postgres, password: *hunter2}"),
        dev("{type: postgres, password: !hunter2 x}"),
        dev("{type: postgres, password: !hunter2!x x}"),
        dev('{type: postgres, password: "\\hunter2"}'),
        dev("{type: postgres, password: 'hunter2}"),
        dev("type: postgres\n      password: hunter2: x"),
        dev("type: postgres\n      password: @hunter2"),
        dev("type: postgres\n      password: hunter2\n      password: hunter2"),
        dev("type: postgres\n\tpassword: hunter2"),
        dev("type: postgres\n      password: hunter2 \x07"),
        dev("{type: postgres, password: {hunter2}: x}"),
        dev("{password: hunter2}"),
    ],
)
@pytest.mark.parametrize("pure", [False, True])
def test_no_secret_is_ever_told(make: Make, monkeypatch: pytest.MonkeyPatch, text: str, pure: bool) -> None:
    if pure:
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    monkeypatch.setenv("SECRET", SECRET)
    root = make({"profiles.yml": text})
    with pytest.raises(AsknownError) as caught:
        load_project(root)
    seen = [str(caught.value), repr(caught.value), repr(caught.value.at), str(caught.value.__cause__)]
    assert not any(SECRET in said for said in seen), seen


def test_a_target_does_not_show_its_options(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    root = make({"profiles.yml": dev("{type: postgres, password: \"{{ env_var('SECRET') }}\"}")})
    profile = profile_of(root)
    assert profile.target.options == PostgresOptions(password=SECRET)
    assert SECRET not in repr(profile)


# --- YAML ------------------------------------------------------------------------------------------------------


def parse(text: str) -> Any:
    value = read_yaml(text.encode(), "x.yml")
    return None if value is None else to_plain(value)


def test_empty_files_are_fine(make: Make) -> None:
    assert [parse(text) for text in ("", "\n", "# nothing\n", "---\n", "---\n...\n")] == [None] * 5
    assert load_project(make({"models/a.yml": "", "models/b.yaml": "entities:\nsources:\n"})).entities == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("null", None),
        ("~", None),
        ("12", 12),
        ("-3", -3),
        ("+0", 0),
        ("012", "012"),
        ("0o17", "0o17"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("190:20:30", "190:20:30"),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31 10:00:00", "2024-01-31 10:00:00"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.2.3", "1.2.3"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("=", "="),
        ("9" * 40, "9" * 40),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_scalars_mean_what_they_look_like(text: str, value: object) -> None:
    read = parse(f"key: {text}\n")["key"]
    assert (read, type(read)) == (value, type(value))


def test_keys_that_yaml_1_1_would_turn_into_booleans_stay_text() -> None:
    assert parse("on: 1\nno: 2\n2024-01-31: 3\n") == {"on": 1, "no": 2, "2024-01-31": 3}


def test_aliases_give_the_value_again() -> None:
    assert parse("a: &x [1, {b: c}]\nd: *x\ne: [*x, *x]\n") == {
        "a": [1, {"b": "c"}],
        "d": [1, {"b": "c"}],
        "e": [[1, {"b": "c"}]] * 2,
    }


@pytest.mark.parametrize("pure", [False, True])
@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("a:\n§\tb: 1\n", "a tab", "spaces"),
        ("a: 1\n§\tb: 2\n", "a tab", "spaces"),
        ("a:\n  - b\n §\t- c\n", "a tab", "spaces"),
        ("a: 1\nb: §[x, y\nc: 2\n", "'[' opens here", None),
        ("b: §{x: 1\nc: 2\n", "'{' opens here", None),
        ("a: 1\nb: §'x\nc: 2\n", "quote opened here", None),
        ("a: b§: c\n", "a ':' stands", "quotes"),
        ("a: 1\n  b§: 2\n", "a ':' stands", "indentation"),
        ("- a\n§b: 1\n", "line up", "indentation"),
        (" a: 1\n§b: 2\n", "line up", "indentation"),
        ("a: §@x\n", "cannot start", "quotes"),
        ("a: 1\n§b\n", "lacks its ':'", None),
        ("a: 1\nb: 2\n§a: 3\n", "'a' is written twice: first on line 1", None),
        ("x:\n  - {b: 2, §b: 3}\n", "'b' is written twice", None),
        ('a: 1\n§"a": 3\n', "'a' is written twice", None),
        ("§1: a\n", "a key must be text", "quotes"),
        ("§true: a\n", "a key must be text", "quotes"),
        ("§~: a\n", "a key must be text", "quotes"),
        ("? §[a]\n: b\n", "a key must be text", None),
        ("a: &x b\n§*x : c\n", "a key must be text", None),
        ("x: &x {a: 1}\ny:\n  §<<: *x\n", "merge keys", "*name"),
        ("a: §!!python/object:os.system x\n", "tags", "quotes"),
        ("a: §!x 1\n", "tags", "quotes"),
        ("a: §*nobody\n", "names no anchor", None),
        ("a: &a [§*a]\n", "names no anchor", None),
        ("a: 1\n§---\nb: 2\n", "a second document", "each document in a file"),
        ("a: x§\x00y\n", "U+0000", None),
        ("a: 1\nb: é§\x1b\n", "U+001B", None),
        ('a: §"\\0"\n', "NUL", None),
    ],
)
def test_bad_yaml_is_refused_with_its_place(
    monkeypatch: pytest.MonkeyPatch, pure: bool, text: str, says: str, hint: str | None
) -> None:
    if pure:
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    check(refused(lambda: parse(text.replace(HERE, "")), "bad-yaml"), "x.yml", text, says, hint)


def test_yaml_that_is_not_utf8_is_refused_with_its_place() -> None:
    fault = refused(lambda: read_yaml("a: é\nb: cé\n".encode() + b"c: caf\xe9\n", "x.yml"), "bad-yaml")
    assert places(fault) == ("x.yml", 3, 7)
    refused(lambda: read_yaml("a: 1\n".encode("utf-16"), "x.yml"), "bad-yaml")
    assert read_yaml(b"\xef\xbb\xbfa: 1\n", "x.yml") is not None


def test_depth_is_bounded() -> None:
    for depth in (65, 1_000, 100_000):  # libyaml stops by itself at a thousand from 0.2.6 on
        deep = refused(lambda depth=depth: parse("[" * depth), "bad-yaml")
        assert deep.message == "this nests deeper than 64 levels"
        assert places(deep) == ("x.yml", 1, 65)
    assert places(refused(lambda: parse("é: 😀\r\nb: " + "[" * 5_000), "bad-yaml")) == ("x.yml", 2, 67)
    assert places(refused(lambda: parse("- " * 5_000), "bad-yaml")) == ("x.yml", 1, 129)
    keys = "\n".join(" " * i + "a:" for i in range(1_500))
    assert places(refused(lambda: parse(keys), "bad-yaml")) == ("x.yml", 65, 65)
    assert "tags" in refused(lambda: parse("[" * 30 + "!x " + "[" * 5_000), "bad-yaml").message
    assert parse("[" * 64 + "]" * 64) is not None
    refused(lambda: parse("[" * 65 + "]" * 65), "bad-yaml")
    listed = "a:\n" + "".join("  " * i + "- \n" for i in range(1, 70))
    assert places(refused(lambda: parse(listed), "bad-yaml")) == ("x.yml", 65, 129)
    through = "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40 + "\n"
    assert "with this alias" in refused(lambda: parse(through), "bad-yaml").message


def test_expansion_is_bounded() -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    laughs += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
    fault = refused(lambda: parse(laughs), "bad-yaml")
    assert "100,000" in fault.message
    assert fault.at is not None
    assert fault.at.line == 5
    refused(lambda: parse("[" + "x," * 100_001 + "]"), "bad-yaml")
    assert len(parse("[" + "x," * 99_999 + "]")) == 99_999


@given(st.text(alphabet=":-?[]{},&*#!|>'\"%@`ab1 \n\t<~\0\x85é\ud800\u2028", max_size=40))
def test_any_text_gives_a_value_or_a_bad_yaml_error(text: str) -> None:
    content = text.encode("utf-8", "surrogatepass")
    for secret in (False, True):
        try:
            read_yaml(content, "x.yml", secret=secret)
        except AsknownError as fault:
            assert fault.code == "bad-yaml"
            assert str(fault)


# --- the reader ------------------------------------------------------------------------------------------------


def mapping(text: str) -> Value:
    value = read_yaml(text.encode(), "x.yml")
    assert value is not None
    return value


def test_reader_gives_what_is_there() -> None:
    reader = Reader(mapping("a: x\nb: 3\nc: [1, 2]\nd: {e: f}\ng:\n"), "a thing", "abcdgh")
    assert reader.text("a") == "x"
    assert reader.integer("b") == 3
    assert [to_plain(item) for item in reader.items("c")] == [1, 2]
    inner = reader.mapping("d")
    assert inner is not None
    assert to_plain(inner) == {"e": "f"}
    assert reader.optional_text("g") is None
    assert (reader.integer("h"), reader.items("h"), reader.mapping("h")) == (None, (), None)
    assert (reader.place("b").line, reader.place("h").line) == (2, 1)


def test_reader_reads_numbers_out_of_the_environment_only() -> None:
    at = mapping("a: x").at
    for text, number in (("7", 7), (" -3 ", -3)):
        value = Mapping({"n": Entry(at, Scalar(text, text, at, untyped=True))}, at)
        assert Reader(value, "a thing", ("n",)).integer("n") == number
    for untyped in ("", "7.5", "seven", "9" * 5000):
        value = Mapping({"n": Entry(at, Scalar(untyped, untyped, at, untyped=True))}, at)
        refused(lambda value=value: Reader(value, "a thing", ("n",)).integer("n"), "wrong-type")  # type: ignore[misc]


# --- properties ------------------------------------------------------------------------------------------------

GOOD = """\
version: 2
sources:
  - name: raw
    description: From the shop.
    tables:
      - name: orders
        path: data/orders-*.parquet
        timezone: America/New_York
        description: One row an order.
        columns:
          - {name: id, description: The key., data_type: bigint, tests: [unique], data_tests: [not_null]}
      - {name: people, identifier: crm.people}
  - name: wh
    schema: raw
    tables:
      - name: events
      - {name: odd, identifier: my table}
      - {name: other, identifier: elsewhere.other}
      - {name: files, path: x.csv}
  - name: db
    database: lake
    schema: raw
    tables: [{name: events}]
entities:
  - name: customer
  - {name: shop, keys: shop_id}
  - name: route
    description: From, to.
    keys: [origin, {name: dest, data_type: varchar}]
feature_services:
  - name: churn_v1
    description: Who leaves.
    features:
      - orders_7d
      - people:age
      - "people:a b: c"
      - {view: traffic, alias: dest_traffic, keys: {airport: dest}, features: [landings_1h, "x y"]}
      - people:town
      - {view: traffic}
models:
  - name: orders
    description: Orders.
    meta: {owner: me}
    columns: [{name: x, description: One., data_type: integer}]
"""


def test_properties_are_read(make: Make) -> None:
    project = load_project(make({"models/deep/er/all.yaml": GOOD}))
    tables = {f"{source}.{name}": (table.path, table.identifier) for (source, name), table in project.sources.items()}
    assert tables == {
        "raw.orders": ("data/orders-*.parquet", None),
        "raw.people": (None, "crm.people"),
        "wh.events": (None, "raw.events"),
        "wh.odd": (None, 'raw."my table"'),
        "wh.other": (None, "elsewhere.other"),
        "wh.files": ("x.csv", None),
        "db.events": (None, "lake.raw.events"),
    }
    orders = project.sources["raw", "orders"]
    assert (orders.timezone, orders.description) == ("America/New_York", "One row an order.")
    assert project.sources["raw", "people"].description == "From the shop."
    column = orders.columns[0]
    assert (column.name, column.description, column.data_type) == ("id", "The key.", "bigint")
    assert {name: entity.keys for name, entity in project.entities.items()} == {
        "customer": (Key("customer"),),
        "shop": (Key("shop_id"),),
        "route": (Key("origin"), Key("dest", "varchar")),
    }
    service = project.services["churn_v1"]
    assert [(line.view, line.features, line.alias, line.keys) for line in service.features] == [
        ("orders_7d", None, None, {}),
        ("people", ("age",), None, {}),
        ("people", ("a b: c",), None, {}),
        ("traffic", ("landings_1h", "x y"), "dest_traffic", {"airport": "dest"}),
        ("people", ("town",), None, {}),
        ("traffic", None, None, {}),
    ]
    doc = project.docs["orders"]
    assert (doc.description, doc.columns[0].name, doc.columns[0].data_type) == ("Orders.", "x", "integer")


def test_everything_parsed_knows_its_place(make: Make) -> None:
    project = load_project(make({"models/deep/er/all.yaml": GOOD}))
    lines = GOOD.split("\n")
    things: dict[str, Any] = {
        "orders": project.sources["raw", "orders"],
        "id": project.sources["raw", "orders"].columns[0],
        "route": project.entities["route"],
        "churn_v1": project.services["churn_v1"],
        "people:age": project.services["churn_v1"].features[1],
    }
    for text, thing in things.items():
        assert thing.at.path == "models/deep/er/all.yaml"
        assert thing.at.text == lines[thing.at.line - 1]
        assert thing.at.text[thing.at.column - 1 :].startswith(text)


def names(item: str) -> str:
    return f"sources: [{{name: raw, tables: [{item}]}}]\n"


@pytest.mark.parametrize(
    ("text", "code", "says", "hint"),
    [
        ("§sorces: []\n", "unknown-key", "no key 'sorces'", "'sources'"),
        ("§- a\n", "wrong-type", "a properties file must be a mapping, not a list", None),
        ("version: §two\n", "wrong-type", "a whole number", None),
        ("sources: §{name: raw}\n", "wrong-type", "'sources' of a properties file must be a list", "'- '"),
        ("sources: [§raw]\n", "wrong-type", "a source must be a mapping, not text", "key: value"),
        ("sources:\n  - §tables: []\n", "missing-key", "a source lacks 'name'", "name:"),
        ("sources:\n  - §name: raw\n", "missing-key", "source 'raw' lacks 'tables'", "tables:"),
        ("sources:\n  - name: raw\n    §table: []\n", "unknown-key", "no key 'table'", "'tables'"),
        ("sources:\n  - {name: §' ', tables: []}\n", "bad-name", "blank", None),
        (names("{name: §t}"), "missing-key", "does not say what it reads", "path: data/t.parquet"),
        (names("{name: t, path: a, identifier: §b}"), "wrong-type", "both 'path' and", "remove one"),
        (names("{name: t, path: §[a]}"), "wrong-type", "'path' of a table of source 'raw' must be text", None),
        (names("{name: t, §paht: a}"), "unknown-key", "no key 'paht'", "'path'"),
        (
            names("{name: t, path: a, timezone: §America/NewYork}"),
            "wrong-type",
            "'America/NewYork' is not an IANA time zone",
            "'America/New_York'",
        ),
        (names("{name: t, path: a, timezone: §America}"), "wrong-type", "not an IANA time zone", None),
        (names("{name: t, path: a, timezone: §../UTC}"), "wrong-type", "not an IANA time zone", None),
        (names("{name: t, path: a, timezone: §posix/UTC}"), "wrong-type", "not an IANA time zone", None),
        (names("{name: t, path: a, columns: [§x]}"), "wrong-type", "a column must be a mapping", None),
        (
            names("{name: t, path: a, columns: [{name: x}, {name: §X}]}"),
            "duplicate-name",
            "column 'X' is given twice: first at models/all.yml:1:68 ('x' there: names that differ only in case",
            None,
        ),
        ("entities:\n  - §nme: a\n", "unknown-key", "an entity has no key 'nme'", "'name'"),
        ("entities:\n  - name: §12\n", "wrong-type", "'name' of an entity must be text", "quotes"),
        ("entities:\n  - name: a\n    keys: §[]\n", "wrong-type", "no keys", "entity=[]"),
        ("entities:\n  - name: a\n    keys: [b, §B]\n", "duplicate-name", "key 'B' is given twice", None),
        ("entities:\n  - name: a\n    keys: [§1]\n", "wrong-type", "a key of entity 'a' must be text", None),
        ("entities:\n  - name: a\n    keys: [§'']\n", "bad-name", "blank", None),
        ("entities:\n  - name: a\n    keys: [{§nam: b}]\n", "unknown-key", "no key 'nam'", "'name'"),
        (
            "entities:\n  - name: a\n    keys: [{name: b, data_type: §bigitn}]\n",
            "unsupported-type",
            "'bigitn' is not a type",
            "bigint",
        ),
        (
            "entities:\n  - name: a\n    keys: [{name: b, data_type: §decimal(x)}]\n",
            "unsupported-type",
            "'decimal(x)' is not a type",
            "bigint",
        ),
        (
            "entities:\n  - name: a\n    keys: [{name: b, data_type: §double}]\n",
            "unsupported-type",
            "cannot be double",
            "bigint",
        ),
        ("entities:\n  - name: a\n  - name: §A\n", "duplicate-name", "first at models/all.yml:2:11", "rename"),
        ("feature_services:\n  - §name: a\n", "missing-key", "no 'features'", "view"),
        ("feature_services:\n  - {name: §'a:b', features: [v]}\n", "bad-name", "'a:b'", None),
        ("feature_services:\n  - {name: a, features: §v}\n", "wrong-type", "must be a list", "brackets"),
        ("feature_services:\n  - {name: a, features: [§'v:']}\n", "bad-name", "'v:' does not name a", "view:feature"),
        ("feature_services:\n  - {name: a, features: [§':f']}\n", "bad-name", "':f' does not name a", "view:feature"),
        ("feature_services:\n  - {name: a, features: [§1]}\n", "wrong-type", "must be text", "quotes"),
        (
            "feature_services:\n  - name: a\n    features:\n      - §v: f\n",
            "unknown-key",
            "no key 'v'",
            "write v:feature without a space",
        ),
        (
            "feature_services:\n  - name: a\n    features:\n      - {view: v, §feature: [f]}\n",
            "unknown-key",
            "no key 'feature'",
            "'features'",
        ),
        (
            "feature_services:\n  - name: a\n    features:\n      - {view: v, features: §[]}\n",
            "wrong-type",
            "empty",
            "leave 'features' out",
        ),
        (
            "feature_services:\n  - name: a\n    features:\n      - {view: v, keys: {k: §1}}\n",
            "wrong-type",
            "the spine's column for the key 'k' must be text",
            "quotes",
        ),
        ("models:\n  - name: §ordrs\n", "unknown-model", "no model 'ordrs'", "did you mean 'orders'?"),
        ("models:\n  - name: §Orders\n", "unknown-model", "no model 'Orders'", "did you mean 'orders'?"),
        ("models:\n  - {name: orders, §settings: {}}\n", "unknown-key", "no key 'settings'", "columns"),
        ("models:\n  - {name: orders, meta: §3}\n", "wrong-type", "must be a mapping", None),
        ("models:\n  - name: orders\n  - name: §orders\n", "duplicate-name", "models/all.yml:2:11", "rename"),
    ],
)
def test_a_wrong_property_is_refused_with_its_line(
    make: Make, text: str, code: str, says: str, hint: str | None
) -> None:
    check(refused_properties(make, text.replace(HERE, ""), code), "models/all.yml", text, says, hint)


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        (["v", "v"], 5, "'v' twice"),
        (["v", "v:a"], 5, "'v:a' twice"),
        (["v:a", "v"], 5, "'v' twice"),
        (["v:a", "w", "v:a"], 6, "'v:a' twice"),
        (["v:a", "{view: v, features: [b]}"], 5, "'v' twice"),
        (["{view: v, features: [a]}", "{view: v, features: [b]}"], 5, "'v' twice"),
        (["v", "{view: w, alias: v}"], 5, "'v' twice"),
        (["{view: v, alias: x}", "{view: w, alias: x}"], 5, "'x' twice"),
    ],
)
def test_a_service_asks_once(make: Make, lines: list[str], line: int, says: str) -> None:
    text = "feature_services:\n  - name: s\n    features:\n" + "".join(f"      - {entry}\n" for entry in lines)
    fault = refused_properties(make, text, "duplicate-name")
    assert places(fault)[:2] == ("models/all.yml", line)
    assert says in fault.message
    assert "first at models/all.yml:4" in fault.message


def test_a_feature_twice_in_one_line(make: Make) -> None:
    text = "feature_services: [{name: s, features: [{view: v, features: [a, a]}]}]\n"
    fault = refused_properties(make, text, "duplicate-name")
    assert places(fault) == ("models/all.yml", 1, 65)


@pytest.mark.parametrize(
    "item",
    [
        "entities: [{name: x}]\n",
        "feature_services: [{name: x, features: [v]}]\n",
        "sources: [{name: x, tables: [{name: y, path: z}]}]\n",
        "models: [{name: orders}]\n",
    ],
)
def test_names_are_given_once_over_all_files(make: Make, item: str) -> None:
    fault = refused(lambda: load_project(make({"models/a.yml": item, "models/b/c.yaml": item})), "duplicate-name")
    assert fault.at is not None
    assert fault.at.path == "models/b/c.yaml"
    assert "first at models/a.yml:1:" in fault.message


def test_tables_of_one_source_may_stand_in_several_files(make: Make) -> None:
    files: dict[str, str | bytes] = {
        f"models/{name}.yml": f"sources: [{{name: x, tables: [{{name: {name}, path: z}}]}}]\n" for name in "ab"
    }
    assert list(load_project(make(files)).sources) == [("x", "a"), ("x", "b")]


def test_a_service_cannot_have_a_models_name(make: Make) -> None:
    fault = refused_properties(make, "feature_services: [{name: Orders, features: [v]}]\n", "duplicate-name")
    assert places(fault) == ("models/all.yml", 1, 27)
    assert "models/orders.sql" in fault.message


def test_time_zones_pass_where_there_is_no_database(make: Make) -> None:
    root = make({"models/all.yml": names("{name: t, path: a, timezone: Mars/Base}")})
    script = (
        "import sys, zoneinfo\n"
        "sys.modules['tzdata'] = None\n"
        "from asknown.project import load_project\n"
        "print(load_project(sys.argv[1]).sources['raw', 't'].timezone)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(root)],
        env={**os.environ, "PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout == "Mars/Base\n", run.stderr


# --- models and macros -----------------------------------------------------------------------------------------


def load(root: Path) -> Project:
    return load_project(root)


def test_models_are_found_sorted_and_named(make: Make) -> None:
    files: dict[str, str | bytes] = {
        "models/z.sql": "select 1\n",
        "models/a/m_2.sql": b"\xef\xbb\xbfselect\r\n'\xc3\xa9'",
        "models/.hidden/h.sql": "",
        "models/.x.sql": "",
        "models/a/README.md": "",
        "models/a/_private.sql": "select 3",
        "elsewhere/e.sql": "",
    }
    project = load(make(files))
    assert list(project.models) == ["_private", "m_2", "orders", "z"]
    model = project.models["m_2"]
    assert (model.shown, model.text) == ("models/a/m_2.sql", "select\n'é'")
    assert model.path == project.settings.root / "models/a/m_2.sql"


@pytest.mark.parametrize(
    ("file", "says", "hint"),
    [
        ("models/my-view.sql", "'my-view' is not a model name", "my_view.sql"),
        ("models/7days.sql", "'7days'", "_7days.sql"),
        ("models/a.b.sql", "'a.b'", "a_b.sql"),
        ("models/über.sql", "'über'", "_ber.sql"),
        ("models/_asknown_moments.sql", "are reserved", "rename"),
        ("models/_ASKNOWN.sql", "are reserved", "rename"),
    ],
)
def test_models_with_unusable_names_are_refused(make: Make, file: str, says: str, hint: str) -> None:
    fault = refused(lambda: load(make({file: MODEL})), "bad-name")
    assert places(fault) == (file, 0, 0)
    assert says in fault.message
    assert fault.hint is not None
    assert hint in fault.hint


@pytest.mark.parametrize("other", ["models/a/orders.sql", "models/a/ORDERS.sql"])
def test_models_of_one_name_are_refused(make: Make, other: str) -> None:
    fault = refused(lambda: load(make({other: MODEL})), "duplicate-name")
    assert fault.at is not None
    assert fault.at.path == "models/orders.sql"
    assert f"first at {other}" in fault.message


def test_a_model_that_is_not_utf8_is_refused_with_its_place(make: Make) -> None:
    fault = refused(lambda: load(make({"models/x.sql": b"select 1,\n  'caf\xe9'\n"})), "template")
    assert places(fault) == ("models/x.sql", 2, 7)
    assert "UTF-8" in fault.message


def test_overlapping_and_linked_model_paths_give_a_file_once(make: Make) -> None:
    pyproject = PYPROJECT + 'model-paths = ["models", "models/a", "./models", "gone"]\n'
    root = make({"pyproject.toml": pyproject, "models/a/x.sql": MODEL})
    (root / "models" / "loop").symlink_to(root / "models")
    assert list(load(root).models) == ["x", "orders"]


def test_no_model_path_at_all_is_refused(make: Make) -> None:
    root = make({"pyproject.toml": '[tool.asknown]\nname = "s"\nmodel-paths = ["modles"]\n'})
    fault = refused(lambda: load(root), "no-project")
    assert places(fault) == ("pyproject.toml", 3, 1)
    assert str(root / "modles") in fault.message
    assert fault.hint is not None
    assert "model-paths" in fault.hint


def test_macros_are_the_standard_librarys_and_then_the_projects(make: Make) -> None:
    project = load(make({"macros/b.sql": "{% macro b() %}{% endmacro %}", "macros/a/a.sql": "x", "macros/n.txt": ""}))
    standard = [macro for macro in project.macros if macro.standard]
    own = [macro for macro in project.macros if not macro.standard]
    assert list(project.macros) == standard + own
    assert [macro.shown for macro in own] == ["macros/a/a.sql", "macros/b.sql"]
    assert [macro.path for macro in standard] == sorted(standard_macros().rglob("*.sql"))
    assert all(macro.shown == f"asknown/_macros/{macro.path.name}" for macro in standard)


def test_the_repository_is_a_project_and_its_macros_are_loaded_once() -> None:
    project = load(REPOSITORY)
    assert project.settings.name == "flights"
    assert standard_macros() == REPOSITORY / "macros"
    assert [macro.path for macro in project.macros] == sorted((REPOSITORY / "macros").rglob("*.sql"))
    assert all(macro.standard and macro.shown.startswith("macros/") for macro in project.macros)


# --- any input -------------------------------------------------------------------------------------------------


@given(st.data())
def test_a_damaged_project_is_an_error_and_no_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file, text = data.draw(
        st.sampled_from([("models/all.yml", GOOD), ("profiles.yml", PROFILES), ("pyproject.toml", PYPROJECT)])
    )
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 12)))
    put = data.draw(st.text(alphabet="[]{}:,-'\" \n#1ab=.", max_size=3))
    root = tmp_path_factory.mktemp("damaged")
    for name, content in {
        "pyproject.toml": PYPROJECT,
        "models/orders.sql": MODEL,
        file: text[:start] + put + text[end:],
    }.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(content)
    try:
        load_project(root)
    except AsknownError as fault:
        assert str(fault)


def test_reading_settings_and_profile_loads_no_more_than_it_needs(make: Make) -> None:
    root = make()
    script = (
        "import sys\n"
        "from asknown.project import load_profile, load_settings\n"
        "assert 'asknown.project.loader' not in sys.modules\n"
        "load_profile(load_settings(sys.argv[1]))\n"
        "heavy = {'yaml', 'jinja2', 'sqlglot', 'duckdb', 'pyarrow', 'click', 'rich', 'sqlite_utils', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "assert 'asknown.project.properties' not in sys.modules\n"
    )
    run = subprocess.run([sys.executable, "-c", script, str(root)], capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("[]\n", "")
