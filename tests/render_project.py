"""A project made by hand, and its models rendered: what the tests of rendering share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import asknown
from asknown.errors import AsknownError, Where
from asknown.project.nodes import (
    Entity,
    Key,
    MacroFile,
    ModelFile,
    OnlineTarget,
    Profile,
    Project,
    Settings,
    SourceTable,
    Target,
)
from asknown.project.options import DuckDBOptions
from asknown.render import Rendered, Renderer

ROOT = Path("/project")
YML = Where("models/all.yml", 1)
LIBRARY = Path(asknown.__file__).parents[2] / "macros"
ENTITIES = {"carrier": ["carrier"], "route": ["origin", "dest"], "shop": ["order", "Shop Id"]}
SOURCES = [("nyc", "flights"), ("nyc", "planes"), ("raw", "odd.name")]
VIEW = "{{ config(entity='carrier', event_time='landed_at') }}\n"


def library() -> tuple[MacroFile, ...]:
    """The standard macros, as the loader gives them."""
    paths = sorted(LIBRARY.glob("*.sql"))
    assert paths
    return tuple(MacroFile(path, f"asknown/_macros/{path.name}", path.read_text(), standard=True) for path in paths)


def make_project(
    models: Mapping[str, str], macros: Mapping[str, str] | None = None, variables: Mapping[str, Any] | None = None
) -> Project:
    """A project of these models, with its own ``macros`` (by file name) over the standard library."""
    return Project(
        settings=Settings("test", ROOT, "test", macro_paths=(ROOT / "macros",), vars=dict(variables or {})),
        profile=Profile(
            "test",
            Target("dev", DuckDBOptions(), YML),
            OnlineTarget(ROOT / "online.db", "test", "dev"),
            ROOT / "registry.db",
        ),
        sources={(s, t): SourceTable(s, t, f"{t}.parquet", None, None, "", (), YML) for s, t in SOURCES},
        entities={name: Entity(name, tuple(map(Key, keys)), "", YML) for name, keys in ENTITIES.items()},
        services={},
        docs={},
        models={n: ModelFile(n, ROOT / "models" / f"{n}.sql", f"models/{n}.sql", t) for n, t in models.items()},
        macros=library()
        + tuple(MacroFile(ROOT / "macros" / name, f"macros/{name}", text) for name, text in (macros or {}).items()),
    )


def render(template: str, macros: Mapping[str, str] | None = None, **variables: Any) -> Rendered:
    """The model ``m``, rendered in a project that has a model ``landings`` beside it."""
    project = make_project({"m": template, "landings": "select 1", "Order": "select 1"}, macros, variables)
    return Renderer(project).render_model(project.models["m"])


def refuse(template: str, code: str, macros: Mapping[str, str] | None = None, **variables: Any) -> AsknownError:
    """The error of ``code`` that rendering the model ``m`` ends in."""
    with pytest.raises(AsknownError) as caught:
        render(template, macros, **variables)
    assert caught.value.code == code, str(caught.value)
    return caught.value


def place(error: AsknownError) -> str:
    """Where the error points, as ``path:line:column``."""
    return str(error.at)
