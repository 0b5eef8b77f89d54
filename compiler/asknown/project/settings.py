"""The project's settings: the ``[tool.asknown]`` table of pyproject.toml."""

from __future__ import annotations

from os.path import normpath
from pathlib import Path
from typing import Any

from asknown.errors import AsknownError, Where, did_you_mean
from asknown.project.files import is_folder, read_text
from asknown.project.nodes import Settings
from asknown.project.root import FILE, locate
from asknown.project.toml_places import find_key

KEYS = ("name", "profile", "dialect", "model-paths", "macro-paths", "vars")
_TABLE = ("tool", "asknown")
_ADD_NAME = 'add name = "my_features" below [tool.asknown]'


def load_settings(path: str | Path = ".") -> Settings:
    """The settings of the project that ``path`` lies in.

    Errors: ``no-project``, ``bad-toml``, ``unknown-key``, ``wrong-type``, ``missing-key``, ``bad-name``.
    """
    root, text, table = locate(path)
    if not isinstance(table, dict):
        raise AsknownError(
            "wrong-type",
            f"tool.asknown must be one table, not {_describe(table)}",
            at=find_key(text, FILE, _TABLE),
            hint="write it as [tool.asknown]",
        )
    reader = _Table(table, text)
    name = reader.text("name")
    if name is None:
        raise AsknownError(
            "missing-key", "[tool.asknown] lacks 'name'", at=find_key(text, FILE, _TABLE), hint=_ADD_NAME
        )
    return Settings(
        name=name,
        root=root,
        profile=reader.text("profile") or name,
        dialect=reader.text("dialect") or "duckdb",
        model_paths=_folders(root, reader.texts("model-paths") or ["models"]),
        macro_paths=_folders(root, reader.texts("macro-paths") or ["macros"]),
        vars=reader.vars(),
    )


def require_models(settings: Settings) -> None:
    """Refuses a project that has none of its model folders."""
    if any(is_folder(folder) for folder in settings.model_paths):
        return
    text = read_text(settings.root / FILE, FILE, "bad-toml")
    looked = " or ".join(str(folder) for folder in settings.model_paths)
    raise AsknownError(
        "no-project",
        f"the project '{settings.name}' has no folder of models: there is no {looked}",
        at=find_key(text, FILE, (*_TABLE, "model-paths")),
        hint='make the folder, or name yours in [tool.asknown]: model-paths = ["models"]',
    )


def _folders(root: Path, names: list[str]) -> tuple[Path, ...]:
    return tuple(Path(normpath(root / name)) for name in names)


class _Table:
    """The ``[tool.asknown]`` table, read key by key; unknown keys are refused when it is made."""

    def __init__(self, table: dict[str, Any], text: str) -> None:
        self._table = table
        self._text = text
        for key in table:
            if key not in KEYS:
                raise AsknownError(
                    "unknown-key",
                    f"[tool.asknown] has no key '{key}'",
                    at=self._place(key),
                    hint=did_you_mean(key, KEYS, what="its keys"),
                )

    def text(self, key: str) -> str | None:
        """The text of ``key``, or None."""
        value = self._table.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self._wrong(key, "text", value)
        if not value.strip():
            raise AsknownError("bad-name", f"'{key}' is blank", at=self._place(key))
        return value

    def texts(self, key: str) -> list[str] | None:
        """The list of texts of ``key``, or None. It has at least one."""
        value = self._table.get(key)
        if value is None:
            return None
        if not isinstance(value, list):
            raise self._wrong(key, "a list of folders", value, f'{key} = ["{key.removesuffix("-paths")}s"]')
        for item in value:
            if not isinstance(item, str):
                raise self._wrong(key, "a list of folders", item)
        if not value or not all(item.strip() for item in value):
            raise AsknownError("wrong-type", f"'{key}' must name a folder", at=self._place(key))
        return value

    def vars(self) -> dict[str, Any]:
        """The table ``vars``: texts, numbers, true or false, and lists of these."""
        value = self._table.get("vars", {})
        if not isinstance(value, dict):
            raise self._wrong("vars", "a table", value, "write [tool.asknown.vars] and the variables below it")
        for name, given in value.items():
            for item in given if isinstance(given, list) else [given]:
                if not isinstance(item, str | int | float):
                    raise AsknownError(
                        "wrong-type",
                        f"the variable '{name}' must be text, a number, true or false, or a list of these, "
                        f"not {_describe(item)}",
                        at=self._place("vars", name),
                        hint="put quotes around it" if not isinstance(item, dict | list) else None,
                    )
        return value

    def _wrong(self, key: str, wanted: str, value: object, hint: str | None = None) -> AsknownError:
        return AsknownError(
            "wrong-type", f"'{key}' must be {wanted}, not {_describe(value)}", at=self._place(key), hint=hint
        )

    def _place(self, *key: str) -> Where:
        return find_key(self._text, FILE, (*_TABLE, *key))


def _describe(value: object) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a table"
    return "a date or time"
