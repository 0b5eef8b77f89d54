"""Reads a spine from a data frame, an Arrow table, a file, SQL text, or a model's name, and checks its columns."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asknown.dialects.dialect import Dialect
from asknown.dialects.duckdb import DUCKDB
from asknown.emit.models import cast_query, columns_query, model_text, relation_query
from asknown.emit.probe import compile_facts, compile_float_key
from asknown.emit.statement import write
from asknown.emit.warehouse_tables import with_sources
from asknown.errors import AsknownError, did_you_mean
from asknown.instants import from_microseconds
from asknown.model.nodes import OnDemandView
from asknown.model.parse import parse_model
from asknown.online.served_log import SERVED_AT, is_log, read_log
from asknown.plan.nodes import Bounds, Relation, Spine
from asknown.plan.request import RequestedFeature
from asknown.project.files import is_folder
from asknown.project.nodes import ModelFile
from asknown.store.typed_catalog import TypedCatalog
from asknown.types import Column, SqlType, floats_for_integers, parse_type

if TYPE_CHECKING:
    import pyarrow as pa

    from asknown.model.nodes import Model
    from asknown.render import Rendered, Renderer
from asknown.emit.probe import compile_lossy
from asknown.plan.inputs import conversion
from asknown.plan.nodes import AsOfJoin, Derived, Extended, Plan, SpineValue, TrailingWindow

INSTANT = "event_timestamp"
SPINE = "spine"
"""The table that a query reads which is compiled without a spine."""
FILES = tuple(DUCKDB.relations.readers)
"""The endings of files that hold a spine."""
_DATETIMES = ("timestamp", "timestamptz")


def read_spine(raw: Any, catalog: TypedCatalog, renderer: Renderer, *, timestamp: str | None) -> Spine:
    """The spine in ``raw``, with its time column, its number of rows and the range of its instants.

    A query that may give other rows the next time is not measured. Raises ``spine`` if ``raw`` is no table of rows,
    and ``spine-time`` if the time column is missing or a value in it is no instant.
    """
    log = _log_of(raw, catalog)
    if log is not None:
        relation, timestamp = _of_data(read_log(log), catalog), timestamp or SERVED_AT
    else:
        relation = _locate(raw, catalog, renderer)
    _refuse_alike(relation.columns)
    _refuse_changed(relation.columns)
    instant = find_instant(relation.columns, timestamp)
    if isinstance(raw, str | Path) and not relation.repeatable:
        return Spine(relation, instant)  # its rows may differ when it runs again, so no measurement would hold
    return Spine(relation, instant, _measure(relation, instant, catalog))


def _refuse_changed(columns: Sequence[Column]) -> None:
    """Refuses a column whose values not every frame and file that a training set goes to can keep."""
    for column in columns:
        for name in _type_names(column.type):
            if (found := _CHANGED.get(name.partition("(")[0].upper())) is not None:
                what, instead = found
                raise AsknownError(
                    "spine", f"the spine's column '{column.name}' {what}", hint=instead.replace("…", column.name)
                )


def _type_names(kind: SqlType) -> Iterator[str]:
    """The name of the type, and of those inside of it."""
    yield kind.name
    if kind.element is not None:
        yield from _type_names(kind.element)
    for _, inner in kind.fields:
        yield from _type_names(inner)


_TEXT = "make it a text: cast(… as varchar) as …"
_CHANGED = {
    "INTERVAL": (
        "is a duration",
        "make it a number of seconds: epoch(…) as … in SQL, df[name].dt.total_seconds() in pandas",
    ),
    "TIME WITH TIME ZONE": ("has times of day with a time zone, which Arrow and Parquet do not keep", _TEXT),
    "TIME_NS": ("has times of day in nanoseconds", f"cast(… as time) as … keeps microseconds; or {_TEXT}"),
    "BIT": ("has strings of bits, which Arrow and Parquet do not keep", _TEXT),
    "BIGNUM": ("has numbers of any length, which Arrow and Parquet do not keep", _TEXT),
    "VARIANT": ("has values of any type, which Arrow and Parquet do not keep", _TEXT),
    "UNION": ("is a union of types", "give it values of one type"),
}


def _log_of(raw: Any, catalog: TypedCatalog) -> Path | None:
    """The folder that ``raw`` names, if `asknown serve` logs a service to it."""
    if not isinstance(raw, str | Path) or re.search(r"[\s\0]", str(raw)) or raw in catalog.project.models:
        return None
    return next((f for f in (Path(raw), catalog.project.settings.root / raw) if is_folder(f) and is_log(f)), None)


def find_instant(columns: Sequence[Column], timestamp: str | None) -> Column:
    """The spine's time column: the column ``timestamp``, else ``event_timestamp``, else its only datetime column."""
    named = {column.name: column for column in columns}
    if timestamp is not None:
        if not isinstance(timestamp, str):
            hint = did_you_mean("", named, what="the spine's columns")
            raise AsknownError("bad-value", f"timestamp: {timestamp!r} is not a name", hint=hint)
        if timestamp not in named:
            raise AsknownError(
                "spine-time",
                f"the spine has no column '{timestamp}'",
                hint=did_you_mean(timestamp, named, what="its columns"),
            )
        return _check_instant(named[timestamp])
    folded = [column for column in columns if column.name.casefold() == INSTANT]
    if folded:
        return _check_instant(folded[0])
    times = [c for c in columns if c.type.kind in _DATETIMES or c.type.name.startswith(("TIMESTAMP", "TIMESTAMPTZ"))]
    if len(times) == 1:
        return times[0]
    listed = ", ".join(c.name for c in times or columns)
    raise AsknownError(
        "spine-time",
        f"the spine has {len(times)} datetime columns and none is called {INSTANT}: which one is the instant?"
        if times
        else f"the spine has no datetime column; its columns: {listed}",
        hint=f"pass timestamp= (--timestamp on the command line); {'candidates' if times else 'columns'}: {listed}",
    )


