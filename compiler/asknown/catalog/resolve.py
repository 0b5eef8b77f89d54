"""The SQL of a view over its sources alone, with every name resolved: what fingerprints and lineage are read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from asknown.durations import MICROSECONDS
from asknown.model.nodes import FeatureView, Model
from asknown.project.nodes import SourceTable
from asknown.types import Column

SourceColumns = Mapping[tuple[str, str], Sequence[Column]]

VIEW = "v_"
"""The alias of the view's own select in the resolved SQL."""
RAISED = (SqlglotError, KeyError, ValueError, AttributeError, TypeError, RecursionError)
"""The errors that sqlglot's optimizer may raise at SQL that it does not understand."""
_FEW = 8  # features that are taken one by one from one query
_CALL = "call"
# DuckDB's functions that sqlglot does not know and that give one value for one row.
_SCALAR = {
    *("age", "array_aggregate", "array_apply", "array_extract", "array_has_any", "array_indexof", "array_pop_back"),
    *("array_pop_front", "array_push_back", "array_push_front", "array_reduce", "array_resize", "array_reverse_sort"),
    *("array_select", "array_sort", "array_transform", "array_unique", "array_value", "array_where", "array_zip"),
    *("bar", "base64", "bin", "bit_count", "bit_position", "cardinality", "century", "constant_or_null"),
    *("damerau_levenshtein", "date_part", "date_sub", "datepart", "datesub", "days_in_month", "decade", "divide"),
    *("element_at", "epoch_ns", "epoch_us", "era", "even", "fdiv", "fmod", "format_bytes", "from_binary", "gamma"),
    *("gcd", "grade_up", "greatest_common_divisor", "hamming", "hash", "isfinite", "isoyear", "jaccard"),
    *("jaro_similarity", "json_array_length", "json_contains", "json_exists", "json_value", "julian", "lcm"),
    *("least_common_multiple", "left_grapheme", "length_grapheme", "lgamma", "list_aggr", "list_aggregate"),
    *("list_any_value", "list_apply", "list_avg", "list_bit_and", "list_bit_or", "list_bit_xor", "list_bool_and"),
    *("list_bool_or", "list_cat", "list_cosine_similarity", "list_count", "list_dot_product", "list_element"),
    *("list_entropy", "list_extract", "list_first", "list_grade_up", "list_has_all", "list_histogram"),
    *("list_indexof", "list_inner_product", "list_intersect", "list_kurtosis", "list_kurtosis_pop", "list_last"),
    *("list_mad", "list_median", "list_mode", "list_pack", "list_position", "list_product", "list_reduce"),
    *("list_resize", "list_reverse", "list_reverse_sort", "list_select", "list_sem", "list_skewness", "list_slice"),
    *("list_sort", "list_stddev_pop", "list_stddev_samp", "list_string_agg", "list_sum", "list_unique"),
    *("list_var_pop", "list_var_samp", "list_where", "list_zip", "make_timestamp_ms", "make_timestamp_ns"),
    *("make_timestamptz", "map_concat", "map_contains", "map_contains_entry", "map_contains_value", "map_entries"),
    *("map_extract", "map_extract_value", "map_values", "md5_number", "microsecond", "millennium", "millisecond"),
    *("mismatches", "multiply", "nanosecond", "nextafter", "nfc_normalize", "octet_length", "ord", "parse_dirname"),
    *("parse_dirpath", "parse_filename", "prefix", "printf", "regexp_escape", "right_grapheme", "round_even"),
    *("roundbankers", "row", "set_bit", "signbit", "strip_accents", "strlen", "struct_concat", "struct_contains"),
    *("struct_extract_at", "struct_has", "struct_insert", "struct_keys", "struct_position", "struct_update"),
    *("struct_values", "substring_grapheme", "subtract", "suffix", "timezone", "timezone_hour", "timezone_minute"),
    *("to_base", "to_centuries", "to_decades", "to_hours", "to_json", "to_microseconds", "to_millennia"),
    *("to_milliseconds", "to_minutes", "to_months", "to_quarters", "to_seconds", "to_weeks", "to_years"),
    *("try_strptime", "unbin", "url_decode", "url_encode", "weekday", "yearweek"),
}


