"""Prints constraints for pip: what asknown runs on at one end of its ranges in pyproject.toml, the tools as locked.

Usage: python .ci/bounds.py lowest|newest     constraints, one a line
       python .ci/bounds.py installed         the versions in the environment that runs this

The newest end needs no constraint: the ranges say it, and the index has it.
"""

from __future__ import annotations

import platform
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOR_TESTS = ("test", "test-engines")


def runtime() -> dict[str, str]:
    """The lower bound of each package that asknown and its extras run on, by the package's name."""
    wanted = [*PROJECT["dependencies"], *(one for name in EXTRAS if name not in FOR_TESTS for one in EXTRAS[name])]
    return {name_of(one): re.sub(r".*>=([^,;]+).*", r"\1", one) for one in wanted}


def tools() -> dict[str, str]:
    """The locked version of each package that only the tests need, by its name."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = {name.lower(): pin for name, pin in re.findall(r"^([\w.-]+)==(\S+)", lock, flags=re.MULTILINE)}
    names = {name_of(one) for one in EXTRAS["test"]} - runtime().keys()
    return {name: pinned[name.lower()] for name in sorted(names)}


def name_of(requirement: str) -> str:
    """The name of the package that a requirement asks for, without extras and versions."""
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def installed() -> str:
    """The versions of Python and of what asknown runs on, as they are installed here."""
    found = [f"Python {platform.python_version()}"]
    for name in runtime():
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def main(what: str) -> None:
    """Prints what is asked for."""
    if what == "installed":
        print(installed())
        return
    pins = tools() if what == "newest" else {**runtime(), **tools()}
    print("\n".join(f"{name}=={pin}" for name, pin in pins.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
