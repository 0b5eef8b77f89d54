"""The project's settings: the ``[tool.asknown]`` table of pyproject.toml."""

from __future__ import annotations

import re
from os.path import normpath
from pathlib import Path
from typing import Any

from asknown.errors import AsknownError, Where, did_you_mean, raise_all
from asknown.paths import absolute
from asknown.project.files import is_file, is_folder, read_text
from asknown.project.nodes import LintSetting, Settings

KEYS = ("name", "profile", "dialect", "model-paths", "macro-paths", "test-paths", "vars", "lint")
SEVERITIES = ("error", "warning", "information", "off")
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
        test_paths=_folders(root, reader.texts("test-paths") or ["tests"]),
        vars=reader.vars(),
        lint=reader.lint(),
    )


def require_models(settings: Settings) -> None:
    """Raises ``no-project`` if none of the project's model folders exists."""
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
    """Reads the ``[tool.asknown]`` table key by key. The constructor refuses unknown keys."""

    def __init__(self, table: dict[str, Any], text: str) -> None:
        self._table = table
        self._text = text
        raise_all(
            [
                AsknownError(
                    "unknown-key",
                    f"[tool.asknown] has no key '{key}'",
                    at=self._place(key),
                    hint=did_you_mean(key, KEYS, what="its keys"),
                )
                for key in table
                if key not in KEYS
            ]
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
        for name, setting in value.items():
            for item in setting if isinstance(setting, list) else [setting]:
                if not isinstance(item, str | int | float):
                    raise AsknownError(
                        "wrong-type",
                        f"the variable '{name}' must be text, a number, true or false, or a list of these, "
                        f"not {_describe(item)}",
                        at=self._place("vars", name),
                        hint="put quotes around it" if not isinstance(item, dict | list) else None,
                    )
        return value

    def lint(self) -> tuple[LintSetting, ...]:
        """The table ``lint``: severities by the codes of rules, which `asknown check` compares with those there are."""
        table = self._table.get("lint", {})
        if not isinstance(table, dict):
            raise self._wrong("lint", "a table", table, "write [tool.asknown.lint] and the rules below it")
        for code, severity in table.items():
            if severity not in SEVERITIES:
                shown = f"'{severity}'" if isinstance(severity, str) else _describe(severity)
                raise AsknownError(
                    "wrong-type",
                    f"the severity of '{code}' must be one of {', '.join(SEVERITIES)}, not {shown}",
                    at=self._place("lint", code),
                    hint=f'{code} = "warning"',
                )
        return tuple(LintSetting(code, severity, self._place("lint", code)) for code, severity in table.items())

    def _wrong(self, key: str, expected: str, value: object, hint: str | None = None) -> AsknownError:
        return AsknownError(
            "wrong-type", f"'{key}' must be {expected}, not {_describe(value)}", at=self._place(key), hint=hint
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


FILE = "pyproject.toml"
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def find_root(start: str | Path = ".") -> Path:
    """The nearest folder, from ``start`` upwards, whose pyproject.toml has a ``[tool.asknown]`` table.

    Errors: ``no-project``, ``bad-toml``.
    """
    return locate(start)[0]


def locate(start: str | Path) -> tuple[Path, str, Any]:
    """The root, the text of its pyproject.toml, and the value of tool.asknown. Errors: ``no-project``, ``bad-toml``."""
    folder = Path(start)
    if is_file(folder):
        raise AsknownError("no-project", f"'{start}' is a file, not a folder", hint=f"give its folder: {folder.parent}")
    if not is_folder(folder):
        raise AsknownError("no-project", f"there is no folder '{start}'", hint="give a folder of the project")
    folder = absolute(folder).resolve()
    broken: AsknownError | None = None
    without: Path | None = None
    for root in (folder, *folder.parents):
        file = root / FILE
        if not is_file(file):
            continue
        shown = FILE if root == folder else str(file)
        text = ""
        try:
            text = read_text(file, shown, "bad-toml")
            tool = _parse(text, shown).get("tool")
        except AsknownError as fault:
            if "asknown" in text:
                raise
            broken = broken or fault  # probably another project's file: reported only if no project is found
            continue
        if isinstance(tool, dict) and "asknown" in tool:
            return root, text, tool["asknown"]
        without = without or file
    if broken is not None:
        raise broken
    known = f" ({without} has no [tool.asknown] table)" if without else ""
    raise AsknownError(
        "no-project",
        f"no pyproject.toml with a [tool.asknown] table in {folder} or in any folder above it{known}",
        hint="asknown init my_features",
    )


def _parse(text: str, shown: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except ValueError as fault:  # a TOMLDecodeError, or a number too long for Python to read
        message = str(fault)
        found = _AT.search(message)
        lines = text.split("\n")
        line = int(found[1]) if found and found[1] else len(lines)
        column = int(found[2]) if found and found[2] else len(lines[-1]) + 1
        complaint = _AT.sub("", message)
        at = Where(shown, line, column, lines[line - 1] if line <= len(lines) else "")
        raise AsknownError("bad-toml", f"this is not TOML: {complaint[:1].lower()}{complaint[1:]}", at=at) from None
    except RecursionError:
        raise AsknownError("bad-toml", "the file is nested too deep", at=Where(shown)) from None


_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]")
_ENTRY = re.compile(rf"\s*({_DOTTED})\s*=")
_FENCE = re.compile(r'"""|\'\'\'')


def find_key(text: str, shown: str, key: tuple[str, ...]) -> Where:
    """The place of ``key`` (its tables first) in ``text``, else of the innermost of its tables that is there."""
    best, length = Where(shown), 0
    table: tuple[str, ...] = ()
    fenced = False  # inside a text of several lines
    for number, line in enumerate(text.split("\n"), start=1):
        header = None if fenced else _HEADER.match(line)
        entry = None if fenced or header else _ENTRY.match(line)
        fenced ^= len(_FENCE.findall(line)) % 2 == 1
        found = header or entry
        if found is None:
            continue
        path = _parts(found[1]) if header else table + _parts(found[1])
        table = path if header else table
        if len(path) > length and key[: len(path)] == path:
            best, length = Where(shown, number, found.start(1) + 1, line.rstrip("\r")), len(path)
    return best


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))
