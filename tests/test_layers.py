"""The layers of the package, read from its imports: each module uses what stands above it, and nothing else."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "compiler" / "asknown"

# A module imports only from lines above its own, or from its own package: names on one line do not know each other.
LAYERS = """
errors
durations  types      instants  paths  addresses  json_text
periods    aggregates values
project
dialects   render
model
catalog
plan       lint     changes  registry  site
emit       engines  online
checks
store
serve
cli
__main__
"""
LAYER = {name: line for line, names in enumerate(LAYERS.strip().splitlines()) for name in names.split()}

# Each library has one home: the packages or modules that may import it.
HOMES = {
    "click": {"cli"},
    "rich": {"cli"},
    "jinja2": {"render", "site"},
    "yaml": {"project"},
    "sqlite_utils": {"registry"},
    "sqlglot": {"model", "catalog", "lint", "plan", "emit"},
    "duckdb": {"engines.duckdb"},
    "adbc_driver_manager": {"engines.postgres"},
    "adbc_driver_postgresql": {"engines.postgres"},
    "apsw": {"online"},
    "chdb": {"engines.clickhouse"},
    "clickhouse_connect": {"engines.clickhouse"},
    "pyspark": {"engines.spark"},
    "confluent_kafka": {"serve.kafka"},
    "fastavro": {"serve.messages"},
    "msgspec": {"serve"},
    "prometheus_client": {"serve"},
    "uvicorn": {"serve"},
    "pyarrow": {"types", "engines", "online", "checks", "store", "serve", "cli.values"},
    "pandas": {"engines.frames", "online", "store"},
    "polars": {"engines.frames", "store"},
    "psycopg": {"online.postgres", "registry.postgres"},
    "valkey": {"online.valkey"},
}
# Libraries that the user may not have: imported only inside the function that needs them. (An engine's own library is
# imported with the engine, which engines.engine imports when a target names it.)
OPTIONAL = {"pandas", "polars", "apsw", "fastavro"}

# Kept apart from each other and from the rest of online/, which must work with any backend.
BACKENDS = ("online.sqlite", "online.postgres", "online.valkey")

# Not in a layer: the package's own __init__ names everything, lazily.
EXEMPT = {"asknown"}
# The names that asknown/__init__.py itself gives, which are no modules.
FACTS = {"__version__"}


@dataclass(frozen=True)
class Import:
    """One imported name as written: ``target`` is a dotted module, ``name`` what is taken from it, if anything."""

    target: str
    name: str
    line: int
    lazy: bool  # inside a function


def read_imports(module: str, text: str, *, is_package: bool) -> Iterator[Import]:
    """Every import in ``text``, those inside functions and under TYPE_CHECKING included."""
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lazy = {id(inside) for function in functions for inside in ast.walk(function)}
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield Import(alias.name, "", node.lineno, id(node) in lazy)
            case ast.ImportFrom():
                target = node.module or ""
                if node.level:
                    parts = module.split(".")
                    kept = parts[: len(parts) - node.level + is_package]
                    target = ".".join([*kept, *filter(None, [node.module])])
                for alias in node.names:
                    yield Import(target, alias.name, node.lineno, id(node) in lazy)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(target)), *_],
            ):
                yield Import(target, "", node.lineno, id(node) in lazy)


def find_violations(package: Path) -> list[str]:
    """What in ``package`` breaks the layers or takes a library away from its home, one sentence each."""
    found = []
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package.parent)
        is_package = path.name == "__init__.py"
        module = ".".join(place.parent.parts if is_package else place.with_suffix("").parts)
        if module in EXEMPT:
            continue
        _, _, own = module.partition(".")
        if layer_of(own) not in LAYER:
            found.append(f"{place}: not in any layer")
            continue
        for imported in read_imports(module, path.read_text(encoding="utf-8"), is_package=is_package):
            fault = judge(package, own, imported)
            if fault:
                found.append(f"{place}:{imported.line}: {fault}")
    return found


def judge(package: Path, own: str, imported: Import) -> str | None:
    """Why the module ``own`` (without ``asknown.``) may not import this, or None."""
    library, _, inner = imported.target.partition(".")
    if library in sys.stdlib_module_names:
        return None
    if library != "asknown":
        return judge_library(own, library, lazy=imported.lazy)
    if not inner and imported.name in FACTS:
        return None
    if layer_of(own) == "online":
        fault = judge_backend(own, f"{inner}.{imported.name}", lazy=imported.lazy)
        if fault:
            return fault
    return judge_layer(package, layer_of(own), layer_of(inner or imported.name))


def judge_backend(own: str, used: str, *, lazy: bool) -> str | None:
    """Why a module of ``online/`` may not import this of ``online/``, or None: another's backend, or one too early."""
    backend = next((room for room in BACKENDS if used.startswith(f"{room}.")), None)
    if backend is None or own == backend or own.startswith(f"{backend}."):
        return None
    if own != "online.backend":
        return f"imports {backend}, which only online.backend may"
    return None if lazy else f"imports {backend} for everybody: import it in the function that opens it"


