"""The types of a query's columns on SQLite, which has none: read from declared columns and from the query's tree.

A column has the type that its table declares. An expression has a type where SQLite can give only one kind of value
for it: a comparison, a cast, a count, a function of known result, arithmetic over numbers. Everything else has none:
the kind ``other``, under the name ``ANY``. Values are checked against these types again when they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from asknown.model.nodes import Column
from asknown.types import SqlType, parse_type

ANY = SqlType("ANY", "other")
"""The type of what SQLite does not say the type of."""

_NULL = SqlType("NULL", "other")  # of a bare NULL: it takes the type of what it stands beside
_BIGINT, _DOUBLE, _TEXT = parse_type("BIGINT"), parse_type("DOUBLE"), parse_type("VARCHAR")
_BLOB, _BOOLEAN, _DATE, _TIME = (parse_type(name) for name in ("BLOB", "BOOLEAN", "DATE", "TIME"))
_TIMESTAMP = parse_type("TIMESTAMP")

DIGITS = 15  # of a decimal: that many survive in the double that SQLite keeps it in

Tables = Callable[[str, str], Sequence[Column] | None]
"""Gives the columns of a stored table by its schema ("" where none is written) and name, or None."""

_DECLARED: dict[str, SqlType] = {
    # SQLite's integers have 64 bits whatever they are called; the narrower names are kept and checked.
    **dict.fromkeys(("INT", "INTEGER", "BIGINT", "INT8", "MEDIUMINT", "BIG INT", "INTEGER8"), _BIGINT),
    **dict.fromkeys(("REAL", "FLOAT", "FLOAT8", "DOUBLE", "DOUBLE PRECISION"), _DOUBLE),
    **dict.fromkeys(("TIMESTAMP", "DATETIME", "TIMESTAMP WITHOUT TIME ZONE"), _TIMESTAMP),
    **dict.fromkeys(("BLOB", "BYTEA", "BINARY", "VARBINARY"), _BLOB),
    "FLOAT4": parse_type("FLOAT"),
}


def declared_type(text: str) -> SqlType:
    """The type that a column's declaration in SQLite means; ``ANY`` where it means none, or would not be kept.

    A name must have the affinity that its values need: SQLite turns text in a STRING column into numbers.
    """
    name = " ".join(text.split())
    upper = name.upper()
    if name.endswith("]") or upper.startswith("STRUCT("):
        return parse_type(name)  # kept as JSON
    head = upper.partition("(")[0].strip()
    if upper in _DECLARED or head in _DECLARED:
        return _DECLARED.get(upper) or _DECLARED[head]
    if "INT" not in head and any(part in head for part in ("CHAR", "CLOB", "TEXT")):
        return _TEXT
    if head in ("DECIMAL", "NUMERIC", "DEC"):
        kind = parse_type(upper.replace("DEC(", "DECIMAL(")) if "(" in upper else ANY
        return kind if kind.kind == "decimal" and kind.precision <= DIGITS else SqlType(name or "ANY", "other")
    kind = parse_type(name)
    keeps = kind.kind in ("integer", "boolean", "uuid", "date", "time", "timestamp", "timestamptz")
    return kind if keeps else SqlType(name or "ANY", "other")


def query_types(sql: str, tables: Tables) -> list[SqlType] | None:
    """The types of the columns of a query, or of the view that the text creates; None where the tree cannot tell."""
    try:
        tree = parse_one(sql, read="sqlite")
        if isinstance(tree, exp.Create):
            tree = tree.expression
        if not isinstance(tree, exp.Query):
            return None
        return [ANY if kind.name == "NULL" else kind for _, kind in _Query(tables).read(tree)]
    except (SqlglotError, _LostError):
        return None


class _LostError(Exception):
    """A relation whose columns are not known."""


Relation = list[tuple[str, SqlType]]


@dataclass
class _Scope:
    """The relations that a select reads, by alias, and the scope around it."""

    outer: _Scope | None = None
    relations: dict[str, Relation] = field(default_factory=dict)

    def find(self, name: str, table: str) -> SqlType:
        for alias, relation in self.relations.items():
            if not table or alias == table.casefold():
                for column, kind in relation:
                    if column.casefold() == name.casefold():
                        return kind
        return self.outer.find(name, table) if self.outer else ANY


@dataclass
class _Query:
    """Reads queries that stand among the same CTEs."""

    tables: Tables
    ctes: Mapping[str, Relation] = field(default_factory=dict)

    def read(self, tree: exp.Expr, outer: _Scope | None = None) -> Relation:
        match tree:
            case exp.Subquery():
                return self._with(tree).read(tree.this, outer)
            case exp.SetOperation():
                inner = self._with(tree)
                left, right = inner.read(tree.left, outer), inner.read(tree.right, outer)
                return [(name, unify([a, b])) for (name, a), (_, b) in zip(left, right, strict=False)]
            case exp.Select():
                return self._with(tree)._select(tree, outer)
            case exp.Values():
                rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in tree.expressions]
                types = [[self.type_of(value, _Scope(outer)) for value in row] for row in rows]
                return [(f"column{n}", unify(kinds)) for n, kinds in enumerate(zip(*types, strict=True), start=1)]
        raise _LostError

    def _with(self, tree: exp.Expr) -> _Query:
        clause = tree.args.get("with_") or tree.args.get("with")
        if clause is None:
            return self
        known = dict(self.ctes)
        for cte in clause.expressions:
            body = cte.this
            if clause.recursive and isinstance(body, exp.SetOperation):
                known[cte.alias.casefold()] = _renamed(cte, _Query(self.tables, known).read(body.left))
            known[cte.alias.casefold()] = _renamed(cte, _Query(self.tables, known).read(body))
        return _Query(self.tables, known)

    def _select(self, tree: exp.Select, outer: _Scope | None) -> Relation:
        scope = _Scope(outer)
        clause = tree.args.get("from_") or tree.args.get("from")
        sources = [clause.this] if clause is not None else []
        joins = tree.args.get("joins") or ()
        if any(join.method for join in joins):  # NATURAL
            raise _LostError
        shared = {name.name.casefold() for join in joins for name in join.args.get("using") or ()}
        for place, source in enumerate([*sources, *(join.this for join in joins)]):
            alias = source.alias_or_name.casefold() or f"#{place}"
            scope.relations[alias] = self._relation(source, scope)
        columns: Relation = []
        for item in tree.expressions:
            if isinstance(item, exp.Star):
                columns += _once([c for relation in scope.relations.values() for c in relation], shared)
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                if item.table.casefold() not in scope.relations:
                    raise _LostError
                columns += scope.relations[item.table.casefold()]
            else:
                columns.append((item.alias_or_name, self.type_of(item, scope)))
        return columns

    def _relation(self, source: exp.Expr, scope: _Scope) -> Relation:
        if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
            if not source.db and source.name.casefold() in self.ctes:
                return _renamed(source, self.ctes[source.name.casefold()])
            stored = self.tables(source.db, source.name)
            if stored is not None:
                return _renamed(source, [(column.name, column.type) for column in stored])
            raise _LostError
        if isinstance(source, exp.Subquery | exp.Values):
            return _renamed(source, self.read(source, scope.outer))
        raise _LostError

    # -- expressions -------------------------------------------------------------------------------------------

    def type_of(self, node: exp.Expr, scope: _Scope) -> SqlType:
        """The type of an expression's values."""
        if isinstance(node, exp.Column):
            return scope.find(node.name, node.table)
        if isinstance(node, _WRAPPERS):
            return self.type_of(node.expressions[0] if isinstance(node, exp.Distinct) else node.this, scope)
        if isinstance(node, exp.Cast):
            return self._cast(node, scope)
        if isinstance(node, exp.Subquery | exp.Select):
            found = self.read(node, scope)
            return found[0][1] if len(found) == 1 else ANY
        if isinstance(node, exp.Case):
            branches = [branch.args["true"] for branch in node.args["ifs"]]
            return self._one_of([*branches, node.args.get("default") or exp.null()], scope)
        if isinstance(node, _ARITHMETIC):
            return _number([self.type_of(part, scope) for part in _operands(node)])
        certain = next((kind for classes, kind in _CERTAIN if isinstance(node, classes)), None)
        if certain is not None:
            return certain
        return self._call(node, scope) if isinstance(node, exp.Func) else _literal(node)

    def _cast(self, node: exp.Cast, scope: _Scope) -> SqlType:
        kind = declared_type(node.to.sql())
        if kind.kind in ("date", "time", "timestamp", "timestamptz", "uuid"):
            # SQLite would make a number of a text here; a number of microseconds stays what it is.
            whole = self.type_of(node.this, scope).kind in ("integer", "timestamp", "timestamptz")
            return kind if whole and kind.kind in ("timestamp", "timestamptz") else ANY
        return kind

    def _one_of(self, nodes: Sequence[exp.Expr], scope: _Scope) -> SqlType:
        return unify([self.type_of(node, scope) for node in nodes])

    def _call(self, node: exp.Func, scope: _Scope) -> SqlType:
        # By its name in SQLite: sqlglot has classes of its own for some.
        name = node.name if isinstance(node, exp.Anonymous) else node.sql("sqlite").partition("(")[0]
        if name.casefold() == "typed":
            return parse_type(node.expressions[1].name)
        result = _RESULTS.get(name.casefold())
        if isinstance(result, SqlType):
            return result
        if result is None:
            return ANY
        return result([self.type_of(part, scope) for part in _arguments(node)])


