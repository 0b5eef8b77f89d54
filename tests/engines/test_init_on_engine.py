"""`asknown init --target`: the project starts on the warehouse, by the commands that init prints."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from engines.conftest import named_engines
from engines.harness import Warehouse, kept_target, run_asknown

SPARED = {"spark": ("ls", "doctor", "check", "test")}
"""Commands that are left out where each takes a start of Spark; other tests have them."""


@pytest.mark.parametrize("kind", named_engines())
def test_what_init_makes_goes_all_the_way(kind: str, tmp_path: Path, running: dict[str, Warehouse]) -> None:
    environment: dict[str, str] = {}
    made = run_asknown(["init", "fresh_shop", "--target", kind], tmp_path)
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "fresh_shop"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert f"asknown[{kind}]" in readme and "csv" not in readme.casefold()
    if kind == "postgres":
        environment["WAREHOUSE_DSN"] = str(running[kind].options["dsn"])
    else:  # no server of it is here: the tables are kept in a folder
        target = {**kept_target(kind, running), "schema": "fresh_shop"}
        if kind == "clickhouse":
            del target["schema"]
        (folder / "profiles.yml").write_text(json.dumps({"fresh_shop": {"outputs": {"dev": target}}}))
    steps = [shlex.split(step)[1:] for step in made.stdout.splitlines()[1:]]
    assert [step[0] for step in steps] == ["ls", "run", "doctor", "check", "test", "train", "materialize", "get"]
    said = ""
    for step in steps:
        if step[0] not in SPARED.get(kind, ()):
            done = run_asknown(step, folder, environment)
            assert done.returncode == 0, f"{step}: {done.stdout}{done.stderr}"
            assert "Traceback" not in done.stderr
            said = done.stdout
    assert re.search(r"^last_amount +49\.97 +PRESENT +2024-06-11 01:09:00\+00:00$", said, re.MULTILINE)
