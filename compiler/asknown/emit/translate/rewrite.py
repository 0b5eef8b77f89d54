"""Translates models into the dialect of another engine, by sqlglot and by the dialect's own rewrites.

A rewrite replaces an expression that sqlglot would translate into one with another value. ``is_plain`` finds literals
that every engine reads alike. ``move_inside`` is for aggregates that a dialect wraps. ``name_values`` is for dialects
that cannot name the columns of VALUES.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

from sqlglot import ErrorLevel, exp, parse_one
from sqlglot.errors import SqlglotError

from asknown.dialects.dialect import Dialect
from asknown.emit.identifiers import fold_names, join_names, settle_names, spell_names
from asknown.emit.snippets import instantiate
from asknown.emit.translate.operands import operand_kinds
from asknown.emit.translate.seconds import spell_seconds
from asknown.emit.translate.shifts import spell_shifts
from asknown.emit.translate.zones import write_utc
from asknown.errors import AsknownError, Where
from asknown.model.nodes import Model
from asknown.model.windows import place_of
from asknown.types import SqlType, parse_type


def translate(model: Model, tree: exp.Query, dialect: Dialect) -> str:
    """A model's query, or a part of it, as text in the dialect. Names are quoted where the author quoted them.

    Raises ``not-in-dialect``, with its place, for an expression that has no translation.
    """
    copied = tree.copy()
    if dialect.names.exact_names and model.dialect != dialect.sqlglot:
        copied = spell_names(copied, model.spelled)
    written = _name_subqueries(_reserve(rewrite(copied, dialect, model), dialect))
    if dialect.names.folds_up:
        written = fold_names(written, dialect.names.reserved)
    if dialect.names.splits_names:
        written = join_names(written)
    if not dialect.relations.values_name_columns:
        written = name_values(written)
    try:
        text = _written(written, dialect)
        parse_one(text, read=dialect.sqlglot)
        return text
    except SqlglotError as error:
        node = _culprit(tree, dialect) or tree
        raise untranslatable(model.name, dialect, first_line(error, node), place_of(model, node)) from None


def rewrite(tree: exp.Expr, dialect: Dialect, model: Model, types: Mapping[str, SqlType] | None = None) -> exp.Expr:
    """Applies the dialect's rewrites to the tree, the innermost first. A tree in the dialect itself stays as it is.

    ``types`` are the types of its columns and parameters, by default those of the columns that the model reads.
    BigQuery's rewrite ``intdiv.integer.integer`` turns ``a // b`` into ``DIV(a, b)``.
    """
    if model.dialect == dialect.sqlglot:
        return tree
    rules = dialect.translation
    types = model.reads if types is None else types
    tree = write_utc(_spell_zones(tree), types) if rules.writes_utc else _spell_zones(tree)
    tree = spell_shifts(spell_seconds(tree, dialect, types), dialect, types)
    kinds = operand_kinds(tree, types)
    shells: set[int] = set()  # expressions around an aggregate, which a rewrite has put in its place
    for node in reversed(list(tree.walk())):
        if isinstance(node, Around) and id(node.this) in shells:
            written = move_inside(node, node.this)
            shells.add(id(written))
            tree = _put(tree, node, written)
            continue
        beside = kinds.get(id(node.parent), ()) if isinstance(node, exp.Literal) else ()
        names = _names(node, kinds.get(id(node), beside))
        name = next((name for name in names if name in rules.rewrites or name in rules.refused), None)
        if name is None:
            if reason := _refusal(node, dialect):
                raise untranslatable(model.name, dialect, reason, place_of(model, node))
            continue
        if name in rules.refused:
            raise untranslatable(model.name, dialect, rules.refused[name], place_of(model, node))
        text = rules.rewrites[name]
        if text == ":same":  # sqlglot's translation is right
            continue
        written = _rewritten(node, text, dialect)
        if isinstance(node, exp.AggFunc) and not isinstance(written, exp.AggFunc) and written.find(exp.AggFunc):
            shells.add(id(written))
        if isinstance(node, exp.Ordered):
            node.set("this", written)
        else:
            tree = _put(tree, node, written)
    return tree


def place_of_column(model: Model, name: str) -> Where:
    """The place at which a model selects a column; its first line, if the column comes from a star."""
    items = [item for item in model.tree.selects if item.alias_or_name.casefold() == name.casefold()]
    return place_of(model, items[0]) if items else model.rendered.where(1)


def _rewritten(node: exp.Expr, text: str, dialect: Dialect) -> exp.Expr:
    if isinstance(node, exp.Cast) and text.startswith(_CAST):
        value = instantiate(dialect, text.removeprefix(_CAST), **_arguments(node, dialect))
        return exp.Cast(this=value, to=node.to)
    written = instantiate(dialect, text, **_arguments(node, dialect))
    return exp.Not(this=exp.Paren(this=written)) if node.args.get("negate") else written


def _spell_zones(tree: exp.Expr) -> exp.Expr:
    """Writes ``timezone(zone, t)`` as ``t AT TIME ZONE zone``, which means the same."""
    for node in reversed(list(tree.find_all(exp.Anonymous))):
        if node.name.casefold() == "timezone" and len(node.expressions) == 2:
            zone, value = node.expressions
            value = exp.Paren(this=value) if isinstance(value, exp.Binary | exp.Unary) else value
            tree = _put(tree, node, exp.AtTimeZone(this=value, zone=zone))
    return tree


def _reserve(tree: exp.Expr, dialect: Dialect) -> exp.Expr:
    """Quotes the names that are reserved words of the dialect."""
    for word in list(tree.find_all(exp.Identifier)):
        if not word.quoted and word.name.casefold() in dialect.names.reserved:
            word.replace(exp.to_identifier(word.name.casefold(), quoted=True))
    return tree


def _name_subqueries(tree: exp.Expr) -> exp.Expr:
    """Gives a name to every subquery in FROM, because some engines demand one."""
    bare = [q for q in tree.find_all(exp.Subquery) if isinstance(q.parent, exp.From | exp.Join) and not q.alias]
    for number, query in enumerate(bare, start=1):
        query.set("alias", exp.TableAlias(this=exp.to_identifier(f"_q{number}")))
    return tree


def _put(tree: exp.Expr, node: exp.Expr, written: exp.Expr) -> exp.Expr:
    """The tree with ``written`` in the place of ``node``."""
    if node is tree:
        return written
    node.replace(written)
    return tree


def _names(node: exp.Expr, kinds: Sequence[str]) -> list[str]:
    """The names that a rewrite of a node may have, the most particular first (see :class:`Translation`).

    For ``a + b`` over two integers: ``add.integer.integer``, ``add.integer``, …, ``add``.
    """
    key = node.name.casefold() if isinstance(node, exp.Anonymous) else node.key
    traits = [argument for argument, value in node.args.items() if value]
    within = node.this if isinstance(node, exp.AggFunc) else None
    traits += [within.key] if isinstance(within, exp.Order | exp.Distinct) else []
    traits += ["varying"] if isinstance(node, exp.AtTimeZone) and not isinstance(node.args["zone"], exp.Literal) else []
    traits += [f"a{len(many)}"] if (many := node.args.get("expressions")) else []
    single = list(dict.fromkeys(kinds))
    parts = [f"{single[0]}.{other}" for other in single[1:]] if kinds else []
    parts += [f"{kinds[0]}.{kinds[0]}"] if len(kinds) > 1 and len(single) == 1 else []
    parts += [f"{kind}.{argument}" for kind in single for argument in traits]
    traits += ["value"] if isinstance(node, exp.In) and node.args.get("query") and not _is_filter(node) else []
    traits += ["backslash"] if any(_has_backslash(value) for value in node.args.values()) else []
    traits += ["relation"] if isinstance(node.parent, exp.Table | exp.Unnest | exp.Explode) else []
    traits += ["ignorenulls"] if isinstance(node.parent, exp.IgnoreNulls) else []
    traits += [value.casefold() for value in node.args.values() if isinstance(value, str) and not node.is_leaf()]
    if isinstance(node, exp.Literal):
        if not node.is_string and "e" in node.this.casefold():
            return ["literal.float"]
        if node.is_string or not _DECIMAL.match(node.this) or isinstance(node.parent, exp.AggFunc):
            return []
        parts = [f"decimal.{kind}" for kind in single]
        traits = ["decimal"]
    if isinstance(node, exp.Cast):
        to = parse_type(node.to.sql("duckdb"))
        name = to.name.casefold()
        parts = [*(f"{kind}.as.{name}" for kind in single), f"as.{name}"]
        parts += [*(f"{kind}.{to.kind}" for kind in single), f"to.{to.kind}"]
    unit = node.args.get("unit") or node.args.get("scale") or (node.this if isinstance(node, exp.Extract) else None)
    if isinstance(node, exp.Anonymous) and many and isinstance(many[0], exp.Literal) and many[0].is_string:
        unit = many[0]
    if isinstance(unit, exp.Var | exp.Literal):
        single.append(unit.name.casefold())
    plain = ["plain"] if is_plain(node) else []
    plain = ["plain.part", *plain] if plain and is_part(node) else plain
    plain = [f"plain.{to.kind}", *plain] if plain and isinstance(node, exp.Cast) else plain
    return [*(f"{key}.{part}" for part in (*plain, *parts, *single, *traits)), key]


def _arguments(node: exp.Expr, dialect: Dialect) -> dict[str, exp.Expr]:
    """The values for the places of a rewrite: the node's arguments by name, the elements of a list by number.

    A keyword such as a unit is a text. A cast has its ``type``, and the ``scale`` of a decimal.
    """
    if isinstance(node, exp.Literal):
        scale = len(node.this.partition(".")[2])
        return {"this": exp.Literal.string(node.this), "scale": exp.Literal.number(scale)}
    found = {key: value for key, value in node.args.items() if isinstance(value, exp.Expr)}
    found |= {f"a{place}": value for place, value in enumerate(node.args.get("expressions") or (), start=1)}
    if isinstance(node, exp.Cast):
        to = parse_type(node.to.sql("duckdb"))
        found["type"] = exp.Literal.string(dialect.types.get(to.name, to.name))
        found["scale"] = exp.Literal.number(to.scale)
    return {
        key: exp.Literal.string(value.name.casefold()) if isinstance(value, exp.Var) else value
        for key, value in found.items()
    }


def _refusal(node: exp.Expr, dialect: Dialect) -> str | None:
    """The reason why a function cannot be written, if the dialect lists the functions that it has."""
    tested, functions = dialect.translation.tested, dialect.translation.functions
    if tested is not None and isinstance(node, exp.Func) and node.key not in tested:
        return f"asknown has not tested {_called(node)}() on this engine: compute it in the source's table"
    if functions is None or not isinstance(node, exp.Func) or isinstance(node, exp.Binary | exp.Unary):
        return None
    called = _CALLED.match(node.sql(dialect.sqlglot))
    return f"it has no {called[1]}()" if called and called[1].casefold() not in functions else None


def _called(node: exp.Func) -> str:
    return node.name.casefold() if isinstance(node, exp.Anonymous) else node.sql_name().casefold()


def _has_backslash(value: object) -> bool:
    return isinstance(value, exp.Literal) and value.is_string and "\\" in value.this


def _is_filter(node: exp.Expr) -> bool:
    """Whether a condition is in WHERE or the like, where NULL has the effect of FALSE."""
    above = node.parent
    while isinstance(above, exp.And | exp.Or | exp.Paren):
        above = above.parent
    return isinstance(above, exp.Where | exp.Having | exp.Qualify | exp.Join)


_CAST = ":cast "
_DECIMAL = re.compile(r"\d*\.\d*\Z")
_CALLED = re.compile(r"([A-Za-z_]\w*)\(")


def _written(tree: exp.Expr, dialect: Dialect) -> str:
    named = tree if dialect.names.plain_names else settle_names(tree)
    return named.sql(dialect.sqlglot, pretty=True, unsupported_level=ErrorLevel.RAISE)


def _culprit(tree: exp.Expr, dialect: Dialect) -> exp.Expr | None:
    """The smallest expression that sqlglot has no translation for, or one that does not parse."""
    for node in reversed(list(tree.walk())):
        if not isinstance(node, exp.Condition | exp.Func | exp.TableSample | exp.Pivot):
            continue
        try:
            parse_one(_written(node.copy(), dialect), read=dialect.sqlglot)
        except SqlglotError:
            return node
    return None


def first_line(error: SqlglotError, node: exp.Expr) -> str:
    what = str(error).splitlines()[0]
    return f"{node.sql('duckdb')}: {what}" if not isinstance(node, exp.Query) else what


def untranslatable(model: str, dialect: Dialect, why: str, at: Where) -> AsknownError:
    return AsknownError(
        "not-in-dialect",
        f"'{model}' cannot be written in the SQL of {dialect.name}: {why}",
        at=at,
        hint="write it in another way; docs/dialects.md lists what is translated and what is not",
    )


Around = exp.Filter | exp.Window | exp.IgnoreNulls
"""Nodes that wrap an aggregate and belong to it."""


def move_inside(around: Around, shell: exp.Expr) -> exp.Expr:
    """Moves FILTER or OVER into the ``shell``, to each aggregate in it.

    Some dialects wrap an aggregate, as in ``CAST(AVG(x) AS DOUBLE)``. FILTER and OVER belong inside the
    wrapper, as in ``CAST(AVG(x) OVER w AS DOUBLE)``.
    """
    if isinstance(around, exp.IgnoreNulls):  # a dialect's own spelling of any_value() says what becomes of them
        return shell.copy()
    holder, moved_in = exp.Paren(this=shell.copy()), False
    for aggregate in list(holder.find_all(exp.AggFunc)):
        if aggregate.find_ancestor(exp.AggFunc) is not None:
            continue
        inner: exp.Expr = aggregate
        while isinstance(inner.parent, exp.Filter | exp.WithinGroup) and inner.arg_key == "this":
            inner = inner.parent
        inner.replace(_around(around, inner))
        moved_in = True
    if not moved_in:  # sqlglot does not know the aggregate that it has become
        return _around(around, shell)
    moved: exp.Expr = holder.this
    return moved


def _around(around: Around, inner: exp.Expr) -> exp.Expr:
    if isinstance(around, exp.Filter) and isinstance(inner, exp.Filter):
        both = exp.and_(inner.expression.this.copy(), around.expression.this.copy(), copy=False)
        return exp.Filter(this=inner.this.copy(), expression=exp.Where(this=both))
    put = around.copy()
    put.set("this", inner.copy())
    return put


def name_values(tree: exp.Expr) -> exp.Expr:
    """Writes ``(VALUES …) AS t(a, b)`` as a UNION ALL of selects of ``a`` and ``b``.

    >>> name_values(parse_one("SELECT a FROM (VALUES (1), (2)) AS t(a)")).sql()
    'SELECT a FROM (SELECT 1 AS a UNION ALL SELECT 2 AS a) AS t'
    """
    for values in list(tree.find_all(exp.Values)):
        alias = values.args.get("alias")
        if not isinstance(alias, exp.TableAlias) or not alias.columns:
            continue
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in values.expressions]
        selects = [
            exp.select(
                *[exp.alias_(value.copy(), name.copy()) for name, value in zip(alias.columns, row, strict=False)]
            )
            for row in rows
        ]
        query = selects[0] if len(selects) == 1 else exp.union(*selects, distinct=False)
        values.replace(exp.Subquery(this=query, alias=exp.TableAlias(this=alias.this.copy())))
    return tree


_INSTANT = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(?P<offset>[+-]\d\d(:\d\d)?)?)?\Z", re.ASCII)
# Neither lazy nor possessive, no flags, no classes but those of ASCII; "." is left to the dialect.
_PIECE = r"(?:\\[dDwW.\\+*?()\[\]{}|^$/-]|\[(?!\^)(?:[^\]\[\\]|\\[dw.\\-])+\]|[^\\\[\](){}*+?|])"
_PATTERN = re.compile(rf"(?:\(\?:|\((?!\?)|\)|\||{_PIECE}|(?:[*+?]|\{{\d+(?:,\d*)?\}})(?![*+?]))*\Z")
_FORMAT = re.compile(r"(?:%[YmdHMSf]|[-/:. ,_])*\Z")

_PATTERNS = (exp.RegexpLike, exp.RegexpFullMatch, exp.SimilarTo)


def is_plain(node: exp.Expr) -> bool:
    """Whether every engine reads the literal in a node alike.

    >>> is_plain(parse_one("CAST('2024-02-29' AS DATE)")), is_plain(parse_one("CAST('yesterday' AS DATE)"))
    (True, False)
    """
    if isinstance(node, exp.Cast):
        found = _INSTANT.match(node.this.name) if _is_text(node.this) else None
        # An offset moves an instant, and is ignored where there is no zone, but not by every engine.
        fits = found is not None and (found["offset"] is None or node.is_type(exp.DType.TIMESTAMPTZ))
        return fits and _is_day(node.this.name[:10])
    if isinstance(node, exp.Like | exp.ILike):
        return isinstance(node.parent, exp.Escape) or (_is_text(node.expression) and "\\" not in node.expression.name)
    if isinstance(node, _PATTERNS):
        return _is_pattern(node.expression) and not node.args.get("flag")
    if isinstance(node, exp.RegexpReplace):
        put = node.args.get("replacement")
        simple = _is_pattern(node.expression) and "|" not in node.expression.name
        return simple and put is not None and _is_text(put) and not re.search(r"[\\&]", put.name)
    if isinstance(node, exp.TimeToStr):
        return _is_text(node.args.get("format")) and _FORMAT.match(node.args["format"].name) is not None
    if isinstance(node, exp.Div):
        by = node.expression.unnest()
        return _is_number(by) if not isinstance(by, exp.Nullif) else by.expression.name == "0"
    if isinstance(node, exp.SplitPart):
        return _is_text(node.args.get("delimiter")) and node.args["delimiter"].name != ""
    if isinstance(node, exp.Bracket):
        return all(isinstance(part, exp.Literal | exp.Slice) for part in node.expressions)
    if isinstance(node, exp.Log):
        return node.this.name == "10" and node.args.get("expression") is not None
    return isinstance(node, exp.Substring) and _is_number(node.args.get("start"), least=0)


def is_part(node: exp.Expr) -> bool:
    """Whether a node is a part of a text that begins at a character from the first on, of a length from 0 on."""
    if not isinstance(node, exp.Substring) or not _is_number(node.args.get("start"), least=1):
        return False
    length = node.args.get("length")
    return length is None or _is_number(length, least=0)


def _is_number(node: exp.Expr | None, *, least: float = 1e-300) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and float(node.name) >= least


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:  # the 30th of February
        return False
    return True


def _is_text(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Literal) and node.is_string


def _is_pattern(node: exp.Expr | None) -> bool:
    return node is not None and _is_text(node) and _PATTERN.match(node.name) is not None
