"""A rule on what differs from one version of the engine to the next (docs/dialects.md lists it)."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from asknown.lint.nodes import Found, Subject
from asknown.lint.paths import selects_of
from asknown.model.lineage import Computed, Stored
from asknown.types import SqlType, parse_type

_ONE_VERSION = "build, train and load with one version of DuckDB"
_AS_TEXT = "convert it by way of text, which gives the nearest float on every version: cast(cast(x as text) as double)"
# Functions whose results over texts beyond ASCII differ between DuckDB 2.0.0 and 2.0.1.
_OF_TEXTS = {
    *("levenshtein", "editdist3", "damerau_levenshtein", "hamming", "mismatches", "jaccard"),
    *("jaro_similarity", "jaro_winkler_similarity"),
}
_NODES = {exp.Levenshtein: "levenshtein", exp.JarowinklerSimilarity: "jaro_winkler_similarity"}
_DEEPEST = 12


_SPLITS = ("split", "regexp_split_to_array")
_FROM_PARTS = (exp.TimeFromParts, exp.TimestampFromParts)


def follows_the_version(subject: Subject) -> Iterator[Found]:
    """Functions and conversions that versions of DuckDB compute differently."""
    if subject.model.dialect != "duckdb":
        return
    for select in selects_of(subject.model.tree):
        for node in select.find_all(exp.Func):
            if node.find_ancestor(exp.Select) is not select:
                continue
            if (what := _of_version(node, select, subject)) is not None:
                yield _found(subject, node, what, _ONE_VERSION)
            elif _is_conversion(node) and _is_huge(node.this, select, subject):
                text = node.sql(subject.model.dialect)
                what = f"{text}, for which DuckDB 2.0.0 does not always give the nearest float beyond 53 bits"
                yield _found(subject, node, what, _AS_TEXT)


def _of_version(node: exp.Func, select: exp.Select, subject: Subject) -> str | None:
    """The function in words, if versions compute it differently."""
    name = _NODES.get(type(node)) or (node.name.casefold() if isinstance(node, exp.Anonymous) else "")
    if name in _OF_TEXTS:
        return f"{name}(), which versions of DuckDB compute differently for texts beyond ASCII"
    if name == "bit_count" and any(_is_huge(part, select, subject) for part in node.expressions):
        return "bit_count() of a HUGEINT, which versions of DuckDB compute differently"
    if (isinstance(node, (exp.Split, exp.RegexpSplit)) or name in _SPLITS) and _may_be_empty(node):
        return "a split at a text that may be empty: of an empty text, DuckDB 2.0.0 makes [''], and 2.0.1 []"
    if isinstance(node, _FROM_PARTS) or name == "make_timestamptz":
        seconds = node.args.get("sec") if name == "" else node.expressions[-1]
        if isinstance(seconds, exp.Expr) and seconds.find(exp.Sub, exp.Neg) is not None:
            return "seconds that may be negative: just below zero, DuckDB 2.0.0 makes them 0, and 2.0.1 refuses them"
    return None


def _may_be_empty(split: exp.Func) -> bool:
    separator = split.args.get("expression") or (split.expressions[1:2] or [None])[0]
    return not (isinstance(separator, exp.Literal) and separator.this)


def _found(subject: Subject, node: exp.Expr, what: str, hint: str) -> Found:
    return Found(subject.says(f"'{subject.model.name}' uses {what}"), subject.places.near(node), hint)


def _is_conversion(node: exp.Expr) -> bool:
    return isinstance(node, exp.Cast) and node.to.is_type("double", "float")


def _is_huge(value: exp.Expr, select: exp.Select, subject: Subject, depth: int = 0) -> bool:
    """Whether a value is surely a whole number of 128 bits."""
    value = value.unnest()
    if isinstance(value, exp.Cast):
        return _is_huge_type(parse_type(value.to.sql("duckdb")))
    if isinstance(value, (exp.Filter, exp.Window)) and not _is_trailing(value):
        value = value.this
    if isinstance(value, exp.Sum):
        return _is_long(value.this, select, subject, depth + 1)
    if not isinstance(value, exp.Column) or depth > _DEEPEST:
        return False
    return any(
        (isinstance(origin, Stored) and origin.type is not None and _is_huge_type(origin.type))
        or (isinstance(origin, Computed) and _is_huge(origin.expression, origin.select, subject, depth + 1))
        for origin in subject.lineage.of_column(value, select, subject.model)
    )


def _is_trailing(value: exp.Expr) -> bool:
    """Whether a window's frame is a length of time: its sums stay within 64 bits (rule 7)."""
    spec = value.args.get("spec")
    return isinstance(spec, exp.Expr) and spec.find(exp.Interval) is not None


def _is_long(value: exp.Expr, select: exp.Select, subject: Subject, depth: int) -> bool:
    """Whether a value is surely a whole number of 64 bits or more, so that few of them make a sum beyond 53 bits."""
    value = value.unnest()
    if isinstance(value, exp.Cast):
        kind = parse_type(value.to.sql("duckdb"))
        return kind.kind == "integer" and kind.bits >= 64
    if not isinstance(value, exp.Column) or depth > _DEEPEST:
        return False
    return any(
        (isinstance(o, Stored) and o.type is not None and o.type.kind == "integer" and o.type.bits >= 64)
        or (isinstance(o, Computed) and _is_long(o.expression, o.select, subject, depth + 1))
        for o in subject.lineage.of_column(value, select, subject.model)
    )


def _is_huge_type(kind: SqlType) -> bool:
    return kind.name in ("HUGEINT", "UHUGEINT", "INT128", "DECIMAL(38,0)", "DECIMAL(38, 0)")
