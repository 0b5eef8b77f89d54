"""requirements.lock, which make and CI install from: it fits pyproject.toml, and holds for everybody's machine."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PARTS = ("asknown", "test", "test-engines")


def pins(last: str) -> dict[str, list[Requirement]]:
    """What the lock file pins down to the end of its part ``last``, by the package's name."""
    found: dict[str, list[Requirement]] = {}
    for part in PARTS[: PARTS.index(last) + 1]:
        text = LOCK.partition(f"# [{part}]")[2].partition("\n# [")[0]
        for line in re.findall(r"^([\w.-]+==.*?) \\$", text, flags=re.MULTILINE):
            pin = Requirement(line)
            found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def wanted(part: str) -> list[Requirement]:
    """What pyproject.toml asks for in a part, with what builds the package."""
    project = PYPROJECT["project"]
    core = [*project["dependencies"], *PYPROJECT["build-system"]["requires"]]
    texts = core if part == "asknown" else project["optional-dependencies"][part]
    return [Requirement(text) for text in texts if not text.startswith("asknown[")]


@pytest.mark.parametrize("part", PARTS)
def test_the_lock_is_within_the_ranges(part: str) -> None:
    """A range that was changed without `make lock` fails here."""
    locked = pins(part)
    for requirement in wanted(part):
        versions = locked.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement.name} is not locked: type make lock"
        for pin in versions:
            (exactly,) = pin.specifier
            assert requirement.specifier.contains(exactly.version), f"{pin} is not {requirement}: type make lock"


def test_the_demo_installs_no_heavy_engine() -> None:
    assert pins("test").keys() & {"pyspark", "chdb", "clickhouse-connect"} == set()
    assert pins("asknown").keys() & {"pytest", "pandas", "polars"} == set()


def test_every_version_is_pinned_with_hashes_and_no_place_is_named() -> None:
    entry = r"[\w.-]+==[\w.]+( ; .+)?( \\\n    --hash=sha256:[0-9a-f]{64})+"
    lines = "\n".join(line for line in LOCK.splitlines() if line and not line.startswith("#"))
    assert re.fullmatch(rf"({entry}\n)*{entry}", lines)
    assert "://" not in lines


def test_every_dependency_has_both_bounds() -> None:
    """Above the upper bound nothing was tested; DuckDB computes another way in each minor version."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    for text in [*PYPROJECT["project"]["dependencies"], *(one for name in extras for one in extras[name])]:
        requirement = Requirement(text)
        if requirement.name not in {"asknown", "pytz", "types-PyYAML"}:
            assert {bound.operator for bound in requirement.specifier} == {">=", "<"}, text
    (duckdb,) = (one for one in wanted("asknown") if one.name == "duckdb")
    assert not duckdb.specifier.contains("2.1")
