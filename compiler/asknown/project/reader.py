"""A mapping of a YAML file, read key by key and checked as it is read."""

from __future__ import annotations

import re
from collections.abc import Collection

from asknown.errors import AsknownError, Where, did_you_mean, raise_all
from asknown.project.values import Mapping, Scalar, Sequence, Value, describe

_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")


class Reader:
    """Reads the mapping ``value``, which may have no other keys than ``keys``. ``what`` names it, as in "an entity".

    A key written without a value counts as absent. No message repeats a value, which may be a secret.
    """

    def __init__(self, value: Value, what: str, keys: Collection[str]) -> None:
        self._mapping = as_mapping(value, what)
        self.what = what
        self.at = value.at
        unknown = [(key, entry) for key, entry in self._mapping.entries.items() if key not in keys]
        raise_all(
            [
                AsknownError(
                    "unknown-key",
                    f"{what} has no key '{key}'",
                    at=entry.at,
                    hint=did_you_mean(key, keys, what="its keys"),
                )
                for key, entry in unknown
            ]
        )

    def value(self, key: str) -> Value | None:
        """The value of ``key`` as it is, or None."""
        entry = self._mapping.entries.get(key)
        if entry is None or (isinstance(entry.value, Scalar) and entry.value.value is None):
            return None
        return entry.value

    def place(self, key: str) -> Where:
        """The place of the value of ``key``, or of the mapping if it has none."""
        value = self.value(key)
        return self.at if value is None else value.at

    def optional_text(self, key: str) -> str | None:
        """The text of ``key``, or None."""
        value = self.value(key)
        return None if value is None else as_text(value, f"'{key}' of {self.what}")

    def text(self, key: str, *, hint: str | None = None) -> str:
        """The text of ``key``, which must be there and not blank."""
        text = self.optional_text(key)
        if text is None:
            raise AsknownError("missing-key", f"{self.what} lacks '{key}'", at=self.at, hint=hint)
        if not text.strip():
            raise AsknownError("bad-name", f"'{key}' of {self.what} is blank", at=self.place(key))
        return text

    def require(self, keys: Collection[str], *, hint: str | None = None) -> None:
        """Raises ``missing-key``, which names all of ``keys`` that are absent."""
        missing = [key for key in keys if self.value(key) is None]
        if missing:
            lacks = ", ".join(f"'{key}'" for key in missing)
            raise AsknownError("missing-key", f"{self.what} lacks {lacks}", at=self.at, hint=hint)

    def integer(self, key: str, *, least: int | None = None) -> int | None:
        """The whole number of ``key``, at least ``least``, or None."""
        value = self.value(key)
        if value is None:
            return None
        number = value.value if isinstance(value, Scalar) else None
        if isinstance(value, Scalar) and value.untyped and _WHOLE.fullmatch(value.text.strip()):
            number = int(value.text)
        if not isinstance(number, int) or isinstance(number, bool):
            raise wrong_type(f"'{key}' of {self.what}", "a whole number", value)
        if least is not None and number < least:
            raise AsknownError("wrong-type", f"'{key}' of {self.what} must be at least {least}", at=value.at)
        return number

    def truth(self, key: str) -> bool:
        """The truth value of ``key``; False if it is absent."""
        value = self.value(key)
        if value is None:
            return False
        if not isinstance(value, Scalar) or not isinstance(value.value, bool):
            raise wrong_type(f"'{key}' of {self.what}", "true or false", value)
        return value.value

    def items(self, key: str) -> tuple[Value, ...]:
        """The items of the list ``key``; empty if it is absent."""
        value = self.value(key)
        if value is None:
            return ()
        if not isinstance(value, Sequence):
            raise wrong_type(f"'{key}' of {self.what}", "a list", value)
        return value.items

    def mapping(self, key: str) -> Mapping | None:
        """The mapping of ``key``, or None."""
        value = self.value(key)
        return None if value is None else as_mapping(value, f"'{key}' of {self.what}")


class Names:
    """The names in use so far, by kind, each with its place. Letter case is ignored."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], tuple[str, Where]] = {}

    def register(self, kind: str, name: str, at: Where) -> None:
        """Registers ``name`` for a thing of ``kind``, such as "entity". Raises ``duplicate-name`` if it is in use."""
        key = (kind, name.casefold())
        if key not in self._entries:
            self._entries[key] = (name, at)
            return
        first, place = self._entries[key]
        alike = "" if first == name else f" ('{first}' there: names that differ only in case are the same)"
        raise AsknownError(
            "duplicate-name",
            f"{kind} '{name}' is given twice: first at {place}{alike}",
            at=at,
            hint="rename one of them, or remove it",
        )

    def place(self, kind: str, name: str) -> Where | None:
        """The place where a thing of ``kind`` registered this name, or None."""
        entry = self._entries.get((kind, name.casefold()))
        return None if entry is None else entry[1]


def as_text(value: Value, what: str) -> str:
    """The value, which must be text. Raises ``wrong-type``."""
    if isinstance(value, Scalar) and isinstance(value.value, str):
        return value.value
    raise wrong_type(what, "text", value)


def as_mapping(value: Value, what: str) -> Mapping:
    """The value, which must be a mapping. Raises ``wrong-type``."""
    if isinstance(value, Mapping):
        return value
    raise wrong_type(what, "a mapping", value)


def wrong_type(what: str, expected: str, value: Value) -> AsknownError:
    """The error for a value that is not of the kind ``wanted``."""
    hint = None
    if expected == "text" and isinstance(value, Scalar):
        hint = "put quotes around it" if value.value is not None else "write a text, or leave the entry out"
    elif expected == "a whole number":
        hint = "write it in digits, without quotes"
    elif expected == "true or false":
        hint = "write true or false, without quotes"
    elif expected == "a list":
        hint = "start each entry with '- ', or write them in brackets: [first, second]"
    elif expected == "a mapping":
        hint = "write 'key: value' lines"
    return AsknownError("wrong-type", f"{what} must be {expected}, not {describe(value)}", at=value.at, hint=hint)