def _check_instant(column: Column) -> Column:
    kind = column.type
    if kind.kind in ("timestamp", "timestamptz", "date", "text") or kind.name.startswith("TIMESTAMP"):
        return column
    raise AsknownError(
        "spine-time",
        f"the spine's instant '{column.name}' is {kind}, not a timestamp",
        hint="convert it to a timestamp in UTC first",
    )


def _locate(raw: Any, catalog: TypedCatalog, renderer: Renderer) -> Relation:
    if isinstance(raw, Path):
        return _of_file(str(raw), catalog)
    if not isinstance(raw, str):
        from asknown.engines.frames import to_arrow  # a spine that the engine reads itself does without

        return _of_data(to_arrow(raw), catalog)
    name = raw.strip()
    if name in catalog.project.models:
        catalog.models.refuse_windows_of_spine(name)
        columns = catalog.columns(name)
        sql = _in_types(columns, relation_query(name, catalog.engine.dialect), catalog)
        return Relation(sql, columns, catalog.models.is_repeatable(name), (name,))
    if name.casefold().endswith(FILES) and not re.search(r"\s\S+\s", name):
        return _of_file(name, catalog)
    if not re.search(r"\s", name):
        raise AsknownError(
            "spine",
            f"'{name}' is not a model, a file or SQL",
            hint=did_you_mean(name, catalog.models.names, what="models"),
        )
    return _of_text(raw, catalog, renderer)


def _of_text(text: str, catalog: TypedCatalog, renderer: Renderer) -> Relation:
    """The relation of a query in the models' dialect, in which ref() and source() work as in a model."""
    rendered = renderer.render_model(ModelFile("spine", Path("spine"), "the spine's SQL", text))
    parsed = parse_model(rendered, catalog.project.settings.dialect)
    if catalog.translates:
        rendered, parsed = _with_tables(parsed, catalog)
    catalog.models.refuse_windows_below(parsed)
    catalog.check_unknown(parsed)
    model = catalog.informed(parsed)
    try:
        columns = catalog.types.of_query(model, model.sql)
    except AsknownError as error:
        raise AsknownError(error.code, f"the spine's SQL: {error.message}", hint=error.hint) from None
    sql = model_text(model, catalog.engine.dialect)
    closed = all(catalog.models.is_repeatable(ref) for ref in rendered.refs)
    repeatable = closed and model.repeatable
    return Relation(_in_types(columns, sql, catalog), columns, repeatable, rendered.refs, rendered.sources)


