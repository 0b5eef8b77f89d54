"""Rules on joins: to later rows, to tables without a history, to several rows, and to rows that may be missing."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from asknown.lint.conditions import Reading, has_own_aggregate
from asknown.lint.nodes import Found, Subject
from asknown.lint.paths import Step, path_of, selects_of
from asknown.model.lineage import relations
from asknown.model.nodes import Model

_KEEPS_ROWS = ("SEMI", "ANTI")
_ONE_MATCH = ("ASOF", "POSITIONAL")


def joins_later_rows(subject: Subject) -> Iterator[Found]:
    """Conditions that admit only rows later than the row that they are joined to."""
    for select in selects_of(subject.model.tree):
        reading = Reading(select, subject)
        for bound in reading.bounds:
            later, earlier = reading.sides(bound.later), reading.sides(bound.earlier)
            if not later or not earlier or None in later | earlier or later & reading.base:
                continue
            if not earlier <= reading.base or bound.earlier.find(exp.Sub, exp.Neg) or bound.later.find(exp.Add):
                continue
            if {reading.way(bound.later), reading.way(bound.earlier)} != {"forward"}:
                continue
            joined = [reading.relation(alias) for alias in later if alias is not None]
            if all(one is not None and subject.reads_static_alone(one) for one in joined):
                continue
            text = bound.node.sql(subject.model.dialect)
            yield Found(
                subject.says(f"'{subject.model.name}' joins rows that are later than its own: {text}"),
                subject.places.near(bound.node),
                f"turn it round: {bound.later.sql()} < {bound.earlier.sql()}; what comes after a row is its label",
            )


def joins_undated(subject: Subject) -> Iterator[Found]:
    """Joins to tables that have only their present state, and searches in them, as far as anybody said."""
    read = [(r, alias, relation, relation, "joins") for r, _, alias, relation in _joined(subject, all_of_them=True)]
    for reading, alias, relation, node, reads in [*read, *_searched(subject)]:
        if reading.is_dated(alias):
            continue
        tables = subject.lineage.tables(relation, subject.model) - subject.context.static
        known = subject.context.tables
        undated = sorted(name for name in tables if name not in known or known[name].loaded_at_field is None)
        if undated:
            named = ", ".join(f"'{name}'" for name in undated)
            yield Found(
                subject.says(f"'{subject.model.name}' {reads} {named} without a time: old rows get today's values"),
                subject.places.near(node),
                "join a history by its time (d.since <= e.ts); say static: true of a source whose history does not "
                "matter, or loaded_at_field: … where it tells when a row came",
            )


def joins_many_rows(subject: Subject) -> Iterator[Found]:
    """Joins whose right side may have several rows for one."""
    for reading, join, alias, relation in _joined(subject):
        select = reading.select
        if select.args.get("group") or select.args.get("distinct") or has_own_aggregate(select):
            continue
        if isinstance(relation, exp.Lateral | exp.Unnest) or relation.find(exp.UDTF) is relation:
            continue
        columns = _join_columns(reading, join, alias)
        keys = _keys(subject, relation, select, subject.model)
        if any(key <= columns for key in keys):
            continue
        on = ", ".join(sorted(columns)) or "no column"
        yield Found(
            subject.says(f"'{subject.model.name}' joins '{alias}' on {on}, which may have several rows for one"),
            subject.places.near(relation),
            f"say unique: [[{', '.join(sorted(columns)) or 'id'}]] of what is joined, or aggregate it first",
        )


def key_may_be_missing(subject: Subject) -> Iterator[Found]:
    """Keys of the view that come from the outer side of a join."""
    config, entities = subject.view.rendered.config, subject.context.project.entities
    keys = [key.name for name in config.entity or () if name in entities for key in entities[name].keys]
    for key in keys:
        for step in path_of(subject.context, key):
            if step.model is subject.model and step.aliases & _outer(step) and not step.expression.find(exp.Coalesce):
                yield Found(
                    subject.says(f"key '{key}' comes from the outer side of a join, and is NULL where nothing matches"),
                    subject.places.near(step.expression),
                    "take the key from the side whose rows are all kept",
                )


def _searched(subject: Subject) -> Iterator[tuple[Reading, str, exp.Expr, exp.Expr, str]]:
    """(select, name, relation, search, verb) of each relation that IN, EXISTS, ANY or ALL look into."""
    for search in subject.model.tree.find_all(exp.In, exp.Exists, exp.Any, exp.All):
        inner = search.args.get("query") if isinstance(search, exp.In) else search.this
        select = inner.unnest() if isinstance(inner, exp.Expr) else None
        if not isinstance(select, exp.Select) or has_own_aggregate(select):
            continue  # a total over all rows has a rule of its own
        reading = Reading(select, subject)
        if not reading.ends_early():
            for alias, relation in relations(select):
                yield reading, alias.casefold(), relation, search, "looks into"


def _joined(subject: Subject, *, all_of_them: bool = False) -> Iterator[tuple[Reading, exp.Join, str, exp.Expr]]:
    """(select, join, name, relation) of each relation that is joined to a row, and that the row is not itself.

    Those of which a row has at most one are left out, unless ``all_of_them`` are wanted.
    """
    for select in selects_of(subject.model.tree):
        joins = select.args.get("joins") or []
        reading = Reading(select, subject)
        for join in joins:
            kind, method = (str(join.args.get(key) or "").upper() for key in ("kind", "method"))
            if not all_of_them and (kind in _KEEPS_ROWS or method in _ONE_MATCH):
                continue
            relation = join.this
            alias = relation.alias_or_name.casefold()
            if alias in reading.base and len(reading.aliases) > 1:  # the row itself stands on the right
                others = [pair for pair in relations(select) if pair[0].casefold() not in reading.base]
                if not others:
                    continue
                alias, relation = others[0][0].casefold(), others[0][1]
            yield reading, join, alias, relation


def _join_columns(reading: Reading, join: exp.Join, alias: str) -> frozenset[str]:
    """The columns of a relation that are equal to something else."""
    columns = {name.name.casefold() for name in join.args.get("using") or []}
    for condition in reading.conditions:
        if isinstance(condition, exp.EQ):
            for side, other in ((condition.left, condition.right), (condition.right, condition.left)):
                plain = side.unnest()
                own = isinstance(plain, exp.Column) and reading.alias_of(plain) == alias
                if own and alias not in reading.sides(other):
                    columns.add(plain.name.casefold())
    return frozenset(columns)


def _keys(subject: Subject, relation: exp.Expr, select: exp.Select, model: Model) -> list[frozenset[str]]:
    """The keys of a relation, in lower case. An empty key says that there is only one row."""
    context = subject.context
    found: list[frozenset[str]] = []
    if isinstance(relation, exp.Table):
        name = relation.name.casefold()
        table, doc = context.tables.get(name), context.docs.get(name)
        listed = (*(table.unique if table is not None else ()), *(doc.unique if doc is not None else ()))
        found += [frozenset(column.casefold() for column in key) for key in listed]
    below = context.lineage.query_of(relation, select, model)
    query = below[0].unnest() if below is not None else None
    if below is None or not isinstance(query, exp.Select):
        return found
    return found + list(_keys_of_select(subject, query, below[1]))


def _keys_of_select(subject: Subject, query: exp.Select, model: Model) -> Iterator[frozenset[str]]:
    given = {_plain(item): item.alias_or_name.casefold() for item in query.expressions}
    group = query.args.get("group")
    if group is not None:
        yield from _named([_at_place(query, term) for term in group.expressions], given)
        return
    if has_own_aggregate(query):
        yield frozenset()
    if query.args.get("distinct") is not None:
        on = query.args["distinct"].args.get("on")
        yield from _named(list(on.expressions) if on is not None else [i.unalias() for i in query.expressions], given)
    qualify = query.args.get("qualify")
    window = qualify.find(exp.Window) if qualify is not None else None
    if window is not None and isinstance(window.this, exp.RowNumber):
        yield from _named(list(window.args.get("partition_by") or []), given)
    read = relations(query)
    if len(read) == 1:
        columns = {name: alias for name, alias in given.items() if name}
        is_star = any(item.is_star for item in query.expressions)
        for key in _keys(subject, read[0][1], query, model):
            if is_star or all(column in columns for column in key):
                yield frozenset(columns.get(column, column) for column in key)


def _named(terms: list[exp.Expr], given: dict[str, str]) -> Iterator[frozenset[str]]:
    """The key of these terms, by the names that the select gives them."""
    names = [given.get(_plain(term)) for term in terms]
    if all(names):
        yield frozenset(name for name in names if name)


def _at_place(query: exp.Select, term: exp.Expr) -> exp.Expr:
    """A term of GROUP BY; a number stands for the item at that place."""
    if isinstance(term, exp.Literal) and not term.is_string and 0 < int(term.name) <= len(query.expressions):
        item = query.expressions[int(term.name) - 1].unalias()
        assert isinstance(item, exp.Expr)
        return item
    return term


def _plain(item: exp.Expr) -> str:
    value = item.unalias()
    if isinstance(value, exp.Column):
        return value.name.casefold()
    return value.sql().casefold() if isinstance(value, exp.Expr) else ""


def _outer(step: Step) -> frozenset[str]:
    """The relations of a select that an outer join fills with NULLs where nothing matches."""
    missing: set[str] = set()
    start = step.select.args.get("from_")
    before = {start.this.alias_or_name.casefold()} if start is not None else set()
    for join in step.select.args.get("joins") or []:
        side, alias = str(join.args.get("side") or "").upper(), join.this.alias_or_name.casefold()
        if side in ("LEFT", "FULL"):
            missing.add(alias)
        if side in ("RIGHT", "FULL"):
            missing |= before
        before.add(alias)
    return frozenset(missing)
