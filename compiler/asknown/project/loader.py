"""The whole project: settings, profile, models, macros and properties, read and checked together."""

from __future__ import annotations

from pathlib import Path

from asknown.project.files import find_macros, find_models
from asknown.project.names import Names
from asknown.project.nodes import Project
from asknown.project.profiles import load_profile
from asknown.project.properties import read_properties
from asknown.project.settings import load_settings, require_models


def load_project(path: str | Path = ".", *, target: str | None = None, profile: str | None = None) -> Project:
    """The project that ``path`` lies in, as its files say it; ``target`` and ``profile`` overrule profiles.yml.

    Nothing is rendered, parsed as SQL or connected to. Every error is an ``AsknownError`` that points into a file.
    """
    settings = load_settings(path)
    require_models(settings)
    chosen = load_profile(settings, target, profile=profile)
    names = Names()
    models = find_models(settings, names)
    properties = read_properties(settings, models, names)
    return Project(
        settings=settings,
        profile=chosen,
        sources=properties.sources,
        entities=properties.entities,
        services=properties.services,
        docs=properties.docs,
        models=models,
        macros=find_macros(settings),
    )
