"""``{{ env_var('NAME') }}`` in the values of profiles.yml: a form of its own, without Jinja."""

from __future__ import annotations

import os
import re
from dataclasses import replace

from asknown.errors import AsknownError
from asknown.project.values import Entry, Mapping, Scalar, Sequence, Value

_CALL = re.compile(
    r"""\{\{ \s* env_var \( \s* (?P<q>['"]) (?P<name>[A-Za-z_][A-Za-z0-9_]*) (?P=q) \s*
        (?: , \s* (?P<d>['"]) (?P<default>.*?) (?P=d) \s* )? \) \s* \}\}""",
    re.VERBOSE,
)
_OPENING = re.compile(r"\{\{|\{%")


def resolve(value: Value, who: str) -> Value:
    """The value with every ``env_var`` in it looked up. ``who`` asks, in the words of an error: "target 'dev'".

    Errors: ``missing-env``, and ``undefined`` for anything else inside braces.
    """
    match value:
        case Mapping():
            entries = {key: Entry(entry.at, resolve(entry.value, who)) for key, entry in value.entries.items()}
            return Mapping(entries, value.at)
        case Sequence():
            return Sequence(tuple(resolve(item, who) for item in value.items), value.at)
        case Scalar(value=str()) if _OPENING.search(value.text):
            text = _substitute(value, who)
            return replace(value, value=text, text=text, untyped=True)
    return value


def _substitute(value: Scalar, who: str) -> str:
    parts: list[str] = []
    position = 0
    while (opening := _OPENING.search(value.text, position)) is not None:
        call = _CALL.match(value.text, opening.start())
        if call is None:
            raise AsknownError(
                "undefined",
                "only env_var is available between braces here",
                at=value.at,
                hint="write {{ env_var('NAME') }} or {{ env_var('NAME', 'default') }}",
            )
        parts += value.text[position : opening.start()], _look_up(call, value, who)
        position = call.end()
    return "".join(parts) + value.text[position:]


def _look_up(call: re.Match[str], value: Scalar, who: str) -> str:
    name = call["name"]
    found = os.environ.get(name, call["default"])
    if found is None:
        raise AsknownError(
            "missing-env",
            f"the environment variable {name} is not set, and {who} asks for it",
            at=value.at,
            hint=f"export {name}=…  or give a default: env_var('{name}', '…')",
        )
    return found