def unify(kinds: Sequence[SqlType]) -> SqlType:
    """The type of a value that comes from one of several places; a bare NULL fits every type."""
    given = [kind for kind in kinds if kind.name != "NULL"]
    if not given:
        return _NULL
    if all(kind == given[0] for kind in given):
        return given[0]
    if all(kind.kind == "integer" for kind in given):
        return _BIGINT
    if all(kind.kind in ("integer", "float") for kind in given):
        return _DOUBLE
    return ANY


def _number(kinds: Sequence[SqlType]) -> SqlType:
    """The type of arithmetic: SQLite has 64-bit integers and doubles. Its division of integers is whole."""
    given = {kind.kind for kind in kinds if kind.name != "NULL"}
    if given and given <= {"integer", "boolean"}:
        return _BIGINT
    return _DOUBLE if given and given <= {"integer", "boolean", "float"} else ANY


def _like_number(kinds: Sequence[SqlType]) -> SqlType:
    return _number(kinds[:1])


def _first(kinds: Sequence[SqlType]) -> SqlType:
    return kinds[0] if kinds else ANY


def _middle(kinds: Sequence[SqlType]) -> SqlType:
    return _DOUBLE if kinds and kinds[0].kind in ("integer", "float", "decimal") else _first(kinds)


def _sum_of_decimals(kinds: Sequence[SqlType]) -> SqlType:
    return parse_type(f"DECIMAL(38,{kinds[0].scale})") if kinds and kinds[0].kind == "decimal" else ANY


