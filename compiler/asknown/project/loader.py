"""The whole project: settings, profile, models, macros and properties, read and checked together."""

from __future__ import annotations

import re
from pathlib import Path

from asknown.errors import AsknownError, Where
from asknown.project.files import find_files, is_folder, read_text, show_path
from asknown.project.nodes import MacroFile, ModelFile, Project, Service, Settings
from asknown.project.pins import read_lock
from asknown.project.profiles import load_profile
from asknown.project.properties import read_properties
from asknown.project.reader import Names
from asknown.project.settings import load_settings, require_models
from asknown.project.target_names import of_target

_MODEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = "_asknown"


def load_project(path: str | Path = ".", *, target: str | None = None, profile: str | None = None) -> Project:
    """The project that ``path`` lies in, read from its files. ``target`` and ``profile`` override profiles.yml.

    This renders no template, parses no SQL and opens no connection. Every error is an ``AsknownError`` that points
    into a file.
    """
    settings = load_settings(path)
    require_models(settings)
    chosen = load_profile(settings, target, profile=profile)
    names = Names()
    models = find_models(settings, names)
    tests = find_tests(settings, names)
    properties = read_properties(settings, models, names)
    return Project(
        settings=settings,
        profile=chosen,
        sources={key: of_target(table, chosen.target) for key, table in properties.sources.items()},
        entities=properties.entities,
        services=properties.services,
        docs=properties.docs,
        groups=properties.groups,
        exposures=properties.exposures,
        unit_tests=properties.unit_tests,
        tests=tests,
        models=models,
        macros=find_macros(settings),
        pins=read_lock(settings),
    )


def load_services(settings: Settings) -> dict[str, Service]:
    """The project's feature services by name; none where it has no models. No secret of a target is looked up."""
    if not any(is_folder(folder) for folder in settings.model_paths):
        return {}
    names = Names()
    return read_properties(settings, find_models(settings, names), names).services


def find_models(settings: Settings, names: Names) -> dict[str, ModelFile]:
    """The models under the model paths, by name. Errors: ``bad-name``, ``duplicate-name``, ``template``."""
    models: dict[str, ModelFile] = {}
    for path in find_files(settings.model_paths, settings.root, ".sql"):
        shown = show_path(path, settings.root)
        name = path.stem
        _check_model_name(name, shown)
        names.register("model", name, Where(shown))
        models[name] = ModelFile(name, path, shown, read_text(path, shown))
    return models


def find_tests(settings: Settings, names: Names) -> dict[str, ModelFile]:
    """The singular data tests under the test paths, by name: queries whose rows are failures."""
    tests: dict[str, ModelFile] = {}
    for path in find_files(settings.test_paths, settings.root, ".sql"):
        shown = show_path(path, settings.root)
        names.register("data test", path.stem, Where(shown))
        tests[path.stem] = ModelFile(path.stem, path, shown, read_text(path, shown))
    return tests


def find_macros(settings: Settings) -> tuple[MacroFile, ...]:
    """The macro files: the standard library's, then the project's. A file that is in both counts as standard."""
    library = standard_macros()
    root = settings.root
    macros: dict[Path, MacroFile] = {}
    for path in find_files([library], library, ".sql"):
        shown = show_path(path, root) if path.is_relative_to(root) else f"asknown/_macros/{show_path(path, library)}"
        macros[path.resolve()] = MacroFile(path, shown, read_text(path, shown), standard=True)
    for path in find_files(settings.macro_paths, root, ".sql"):
        if path.resolve() not in macros:
            shown = show_path(path, root)
            macros[path.resolve()] = MacroFile(path, shown, read_text(path, shown))
    return tuple(macros.values())


def standard_macros() -> Path:
    """The folder of the standard macros: inside the installed package, or beside ``compiler/`` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_macros", package.parents[1] / "macros"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"this installation of asknown is missing its macro files: {package / '_macros'}")


def _check_model_name(name: str, shown: str) -> None:
    if not _MODEL_NAME.fullmatch(name):
        better = re.sub(r"[^A-Za-z0-9_]", "_", name)
        better = better if _MODEL_NAME.fullmatch(better) else f"_{better}"
        raise AsknownError(
            "bad-name",
            f"'{name}' is not a model name: use letters, digits and '_', and do not start with a digit",
            at=Where(shown),
            hint=f"rename the file to {better}.sql",
        )
    if name.casefold().startswith(_RESERVED):
        raise AsknownError(
            "bad-name",
            f"'{name}' is not a model name: names that start with '{_RESERVED}' are reserved",
            at=Where(shown),
            hint="rename the file",
        )
