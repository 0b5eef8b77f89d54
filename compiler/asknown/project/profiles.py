"""Reads profiles.yml: the engine that a project runs on, and the place of its online table.

The file may hold secrets, so errors show keys without values, and no message repeats a value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from asknown.errors import AsknownError, Where, did_you_mean, keep_secret
from asknown.paths import absolute
from asknown.project.files import is_file, read_bytes, show_path
from asknown.project.nodes import OnlineTarget, Profile, RegistryPlace, ServeToken, Settings, Target
from asknown.project.online import ONLINE_FILE, read_online
from asknown.project.options import DuckDBOptions
from asknown.project.reader import Reader, as_mapping, as_text
from asknown.project.registry import default_registry, read_registry
from asknown.project.serving import read_tokens
from asknown.project.targets import read_target, split_online
from asknown.project.values import Entry, Mapping, Scalar, Sequence, Value

FILE = "profiles.yml"
FOLDER = "ASKNOWN_PROFILES_DIR"
DEFAULT_TARGET = "dev"


def load_profile(settings: Settings, target: str | None = None, *, profile: str | None = None) -> Profile:
    """The project's profile with the target ``target``, or the one that the profile chooses.

    Without a profiles.yml it is DuckDB in memory, with the online table in the project's folder. Environment
    variables are looked up for the chosen target and the online table only. Errors: ``unknown-profile``,
    ``missing-env``, ``bad-yaml``, ``unknown-key``, ``wrong-type``, ``missing-key``.
    """
    reader = _open(settings, profile)
    if reader is None:
        return _default(settings, target, profile)
    outputs = _outputs(reader)
    name = _choose(reader, outputs, target)
    entry = outputs.entries[name]
    output, online = split_online(as_mapping(entry.value, f"target '{name}'"))
    chosen = read_target(name, resolve(output, Scope(f"target '{name}'")), settings.root, entry.at)
    return Profile(
        name=profile or settings.profile,
        target=chosen,
        online=_online_of(reader, online, name, settings),
        registry=_read_registry(reader, settings),
    )


def load_online(settings: Settings, target: str | None = None) -> OnlineTarget:
    """The online table of the target ``target``, or of the one that the profile chooses.

    Environment variables of the target itself are not looked up, because a read needs none. Errors: as
    :func:`load_profile`.
    """
    reader = _open(settings, None)
    if reader is None:
        return _default(settings, target, None).online
    outputs = _outputs(reader)
    name = _choose(reader, outputs, target)
    online = split_online(as_mapping(outputs.entries[name].value, f"target '{name}'"))[1]
    return _online_of(reader, online, name, settings)


def load_registry(settings: Settings) -> RegistryPlace:
    """The place of the registry. As for the online table, no environment variable of a target is looked up."""
    reader = _open(settings, None)
    return default_registry(settings.root) if reader is None else _read_registry(reader, settings)


def load_tokens(settings: Settings) -> tuple[ServeToken, ...]:
    """The tokens of the profile's ``serve:``, which `asknown serve` takes; none where it has none."""
    reader = _open(settings, None)
    serve = None if reader is None else reader.value("serve")
    return () if serve is None else read_tokens(resolve(serve, Scope("'serve'")))


def _open(settings: Settings, profile: str | None) -> Reader | None:
    """A reader of the profile's mapping in profiles.yml; None if there is no such file."""
    path = _find(settings)
    if path is None:
        return None
    name = profile or settings.profile
    return Reader(
        _read(path, show_path(path, settings.root), name),
        f"profile '{name}'",
        ("target", "outputs", "online", "registry", "serve"),
    )


def _outputs(reader: Reader) -> Mapping:
    outputs = reader.mapping("outputs")
    if outputs is None or not outputs.entries:
        raise AsknownError(
            "missing-key",
            f"{reader.what} has no 'outputs'",
            at=reader.place("outputs"),
            hint="outputs: {dev: {type: duckdb}}",
        )
    return outputs


def _online_of(reader: Reader, own: Value | None, target: str, settings: Settings) -> OnlineTarget:
    """The online table of the target called ``target``: its ``own``, else the profile's, else the default file."""
    online = reader.value("online") if own is None else own
    if online is None:
        return OnlineTarget(settings.root / ONLINE_FILE, settings.name, target)
    return read_online(resolve(online, Scope("'online'", target=target)), settings, target)


def _read_registry(reader: Reader, settings: Settings) -> RegistryPlace:
    registry = reader.value("registry")
    if registry is None:
        return default_registry(settings.root)
    return read_registry(resolve(registry, Scope("'registry'")), settings.root)


def _find(settings: Settings) -> Path | None:
    named = os.environ.get(FOLDER)
    path = (absolute(named) if named else settings.root) / FILE
    if is_file(path):
        return path
    if named:
        raise AsknownError(
            "unknown-profile",
            f"{FOLDER} names {path}, which does not exist",
            hint=f"put {FILE} there, or unset {FOLDER}",
        )
    misspelt = path.with_suffix(".yaml")
    if is_file(misspelt):
        raise AsknownError(
            "unknown-profile", f"the file must be named {FILE}, not {misspelt.name}", hint=f"mv {misspelt.name} {FILE}"
        )
    return None