def _listed(kinds: Sequence[SqlType]) -> SqlType:
    return parse_type(f"{kinds[0].name}[]") if kinds and kinds[0].kind != "other" else ANY


def _shift(kinds: Sequence[SqlType]) -> SqlType:
    """LAG and LEAD: the value, or what stands in for it."""
    return unify([*kinds[:1], *kinds[2:3]])


_RESULTS: dict[str, SqlType | Callable[[Sequence[SqlType]], SqlType]] = {
    **dict.fromkeys(
        ("count", "length", "instr", "unicode", "row_number", "rank", "dense_rank", "ntile", "unixepoch", "random"),
        _BIGINT,
    ),
    **dict.fromkeys(("avg", "total", "round", "julianday", "percent_rank", "cume_dist", "sqrt", "exp", "ln"), _DOUBLE),
    **dict.fromkeys(("log", "log2", "log10", "pow", "power", "sin", "cos", "tan", "atan", "atan2", "pi"), _DOUBLE),
    **dict.fromkeys(("lower", "upper", "trim", "ltrim", "rtrim", "substr", "substring", "replace", "printf"), _TEXT),
    **dict.fromkeys(("format", "hex", "quote", "char", "strftime", "typeof", "group_concat", "concat"), _TEXT),
    "date": _DATE,
    "datetime": _TIMESTAMP,
    "time": _TIME,
    "sum": _like_number,
    "abs": _like_number,
    **dict.fromkeys(("ceil", "ceiling", "floor", "trunc"), _like_number),
    **dict.fromkeys(("min", "max", "coalesce", "ifnull"), unify),
    "iif": lambda kinds: unify(kinds[1:]),
    **dict.fromkeys(("nullif", "first_value", "last_value", "nth_value", "likely", "unlikely"), _first),
    **dict.fromkeys(("lag", "lead"), _shift),
    # Functions that the engine brings.
    **dict.fromkeys(("fsum", "favg", "favg_decimal"), _DOUBLE),
    **dict.fromkeys(("stddev_samp", "stddev_pop", "variance", "variance_pop"), _DOUBLE),
    **dict.fromkeys(("utc_micros", "try_utc_micros"), _BIGINT),
    "zone_micros": _TIMESTAMP,
    **dict.fromkeys(("regexp_matches", "signbit"), _BOOLEAN),
    **dict.fromkeys(("utc_text", "upper_text", "lower_text"), _TEXT),
    "divide": _DOUBLE,
    **dict.fromkeys(("divide_whole", "remainder"), _number),
    **dict.fromkeys(("first_by", "last_by", "value_at_max", "value_at_min"), _first),
    "percentile_cont": _middle,
    "sum_decimal": _sum_of_decimals,
    "percentile_disc": _first,
    "list_by": _listed,
}