def _with_tables(model: Model, catalog: TypedCatalog) -> tuple[Rendered, Model]:
    """The query over sources in place of the target's tables that it names, so that it can be typed and translated."""
    rendered, tables = with_sources(model, catalog.engine.dialect)
    for table in tables:
        key = table.source, table.name
        catalog.sources.tables[key] = table
        try:
            catalog.sources.columns(key)
        except AsknownError as error:
            said = error.message.removeprefix(f"source '{table.source}.{table.name}': ")
            raise AsknownError(error.code, f"the spine's SQL: {said}", hint=error.hint) from None
    return rendered, parse_model(rendered, model.dialect) if tables else model


def _in_types(columns: Sequence[Column], sql: str, catalog: TypedCatalog) -> str:
    """The query with its columns cast to the types that they have in the models' dialect."""
    return cast_query(columns, sql, catalog.engine.dialect) if catalog.translates else sql


def _of_file(path: str, catalog: TypedCatalog) -> Relation:
    here = Path(path)
    root = catalog.project.settings.root
    if not re.search(r"[*?\[]|://", path):
        if not os.path.exists(here) and not os.path.exists(root / path):  # noqa: PTH110 - Path raises if it is too long
            raise AsknownError(
                "spine", f"the spine's file {path} does not exist", hint="the path is relative to the current folder"
            )
        if is_folder(here):
            raise AsknownError("spine", f"{path} is a folder", hint=f"give its files: {path.rstrip('/')}/*.parquet")
        if os.path.exists(here):  # noqa: PTH110
            path = str(here.resolve())
    relations = catalog.engine.dialect.relations
    if relations.readers and relations.files_in_order:
        return _of_sql(catalog.types.file_query(path), catalog, repeatable=True)
    return _of_data(catalog.types.read_file(path), catalog)


def _of_data(data: pa.Table, catalog: TypedCatalog) -> Relation:
    """The relation of an Arrow table, which is loaded into the engine first."""
    loaded = catalog.engine.load_spine(data)
    relation = _of_sql(f"SELECT * FROM {loaded.relation}", catalog, repeatable=True)
    shown = tuple(column for column in relation.columns if column.name != loaded.row)
    return replace(relation, columns=shown, row=loaded.row)


def _of_sql(sql: str, catalog: TypedCatalog, *, repeatable: bool) -> Relation:
    try:
        found = catalog.engine.describe(sql)
    except AsknownError as error:
        if error.code == "lost-connection":
            raise
        raise AsknownError("spine", f"the spine cannot be read: {error.message}", hint=error.hint) from None
    if not found:
        raise AsknownError("spine", "the spine has no columns")
    columns = tuple(Column(name, kind) for name, kind in found)
    return Relation(sql, columns, repeatable)


def spine_to_come(requested: Sequence[RequestedFeature], dialect: Dialect, within: Bounds) -> Spine:
    """The spine to compile with when there is none: a table ``spine`` with keys, ``event_timestamp`` and inputs.

    Of its rows, those are taken whose instants lie ``within`` the bounds.
    """
    keys: dict[str, Column] = {}
    for item in requested:
        renamed = dict(item.keys)
        for key in item.view.keys:
            name = renamed.get(key.name, key.name)
            keys.setdefault(name.casefold(), Column(name, key.type))
    instant = Column(INSTANT, parse_type("TIMESTAMP"))
    inputs: dict[str, Column] = {}
    for item in requested:
        for given in item.view.inputs if isinstance(item.view, OnDemandView) else ():
            inputs.setdefault(given.name.casefold(), given)
    columns = (*keys.values(), instant, *inputs.values())
    sql, ordered = columns_query(columns, SPINE, dialect, instant, within), dialect.relations.tables_in_order
    return Spine(Relation(sql, columns, repeatable=True, ordered=ordered), instant, within)


def _refuse_alike(columns: Sequence[Column]) -> None:
    seen: dict[str, str] = {}
    for column in columns:
        other = seen.setdefault(column.name.casefold(), column.name)
        if other is not column.name:
            raise AsknownError(
                "duplicate-column",
                f"the spine has two columns with the same name: '{other}' and '{column.name}'",
                hint="rename one; names that differ only in case are the same",
            )