def _default(settings: Settings, target: str | None, profile: str | None) -> Profile:
    at = Where("pyproject.toml")
    if target not in (None, DEFAULT_TARGET):
        raise AsknownError(
            "unknown-profile",
            f"there is no target '{target}': without a {FILE} there is only '{DEFAULT_TARGET}', DuckDB in memory",
            at=at,
            hint=f"write a {FILE} beside pyproject.toml",
        )
    if profile not in (None, settings.profile):
        raise AsknownError(
            "unknown-profile",
            f"there is no profile '{profile}': the project has no {FILE}",
            at=at,
            hint=f"write a {FILE} beside pyproject.toml",
        )
    online = OnlineTarget(settings.root / ONLINE_FILE, settings.name, DEFAULT_TARGET)
    return Profile(
        settings.profile, Target(DEFAULT_TARGET, DuckDBOptions(), at), online, default_registry(settings.root)
    )


def _read(path: Path, shown: str, name: str) -> Value:
    """The profile called ``name``, as the file has it. The other profiles of the file are not checked."""
    from asknown.project.yaml import read_yaml  # PyYAML is slow to import, and most reads do without

    document = read_yaml(read_bytes(path, shown, "bad-yaml"), shown, secret=True)
    profiles = {} if document is None else as_mapping(document, FILE).entries
    if name not in profiles:
        raise AsknownError(
            "unknown-profile",
            f"{FILE} has no profile '{name}'",
            at=Where(shown),
            hint=f"{did_you_mean(name, profiles, what='profiles')}; [tool.asknown] profile = … chooses one",
        )
    return profiles[name].value


def _choose(reader: Reader, outputs: Mapping, requested: str | None) -> str:
    """The target's name: the requested one, else the profile's choice, else its only output."""
    names = outputs.entries
    if requested is not None:
        if requested in names:
            return requested
        raise _unknown(reader, requested, names, outputs.at)
    choice = reader.value("target")
    if choice is None:
        if len(names) == 1:
            return next(iter(names))
        raise AsknownError(
            "missing-key",
            f"{reader.what} does not say which of its outputs is the 'target'",
            at=reader.at,
            hint=f"target: {next(iter(names))}",
        )
    value = resolve(choice, Scope(reader.what, public=names))
    name = as_text(value, f"'target' of {reader.what}")
    if name in names:
        return name
    if isinstance(value, Scalar) and value.untyped:  # from the environment: never shown
        raise AsknownError(
            "unknown-profile",
            f"{reader.what} has no output with the name that the environment gives for 'target'",
            at=value.at,
            hint=did_you_mean("", names, what="outputs"),
        )
    raise _unknown(reader, name, names, value.at)


def _unknown(reader: Reader, name: str, names: Iterable[str], at: Where) -> AsknownError:
    return AsknownError(
        "unknown-profile",
        f"{reader.what} has no target '{name}' among its outputs",
        at=at,
        hint=did_you_mean(name, names, what="outputs"),
    )


_CALL = re.compile(
    r"""\{\{ \s* env_var \( \s* (?P<q>['"]) (?P<name>[A-Za-z_][A-Za-z0-9_]*) (?P=q) \s*
        (?: , \s* (?P<d>['"]) (?P<default>.*?) (?P=d) \s* )? \) \s* \}\}""",
    re.VERBOSE,
)
_TARGET = re.compile(r"\{\{\s*target\.name\s*\}\}")
_OPENING = re.compile(r"\{\{|\{%")


@dataclass(frozen=True)
class Scope:
    """The names that the braces of a value may use.

    ``owner`` is the value's place in errors, as in "target 'dev'". ``target`` is the text of ``{{ target.name }}``,
    or None where it may not stand. What a variable holds is a secret, unless it is one of the ``public`` texts.
    """

    owner: str
    target: str | None = None
    public: Collection[str] = ()


def resolve(value: Value, scope: Scope) -> Value:
    """The value with everything in braces replaced: ``env_var``, and ``target.name`` where ``scope`` has it.

    Errors: ``missing-env``, and ``undefined`` for anything else inside braces.
    """
    match value:
        case Mapping():
            entries = {key: Entry(entry.at, resolve(entry.value, scope)) for key, entry in value.entries.items()}
            return Mapping(entries, value.at)
        case Sequence():
            return Sequence(tuple(resolve(item, scope) for item in value.items), value.at)
        case Scalar(value=str()) if _OPENING.search(value.text):
            text = _substitute(value, scope)
            return replace(value, value=text, text=text, untyped=True)
    return value


def _substitute(value: Scalar, scope: Scope) -> str:
    parts: list[str] = []
    position = 0
    while (opening := _OPENING.search(value.text, position)) is not None:
        start = opening.start()
        parts.append(value.text[position:start])
        if scope.target is not None and (named := _TARGET.match(value.text, start)):
            parts.append(scope.target)
            position = named.end()
        elif call := _CALL.match(value.text, start):
            parts.append(_look_up(call, value, scope))
            position = call.end()
        else:
            raise _unknown_braces(value, scope)
    return "".join(parts) + value.text[position:]


def _unknown_braces(value: Scalar, scope: Scope) -> AsknownError:
    known, write = "only env_var is", "write {{ env_var('NAME') }} or {{ env_var('NAME', 'default') }}"
    if scope.target is not None:
        known, write = "only env_var and target.name are", f"{write} or {{{{ target.name }}}}"
    return AsknownError("undefined", f"{known} available between braces here", at=value.at, hint=write)


def _look_up(call: re.Match[str], value: Scalar, scope: Scope) -> str:
    name = call["name"]
    found = os.environ.get(name, call["default"])
    if found is None:
        raise AsknownError(
            "missing-env",
            f"the environment variable {name} is not set, but {scope.owner} needs it",
            at=value.at,
            hint=f"export {name}=…  or give a default: env_var('{name}', '…')",
        )
    if name in os.environ and found not in scope.public:
        keep_secret(found)
    return found