def judge_layer(package: Path, layer: str, used: str) -> str | None:
    """Why ``layer`` may not import ``used``, two names directly below ``asknown``, or None."""
    if not ((package / used).is_dir() or (package / f"{used}.py").is_file()):
        return f"imports {used}: import it from its own module"
    if used not in LAYER:
        return f"imports {used}, which is in no layer"
    if used == layer or LAYER[used] < LAYER[layer]:
        return None
    return f"{layer} imports {used}, which is not above it"


def judge_library(own: str, library: str, *, lazy: bool) -> str | None:
    """Why the module ``own`` may not import a third party's ``library``, or None."""
    if library not in HOMES:
        return f"imports {library}, which has no home here"
    if not any(own == home or own.startswith(f"{home}.") for home in HOMES[library]):
        return f"imports {library}, whose home is {' '.join(sorted(HOMES[library]))}"
    if library in OPTIONAL and not lazy:
        return f"imports {library} for everybody: import it in the function that needs it"
    return None


def layer_of(module: str) -> str:
    """The name directly below ``asknown`` that a module (without ``asknown.``) belongs to."""
    return module.partition(".")[0]


def test_every_module_keeps_to_its_layer() -> None:
    assert find_violations(PACKAGE) == []


def test_every_layer_is_read() -> None:
    # Guards the test above against finding nothing because it looks nowhere.
    modules = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert modules - {"__init__"} <= set(LAYER)
    assert {"errors", "project", "model", "plan", "emit", "online"} <= modules


PLANTED = [
    ("errors.py", "from asknown.types import SqlType", "errors imports types, which is not above it"),
    ("durations.py", "import asknown.types", "durations imports types, which is not above it"),
    ("plan/build.py", "from asknown import emit", "plan imports emit, which is not above it"),
    ("plan/build.py", "from asknown.emit.compile import compile_plan", "plan imports emit"),
    ("plan/build.py", "from ..emit import compile_plan", "plan imports emit"),
    ("plan/build.py", "from importlib import import_module\nimport_module('asknown.cli')", "plan imports cli"),
    ("plan/__init__.py", "from ..store import FeatureStore", "plan imports store"),
    ("plan/build.py", "def f():\n    from asknown.store import FeatureStore", "plan imports store"),
    (
        "emit/compile.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from asknown.online.nodes import OnlineView",
        "emit imports online",
    ),
    ("store.py", "from asknown import FeatureStore", "import it from its own module"),
    ("online/reader.py", "def f():\n    from asknown.online.sqlite import names", "which only online.backend may"),
    ("online/keys.py", "from asknown.online.sqlite.names import quote", "which only online.backend may"),
    ("online/valkey/store.py", "from asknown.online.postgres.sql import quote", "which only online.backend may"),
    ("online/backend.py", "from asknown.online.sqlite.reader import SQLiteBackend", "online.sqlite for everybody"),
    ("tools.py", "", "not in any layer"),
    ("store.py", "import click", "imports click, whose home is cli"),
    ("model/parse.py", "from yaml import safe_load", "imports yaml, whose home is project"),
    ("engines/engine.py", "import duckdb", "imports duckdb, whose home is engines.duckdb"),
    ("render/macros.py", "import requests", "imports requests, which has no home here"),
    ("store.py", "import pandas", "imports pandas for everybody"),
]


@pytest.mark.parametrize(("file", "text", "fault"), PLANTED)
def test_a_planted_violation_is_found(tmp_path: Path, file: str, text: str, fault: str) -> None:
    package = plant(tmp_path, file, text)
    (found,) = find_violations(package)
    assert found.startswith(f"asknown/{file}")
    assert fault in found


ALLOWED = [
    ("types.py", "from asknown.errors import AsknownError\nimport dataclasses"),
    ("plan/build.py", "from asknown.plan.nodes import Plan\nfrom .nodes import Plan\nfrom asknown import model"),
    ("cli/train.py", "from asknown import __version__\nimport click, rich.table"),
    ("engines/duckdb.py", "import duckdb, pyarrow"),
    ("online/backend.py", "def f():\n    from asknown.online.sqlite.writer import OnlineWriter"),
    ("store.py", "import pyarrow\ndef f():\n    import pandas, polars"),
]


@pytest.mark.parametrize(("file", "text"), ALLOWED)
def test_what_the_layers_allow_is_no_violation(tmp_path: Path, file: str, text: str) -> None:
    assert find_violations(plant(tmp_path, file, text)) == []


def plant(folder: Path, file: str, text: str) -> Path:
    """A package with an empty module for every layer, and ``text`` in one of its files."""
    package = folder / "asknown"
    for name in LAYER:
        (package / name).mkdir(parents=True)
        (package / name / "__init__.py").write_text("")
    (package / "__init__.py").write_text("from asknown.cli import main\n")
    path = package / file
    path.parent.mkdir(exist_ok=True)
    if file.count("/") == 0 and path.stem in LAYER:
        (package / path.stem / "__init__.py").unlink()
        (package / path.stem).rmdir()
    path.write_text(text)
    return package
