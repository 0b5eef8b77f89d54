"""How Spark starts on this machine: it writes nothing of its own to the terminal, and hides nothing that went wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    "spark" not in os.environ.get("ASKNOWN_ENGINES", ""), reason="needs pyspark and Java: make test-engines"
)
PROGRAM = """
import json, sys
from pathlib import Path
from asknown.engines.engine import open_engine
from engines.harness import read_options

engine = open_engine(read_options("spark", json.loads(sys.argv[1]), Path()), Path())
print(engine.rows("SELECT 1 + 1"))
engine._session._jvm.java.lang.System.err.println("the disk is full")
engine.close()
"""


def start(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    options = {"master": "local[1]", "settings": {"spark.sql.warehouse.dir": str(folder), **settings}}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(options)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_terminal_gets_what_goes_wrong_alone(tmp_path: Path) -> None:
    ran = start(tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "[(2,)]\n"
    assert ran.stderr == "the disk is full\n"


def test_why_java_does_not_start_is_said(tmp_path: Path) -> None:
    ran = start(tmp_path, **{"spark.driver.memory": "1k"})
    assert ran.returncode == 1
    assert "Too small maximum heap" in ran.stdout + ran.stderr
    assert "Spark does not start for target 'dev'" in ran.stderr