def resolve_view(
    view: FeatureView,
    below: Sequence[Model],
    sources: Mapping[tuple[str, str], SourceTable],
    columns: SourceColumns,
) -> tuple[exp.Select | None, str]:
    """The view's SQL over its sources alone, with every name resolved; or None and the reason.

    It selects the keys, the times and the features from the view's own select, with the models ``below`` as CTEs.
    """
    read = dict.fromkeys(key for model in (*below, view.model) for key in model.rendered.sources)
    schema = MappingSchema(dialect=view.model.dialect)
    for key in read:
        name = f"{sources[key].source}.{sources[key].name}"
        kinds = {column.name: column.type.name for column in columns[key]}
        try:
            schema.add_table(exp.Table(this=exp.to_identifier(name, quoted=True)), kinds, dialect=view.model.dialect)
        except RAISED as error:
            return None, f"a column's type: {type(error).__name__}"
    chosen = [*view.keys, *(c for c in (view.event_time, view.known_at, view.created_at) if c), *view.features]
    inside = exp.Subquery(this=_plain(view.model.tree), alias=exp.TableAlias(this=exp.to_identifier(VIEW)))
    names = [exp.column(exp.to_identifier(column.name, quoted=True), table=VIEW) for column in chosen]
    query = exp.select(*names).from_(inside)
    for model in below:
        query = query.with_(exp.to_identifier(model.name, quoted=True), as_=_plain(model.tree), copy=False)
    try:
        qualified = qualify(
            query, dialect=view.model.dialect, schema=schema, validate_qualify_columns=False, quote_identifiers=False
        )
    except RAISED as error:
        return None, str(error).partition("\n")[0] or type(error).__name__
    assert isinstance(qualified, exp.Select)
    lost = next((c for c in qualified.find_all(exp.Column) if not c.table and not _is_alias(c)), None)
    if lost is not None:
        return None, f"the column '{lost.name}' may belong to several tables"
    if any(isinstance(star.parent, exp.Select | exp.Column) for star in qualified.find_all(exp.Star)):
        return None, "a * is left"
    return qualified, ""


def _is_alias(column: exp.Column) -> bool:
    """Whether a column may name an item of its own select: in ORDER BY and after it, SQL says so."""
    clause = column.find_ancestor(exp.Order, exp.Select, exp.Window)
    query = column.find_ancestor(exp.Query)
    return isinstance(clause, exp.Order) and query is not None and column.name in query.named_selects


def narrowed(qualified: exp.Select, view: FeatureView, features: Sequence[str]) -> Iterator[tuple[str, exp.Select]]:
    """Each feature with a query that has it and at most seven others, from which :func:`only` takes it.

    Each half of the features gets a query of its own, and so on: to take a thousand features one by one from the
    query of all of them would copy a million columns.
    """
    if len(features) <= _FEW:
        yield from ((feature, qualified) for feature in features)
        return
    middle = len(features) // 2
    for part in (features[:middle], features[middle:]):
        try:
            narrow = only(qualified, view, part)
        except RAISED:
            narrow = qualified
        yield from narrowed(narrow, view, part)


def only(qualified: exp.Select, view: FeatureView, features: Sequence[str]) -> exp.Select:
    """The resolved SQL of some features, without the columns on any level that they do not read."""
    others = {column.name.casefold() for column in view.features} - {feature.casefold() for feature in features}
    tree = qualified.copy()
    tree.set("expressions", [item for item in tree.selects if item.alias_or_name.casefold() not in others])
    if view.model.dialect != "duckdb":
        return pushdown_projections(tree)
    for call in list(tree.find_all(exp.Anonymous)):
        if call.name.casefold() in _SCALAR or (isinstance(call.parent, exp.Window) and call.arg_key == "this"):
            # sqlglot keeps a column that calls a function unknown to it, which might give several rows.
            known = exp.Array(expressions=call.expressions)
            known.meta[_CALL] = call.name
            call.replace(known)
    tree = pushdown_projections(tree)
    for array in list(tree.find_all(exp.Array)):
        if _CALL in array.meta:
            array.replace(exp.Anonymous(this=array.meta[_CALL], expressions=array.expressions))
    return tree


def _plain(tree: exp.Query) -> exp.Query:
    """A copy without names of windows, without parentheses that say nothing, and with plain frames."""
    copy = tree.copy()
    for select in list(copy.find_all(exp.Select)):
        named = {window.name.casefold(): window for window in select.args.get("windows") or []}
        for window in [w for w in select.find_all(exp.Window) if w.args.get("alias") and w.this is not None]:
            _inline(window, named)
        if named and not any(w.args.get("alias") for w in select.find_all(exp.Window) if w.arg_key != "windows"):
            select.set("windows", None)
    for paren in list(copy.find_all(exp.Paren)):
        if isinstance(paren.this, exp.Column | exp.Literal | exp.Paren) and paren.parent is not None:
            paren.replace(paren.this)
    for spec in copy.find_all(exp.WindowSpec):
        for interval in spec.find_all(exp.Interval):
            _in_microseconds(interval)
    return copy


def _inline(window: exp.Window, named: Mapping[str, exp.Window]) -> None:
    """Puts the definition of a named window in the place of its name."""
    definition = named.get(window.args["alias"].name.casefold())
    if definition is None:
        return
    if definition.args.get("alias"):
        _inline(definition, named)
    for part in ("partition_by", "order", "spec"):
        value = definition.args.get(part)
        if value and not window.args.get(part):
            window.set(part, [v.copy() for v in value] if isinstance(value, list) else value.copy())
    window.set("alias", None)


def _in_microseconds(interval: exp.Interval) -> None:
    unit = interval.unit.name.casefold().rstrip("s") if interval.unit is not None else ""
    length = MICROSECONDS.get(unit)
    value = interval.this
    if length is None or not isinstance(value, exp.Literal) or not value.name.isdecimal():
        return
    interval.set("this", exp.Literal.string(str(int(value.name) * length)))
    interval.set("unit", exp.Var(this="MICROSECOND"))