def _measure(relation: Relation, instant: Column, catalog: TypedCatalog) -> Bounds:
    """The number of a spine's rows and the range of its instants.

    Raises ``spine-time`` for instants that do not read.
    """
    dialect = catalog.engine.dialect
    models = catalog.ctes(relation.refs, sources=relation.sources)
    statement = compile_facts(relation, instant, models, catalog.reserved_names(), dialect)
    (row,) = catalog.engine.rows(write(statement, dialect))
    rows, earliest, latest, unread, example, aware, split, finer = row
    column = instant.name
    if unread:
        raise AsknownError(
            "spine-time",
            f"{unread} of {rows} values of the spine's instant '{column}' cannot be read as timestamps: {example!r}",
            hint="write them as 2013-01-31 23:59:59, with +00:00 or another offset behind where they are not UTC",
        )
    if finer is not None:
        raise AsknownError(
            "spine-time",
            f"the spine's instant '{column}' has a value that is not a whole microsecond: {finer!r}",
            hint="an instant is never rounded here: leave out all behind the sixth digit, up or down as you mean",
        )
    if 0 < aware < split:
        raise AsknownError(
            "spine-time",
            f"the spine's instant '{column}' mixes timestamps with a time zone ({aware}) and without ({split - aware})",
            hint="give all of them an offset, or none (then they are UTC)",
        )
    return Bounds(_known(earliest), _known(latest), int(rows))


def _known(value: Any) -> datetime | None:
    if isinstance(value, int):  # of a dialect whose clock counts microseconds
        try:
            return from_microseconds(value)
        except OverflowError:
            return None
    return value if isinstance(value, datetime) else None


def check_keys(plan: Plan, catalog: TypedCatalog) -> None:
    """Raises ``key-type`` if a float is given for an integer key that is no whole number, and names it (rule 8)."""
    floats = {
        (given.name, key.type.name): (given, step.view.name)
        for step in plan.steps
        if isinstance(step, AsOfJoin | TrailingWindow)
        for given, key in zip(step.keys, step.view.keys, strict=True)
        if floats_for_integers(given.type, key.type)
    }
    if not floats or plan.spine.bounds.rows == 0:
        return
    relation = plan.spine.relation
    models = catalog.ctes(relation.refs, sources=relation.sources)
    for (_, kind), (given, view) in sorted(floats.items()):
        statement = compile_float_key(plan.spine, given, models, catalog.reserved_names())
        for (example,) in catalog.engine.rows(write(statement, catalog.engine.dialect)):
            raise AsknownError(
                "key-type",
                f"the spine's '{given.name}' holds {example}, and the key of view '{view}' is {kind}: a float is "
                f"such a key if it is a whole number below 2^{given.type.exact_bits}, up to which floats are exact",
                hint=f"correct the spine, or cast its column to {kind} in the way that you mean",
            )


def check_inputs(plan: Plan, catalog: TypedCatalog) -> None:
    """Raises ``request-input`` for an input with a value that its type cannot hold, and names the value."""
    checked = {
        value
        for step in plan.steps
        if isinstance(step, Derived | Extended)
        for value in (step.inputs.values() if isinstance(step, Derived) else [value for _, value in step.columns])
        if isinstance(value, SpineValue) and conversion(value.column.type, value.type) == "checked"
    }
    if not checked or plan.spine.bounds.rows == 0:
        return
    relation = plan.spine.relation
    models = catalog.ctes(relation.refs, sources=relation.sources)
    dialect = catalog.engine.dialect
    for value in sorted(checked, key=lambda value: value.column.name):
        if "try_cast" not in dialect.snippets:
            raise AsknownError(
                "request-input",
                f"the spine's '{value.column.name}' is {value.column.type}, the input is {value.type}, "
                f"and {dialect.name} cannot say which values would change",
                hint=f"cast the spine's column to {value.type}",
            )
        statement = compile_lossy(plan.spine, value, models, catalog.reserved_names(), dialect)
        for (example,) in catalog.engine.rows(write(statement, dialect)):
            raise AsknownError(
                "request-input",
                f"the input '{value.column.name}' is {value.type}, and the spine's {value.column.type} "
                f"{example} would be changed by it",
                hint=f"cast the spine's column to {value.type} in the way that you mean",
            )
