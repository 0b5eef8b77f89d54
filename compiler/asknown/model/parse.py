"""Parses a rendered model's SQL, refuses SQL that cannot be a model, and names the columns of its select."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from sqlglot import Dialect, Token, exp
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema
from sqlglot.tokenizer_core import TokenType

from asknown.errors import AsknownError
from asknown.instants import is_finer
from asknown.model.guessed_files import refuse_guessed_files
from asknown.model.nested import refuse_nested_windows
from asknown.model.nodes import Model
from asknown.render.nodes import Rendered
from asknown.types import Column

# Functions whose value changes from one reading to the next.
_VOLATILE = {"random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "nextval", "setseed", "rand"}
# Nodes whose result may depend on the order in which the engine reads rows.
_ORDER_BOUND = (exp.AggFunc, exp.Window, exp.Limit, exp.Fetch, exp.TableSample, exp.Distinct, exp.Group)


def parse_model(rendered: Rendered, dialect: str) -> Model:
    """The parsed model of ``rendered``. ``dialect`` is the dialect of the project's models.

    Raises ``sql-syntax`` with a caret at the template's line, ``bad-model`` for anything but one query, and
    ``guessed-file`` for a text file that is read in types that nobody has said.
    """
    try:
        spoken = Dialect.get_or_raise(dialect)
        tokens = spoken.tokenize(rendered.sql)
        statements = [s for s in spoken.parser().parse(tokens, rendered.sql) if s is not None]
    except ParseError as error:
        raise _syntax(rendered, error) from None
    except TokenError as error:
        message = str(error).partition("\n")[0]
        raise AsknownError(
            "sql-syntax", f"the SQL of '{rendered.name}' does not parse: {message}", at=rendered.where(1)
        ) from None
    if len(statements) != 1:
        raise AsknownError(
            "bad-model",
            f"'{rendered.name}' has {len(statements)} statements; a model is one query",
            at=rendered.where(1),
            hint="write a single select, with CTEs for the steps before it",
        )
    tree = statements[0]
    if not isinstance(tree, exp.Query):
        raise AsknownError(
            "bad-model",
            f"'{rendered.name}' is {_article(tree)} statement; a model is one query",
            at=rendered.where(1),
            hint="write a select; asknown makes the tables",
        )
    _refuse_left_over_jinja(rendered, tokens)
    _refuse_cut_intervals(rendered, tokens)
    _refuse_cut_instants(rendered, tree, tokens)
    if dialect == "duckdb":
        refuse_guessed_files(rendered, tree)
    joins = tree.find(exp.Join) is not None
    sql = _without_semicolon(rendered.sql, tokens)
    model = Model(rendered.name, rendered, sql, tree, is_repeatable(tree), joins, dialect)
    refuse_nested_windows(model)
    return model


def literal_tables(model: Model) -> list[exp.Table]:
    """The tables that the model names without a schema, except its own CTEs."""
    own = {cte.alias_or_name.casefold() for cte in model.tree.find_all(exp.CTE)}
    return [
        table
        for table in model.tree.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier) and not table.db and table.name.casefold() not in own
    ]


def is_repeatable(tree: exp.Query) -> bool:
    """Whether a second read of the query surely gives the same rows, as far as its own text decides."""
    for node in tree.walk():
        if isinstance(node, _ORDER_BOUND):
            return False
        if isinstance(node, exp.Func):
            name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
            if name.casefold() in _VOLATILE or (isinstance(node, exp.Anonymous) and not _is_scalar(name)):
                return False
    return True


# Functions that sqlglot does not know, and whose result surely depends on the row's own columns alone.
_SCALAR = {
    *("epoch_us", "epoch_ms", "epoch_ns", "make_timestamp", "make_timestamptz", "strptime", "strftime", "timezone"),
    *("to_hours", "to_minutes", "to_seconds", "to_days", "to_microseconds", "to_milliseconds", "signbit", "isnan"),
    *("list_value", "struct_pack", "printf", "format", "hash", "md5", "isodow", "dayofweek", "year", "month", "day"),
    *("hour", "minute", "second", "isfinite", "isinf", "regexp_matches", "read_parquet", "read_csv", "read_json"),
    *("len", "strlen", "contains", "prefix", "suffix", "mod", "fmod", "fdiv", "gcd", "lcm", "even", "xor"),
}


def _is_scalar(name: str) -> bool:
    return name.casefold() in _SCALAR


def _refuse_left_over_jinja(rendered: Rendered, tokens: Sequence[Token]) -> None:
    # `select {{ x }}` parses as a struct literal, so the tree cannot tell.
    for left, right in pairwise(tokens):
        if left.token_type == right.token_type == TokenType.L_BRACE and right.start == left.end + 1:
            raise AsknownError(
                "template",
                f"'{rendered.name}' still contains '{{{{' after rendering",
                at=rendered.where(left.line, left.col),
                hint="take it out of the {% raw %} block",
            )


# An interval such as '1 day 2 hours', of which sqlglot keeps the first number and unit alone.
_CUT = re.compile(r"\s*([-+]?[\d.]+\s+[a-z]+\s+[-+\d.:]+|P.*)\s*\Z", re.IGNORECASE)


def _refuse_cut_intervals(rendered: Rendered, tokens: Sequence[Token]) -> None:
    for left, right in pairwise(tokens):
        if left.token_type == TokenType.INTERVAL and right.token_type == TokenType.STRING and _CUT.match(right.text):
            raise AsknownError(
                "sql-syntax",
                f"the interval '{right.text}' in '{rendered.name}' is not one that asknown can read",
                at=rendered.where(left.line, left.col - len(left.text) + 1),
                hint="write a number and a unit, such as interval '26 hours'",
            )


_NANOSECONDS = (exp.DType.TIMESTAMP_NS, exp.DType.DATETIME64)


def _refuse_cut_instants(rendered: Rendered, tree: exp.Query, tokens: Sequence[Token]) -> None:
    """Raises ``bad-model`` for an instant written with more digits than the six that its type keeps (rule 1)."""
    for cast in tree.find_all(exp.Cast):
        text = cast.this
        is_instant = cast.to.is_type(*exp.DataType.TEMPORAL_TYPES) and not cast.to.is_type(*_NANOSECONDS)
        if is_instant and isinstance(text, exp.Literal) and text.is_string and is_finer(text.name):
            written = [token for token in tokens if token.token_type == TokenType.STRING and token.text == text.name]
            raise AsknownError(
                "bad-model",
                f"the instant '{text.name}' in '{rendered.name}' is not a whole microsecond, and would be cut",
                at=rendered.where(written[0].line, written[0].col - len(text.name) - 1) if written else None,
                hint="write at most six digits of a second",
            )


def _without_semicolon(sql: str, tokens: Sequence[Token]) -> str:
    for token in reversed(tokens):
        if token.token_type != TokenType.SEMICOLON:
            break
        sql = sql[: token.start] + sql[token.end + 1 :]
    return sql.rstrip()


def _syntax(rendered: Rendered, error: ParseError) -> AsknownError:
    first = error.errors[0] if error.errors else {}
    line, column = int(first.get("line") or 1), int(first.get("col") or 0)
    # sqlglot gives the column of the token's last character.
    column = max(column - len(str(first.get("highlight") or " ")) + 1, 1)
    what = str(first.get("description") or "invalid syntax")
    if "sqlglot" in what:  # sqlglot's own class names mean nothing to the reader
        what = "something is missing here"
    near = str(first.get("highlight") or "")
    return AsknownError(
        "sql-syntax",
        f"the SQL of '{rendered.name}' does not parse{f' near {near!r}' if near else ''}: {what.rstrip('.')}",
        at=rendered.where(line, column),
        hint=f"`asknown compile {rendered.name}` works only once it parses; check this line and the one above",
    )


def _article(tree: exp.Expr) -> str:
    name = tree.key.upper()
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"


def written_columns(model: Model, upstream: Mapping[str, Sequence[Column]], dialect: str) -> list[str] | None:
    """The column names as the select writes them, duplicates included, or None if the tree alone does not show them.

    The engine cannot be asked, because it silently renames the second of two columns of one name.
    """
    tree: exp.Expr = model.tree
    if model.tree.is_star:
        schema = MappingSchema(
            {name: {c.name: c.type.name for c in columns} for name, columns in upstream.items()},
            dialect=dialect,
            normalize=False,
        )
        try:
            tree = qualify(model.tree.copy(), dialect, schema=schema, validate_qualify_columns=False, identify=False)
        except SqlglotError:
            return None
    if not isinstance(tree, exp.Query) or tree.is_star:
        return None
    names = tree.named_selects
    return names if all(names) else None
