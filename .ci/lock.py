"""Writes requirements.lock again: the newest versions in pyproject.toml's ranges, for every platform.

Usage: python .ci/lock.py UV, where UV is the command of uv. It asks the package index and takes seconds.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OLDEST_PYTHON = PYPROJECT["project"]["requires-python"].removeprefix(">=")
PARTS = {
    "asknown": "what asknown runs on, and what installs it from this folder: make demo",
    "test": "what the tests need besides: make test",
    "test-engines": "what the heavy engines need besides: make test-engines",
}
# Hatchling asks for editables once it runs; pyspark, which the index has as source only, is built by setuptools.
BUILDERS = ["editables", "setuptools"]
HEAD = """\
# The versions that make and CI install, each with the hashes of its files. Written by: make lock
# A part needs the parts above it. To install all of them: pip install --require-hashes -r requirements.lock
"""


def main(uv: str) -> None:
    """Writes the file, and prints how many packages each part holds."""
    wanted = requirements()
    everything = locked(uv, wanted["test-engines"], constraints=[])
    text = HEAD
    above: list[str] = []
    for part, subject in PARTS.items():
        pins = [pin for pin in locked(uv, wanted[part], constraints=everything) if pin not in above]
        text += f"\n# [{part}] {subject}\n" + "".join(pins)
        above += pins
        print(f"{part}: {len(pins)} packages")
    (ROOT / "requirements.lock").write_text(text, encoding="utf-8")


def requirements() -> dict[str, list[str]]:
    """The requirements of each part and of those above it, as pyproject.toml writes them."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    core = [*PYPROJECT["project"]["dependencies"], *PYPROJECT["build-system"]["requires"], *BUILDERS]
    test = [*core, *extras["test"]]
    engines = [*test, *(wanted for wanted in extras["test-engines"] if wanted != "asknown[test]")]
    return {"asknown": core, "test": test, "test-engines": engines}


def locked(uv: str, wanted: list[str], constraints: list[str]) -> list[str]:
    """Each package that the requirements need, as a version and its hashes, in the form that pip reads."""
    command = [uv, "pip", "compile", "-", "--quiet", "--universal", "--generate-hashes", "--no-header"]
    command += ["--no-annotate", "--no-config", "--allow-unsafe", "--upgrade", "--python-version", OLDEST_PYTHON]
    limits = [re.sub(r"\s*\\\n.*", "", pin, flags=re.DOTALL) for pin in constraints]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join(limits))
        file.flush()
        command += ["--constraints", file.name]
        asked = "\n".join(wanted)
        done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        sys.exit(done.stderr)
    return re.findall(r"^\S.*(?:\n\s.*)*\n", done.stdout, flags=re.MULTILINE)


if __name__ == "__main__":
    main(*sys.argv[1:])
