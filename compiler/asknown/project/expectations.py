"""Writes what a unit test expects into its YAML file: other values in their places, and nothing else changes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import yaml

from asknown.errors import AsknownError, Where
from asknown.project.tests import UnitTest
from asknown.project.unit_tests import read_unit_test
from asknown.project.values import Mapping as Entries
from asknown.project.values import Scalar, Value
from asknown.project.values import Sequence as Items
from asknown.project.yaml import read_yaml

Row = Mapping[str, Any]


def unit_test_of(text: str, shown: str, name: str) -> UnitTest:
    """The unit test ``name`` of a YAML file with this text. Raises ``unknown-test`` if it is not there any more."""
    listed = _entry(read_yaml(text.encode(), shown), "unit_tests")
    for item in listed.items if isinstance(listed, Items) else ():
        named = _entry(item, "name")
        if isinstance(named, Scalar) and named.text == name:
            return read_unit_test(item)
    raise AsknownError("unknown-test", f"there is no unit test '{name}' in {shown} any more", at=Where(shown))


def _entry(value: Value | None, key: str) -> Value | None:
    entry = value.entries.get(key) if isinstance(value, Entries) else None
    return None if entry is None else entry.value


def with_values(text: str, test: UnitTest, values: Mapping[tuple[int, str], Any]) -> str:
    """The text of a YAML file in which the test expects other ``values``, by the place of the row and the name."""
    rows = _expected_rows(text, test)
    changes = []
    for place, row in enumerate(rows.value):
        for key, value in row.value:
            if (place, key.value) in values:
                changes.append((value.start_mark.index, _end(value), spell_value(values[place, key.value])))
    for start, end, written in sorted(changes, reverse=True):
        space = " " if text[start - 1] == ":" else ""  # nothing stood there
        text = text[:start] + space + written + text[end:]
    return text


def with_rows(text: str, test: UnitTest, rows: Sequence[Row]) -> str:
    """The text of a YAML file in which the test expects these ``rows``, a line each."""
    node = _expected_rows(text, test)
    written = ["{" + ", ".join(f"{_name(name)}: {spell_value(v)}" for name, v in row.items()) + "}" for row in rows]
    start, column = node.start_mark.index, node.start_mark.column
    if not isinstance(node, yaml.SequenceNode) or node.flow_style:
        whole = "[" + f",\n{' ' * (column + 1)}".join(written) + "]"
    else:
        whole = f"\n{' ' * column}".join(f"- {row}" for row in written)
    space = " " if text[start - 1] == ":" else ""
    return text[:start] + space + whole + text[_end(node) :]


def _expected_rows(text: str, test: UnitTest) -> yaml.Node:
    """The list of rows that the test expects, or the nothing in its place.

    Raises ``bad-test`` where it stands behind an alias, and where a file or a query has the rows.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    root: Any = yaml.compose(text, Loader=loader)
    node: Any = None
    for item in getattr(_child(root, "unit_tests"), "value", ()):
        name = _child(item, "name")
        if name is not None and name.value == test.name:
            node = _child(_child(item, "expect"), "rows")
    if node is None:
        raise AsknownError(
            "bad-test",
            f"--accept writes the 'rows' of 'expect', and unit test '{test.name}' has "
            f"{'csv' if test.expect.csv is not None else 'sql' if test.expect.sql is not None else 'none'}",
            at=test.expect.at,
            hint="expect: {rows: []}, and --accept fills them in",
        )
    met = Counter(map(id, _walk(root)))
    if any(met[id(one)] > 1 for one in _walk(node)):
        raise AsknownError(
            "bad-test",
            f"what unit test '{test.name}' expects stands behind an alias (&name), and in other places too",
            at=test.expect.at,
            hint="write the rows out",
        )
    found: yaml.Node = node
    return found


def _child(node: Any, key: str) -> Any:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for name, value in pairs if name.value == key), None)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    for child in node.value if isinstance(node, yaml.CollectionNode) else ():
        yield from child if isinstance(child, tuple) else (child,)


def _walk(node: yaml.Node) -> Iterator[yaml.Node]:
    yield node
    for child in _children(node):
        yield from _walk(child)


def _end(node: yaml.Node) -> int:
    """Where the text of a node ends. A block's own mark lies behind the blank lines and comments that follow it."""
    last = list(_children(node))[-1:]
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and last:
        return _end(last[0])
    return int(node.end_mark.index)


_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
_PRINTABLE = re.compile("[\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")


def _name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) and name.lower() not in _WORDS else _quoted(name)


def spell_value(value: Any) -> str:
    """A value as YAML on one line, which a test reads as the same value.

    >>> print(spell_value([1, None, "it's", 0.5]))
    [1, null, 'it''s', 0.5]
    >>> print(spell_value({"at": datetime(2024, 1, 31, 12)}), spell_value(Decimal("0.10000000000000000001")))
    {at: '2024-01-31 12:00:00'} '0.10000000000000000001'
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if abs(value) < 10**30 else f"'{value}'"
        case float():
            return repr(value)
        case Decimal():
            text = format(value, "f")
            short = repr(float(value))
            return text if "e" not in short and Decimal(short) == value else f"'{text}'"
        case datetime() | date() | time():
            return f"'{value}'"
        case list() | tuple():
            return f"[{', '.join(map(spell_value, value))}]"
        case dict():
            return "{" + ", ".join(f"{_name(str(name))}: {spell_value(item)}" for name, item in value.items()) + "}"
        case bytes():
            return _quoted("".join(f"\\x{byte:02X}" for byte in value))
    return _quoted(str(value))


def _quoted(text: str) -> str:
    if _PRINTABLE.fullmatch(text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if _PRINTABLE.fullmatch(character) else f"\\U{ord(character):08X}"