_WRAPPERS = (exp.Alias, exp.Paren, exp.Window, exp.Filter, exp.Collate, exp.Distinct)
_ARITHMETIC = (exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
_BITS = (exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseNot, exp.BitwiseLeftShift, exp.BitwiseRightShift)
_CERTAIN: tuple[tuple[tuple[type[exp.Expr], ...], SqlType], ...] = (
    ((exp.Null,), _NULL),
    ((exp.Boolean, exp.Not, exp.Connector, exp.Predicate), _BOOLEAN),
    ((exp.DPipe,), _TEXT),
    (_BITS, _BIGINT),
)


def _literal(node: exp.Expr) -> SqlType:
    if not isinstance(node, exp.Literal):
        return ANY
    if node.is_string:
        return _TEXT
    whole = node.this.isdigit() and int(node.this) < 2**63
    return _BIGINT if whole else _DOUBLE


def _operands(node: exp.Expr) -> list[exp.Expr]:
    return [node.this] if isinstance(node, exp.Neg) else [node.left, node.right]  # type: ignore[attr-defined]


def _arguments(node: exp.Func) -> list[exp.Expr]:
    """The arguments of a call in the order of its text."""
    if isinstance(node, exp.Anonymous):
        return list(node.expressions)
    if isinstance(node, exp.If):
        return [node.this, node.args["true"], node.args.get("false") or exp.null()]
    order = ("this", "expression", "offset", "default", "expressions")
    found: list[exp.Expr] = []
    for key in order:
        value = node.args.get(key)
        found += value if isinstance(value, list) else [value] if isinstance(value, exp.Expr) else []
    return found


def _once(columns: Relation, shared: set[str]) -> Relation:
    """The columns without what USING shows once only."""
    seen: set[str] = set()
    kept = []
    for name, kind in columns:
        folded = name.casefold()
        if folded not in seen or folded not in shared:
            kept.append((name, kind))
        seen.add(folded)
    return kept


def _renamed(source: exp.Expr, relation: Relation) -> Relation:
    """The relation under the column names that an alias gives it, if any."""
    alias = source.args.get("alias")
    names = [column.name for column in alias.columns] if isinstance(alias, exp.TableAlias) else []
    return [(new, kind) for new, (_, kind) in zip(names, relation, strict=False)] if names else relation
