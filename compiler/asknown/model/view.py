"""Completes a model into a feature view: keys, times, features and their types, each checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlglot import exp

from asknown.errors import AsknownError, Where, did_you_mean
from asknown.model.history import check_history
from asknown.model.nodes import MAX_AHEAD, FeatureView, Lifted, Model
from asknown.model.parse import is_repeatable
from asknown.model.windows import lift_windows, merged, place_of
from asknown.project.nodes import Entity
from asknown.types import KEY_KINDS, TIME_KINDS, Column, comparable, parse_type, require_exact


def build_view(
    model: Model,
    columns: Sequence[Column],
    entities: Mapping[str, Entity],
    *,
    repeatable: bool,
    describe: Callable[[exp.Select], Sequence[Column]],
) -> FeatureView:
    """The feature view that ``model`` declares. ``columns`` are the columns of its query, from the engine.

    ``repeatable`` is True if a second read of everything upstream gives the same rows. ``describe`` returns the
    columns of a query, and is called with the select without its windows. Raises ``bad-config`` if the config names a
    column that is not there, ``unsupported-type`` for a type that cannot serve, and ``bad-window`` for windows.
    """
    config = model.rendered.config
    assert config.entity is not None and config.event_time is not None  # render refuses a view without an event time
    _refuse_rows(model)
    at = model.rendered.template_place(model.rendered.config_line or 1)
    find = _finder(model, columns, at)

    keys = tuple(_key(model, find, entity, key, at) for entity in map(entities.__getitem__, config.entity)
                 for key in entity.keys)  # fmt: skip
    names = [key.name for key in keys]
    if len(set(names)) < len(names):
        raise AsknownError(
            "bad-config", f"the entities of '{model.name}' have a key column in common: {', '.join(names)}", at=at
        )
    event_time, known_at, created_at = _times(model, find, keys, at)
    roles = {column.name for column in (*keys, event_time, known_at, created_at) if column is not None}
    features = tuple(column for column in columns if column.name not in roles)
    for feature in features:
        require_exact(feature.type, column=feature.name, view=model.name)
    if not features:
        raise AsknownError(
            "bad-model",
            f"feature view '{model.name}' has no feature: every column is a key or a time",
            at=at,
            hint="select at least one more column",
        )
    check_history(model)
    lifted = lift_windows(model, tuple(key.name for key in keys), event_time.name, [c.name for c in columns])
    rows = tuple(columns) if lifted is None else tuple(describe(lifted.tree))
    return FeatureView(
        name=model.name,
        model=model,
        keys=keys,
        event_time=event_time,
        known_at=known_at,
        created_at=created_at,
        features=features,
        fetched=tuple(_fetched(lifted, rows, features)),
        columns=rows,
        ttl=config.ttl,
        repeatable=repeatable and is_repeatable(model.tree if lifted is None else lifted.tree),
        lifted=lifted,
        max_ahead=MAX_AHEAD if config.max_ahead is None else config.max_ahead,
    )


def _times(
    model: Model, find: Callable[[str, str], Column], keys: Sequence[Column], at: Where
) -> tuple[Column, Column | None, Column | None]:
    """The event time, the known-at and the created-at time; None for one that is undeclared or repeats another."""
    config = model.rendered.config
    assert config.event_time is not None
    event_time = find(config.event_time, "event_time")
    known_at = find(config.known_at, "known_at") if config.known_at else None
    created_at = find(config.created_at, "created_at") if config.created_at else None
    for role, column in (("event_time", event_time), ("known_at", known_at), ("created_at", created_at)):
        if column is not None:
            _check_time(model, role, column, at)
            if column in keys:
                raise AsknownError("bad-config", f"{role} of '{model.name}' is a key: '{column.name}'", at=at)
    # A column that rule 3 has already compared cannot break a tie.
    if known_at == event_time:
        known_at = None
    if created_at in (event_time, known_at):
        created_at = None
    return event_time, known_at, created_at


def _fetched(lifted: Lifted | None, rows: Sequence[Column], features: Sequence[Column]) -> Iterator[Column]:
    """The as-of columns in select order. An item that mixes windows and columns is replaced by its columns."""
    if lifted is None:
        yield from features
        return
    items = {item.name: item for item in lifted.items}
    by_name = {column.name: column for column in rows}
    seen: set[str] = set()
    for feature in features:
        item = items.get(feature.name)
        for name in (feature.name,) if item is None or item.expression is None else item.columns:
            if name not in seen:
                seen.add(name)
                yield by_name[name]


def refuse_duplicate_columns(model: Model, columns: Sequence[str]) -> None:
    """Raises an error for two columns with the same name. Like the engines, it ignores case."""
    seen: dict[str, str] = {}
    for column in columns:
        folded = column.casefold()
        if folded in seen:
            spelled = f"'{seen[folded]}' and '{column}'" if seen[folded] != column else f"'{column}'"
            raise AsknownError(
                "duplicate-column",
                f"'{model.name}' has two columns with the same name: {spelled}",
                at=model.rendered.where(1),
                hint="give one of them another name, as in: … as other_name",
            )
        seen[folded] = column


def _finder(model: Model, columns: Sequence[Column], at: Where) -> Callable[[str, str], Column]:
    exact = {column.name: column for column in columns}
    folded = {column.name.casefold(): column for column in columns}

    def find(name: str, role: str) -> Column:
        column = exact.get(name) or folded.get(name.casefold())
        if column is None:
            raise AsknownError(
                "bad-config",
                f"feature view '{model.name}' has no column '{name}', its {role}",
                at=at,
                hint=f"add {name} to the select; {did_you_mean(name, exact, what='its columns')}",
            )
        return column

    return find


def _key(model: Model, find: Callable[[str, str], Column], entity: Entity, key: object, at: Where) -> Column:
    from asknown.project.nodes import Key

    assert isinstance(key, Key)
    column = find(key.name, f"key of entity '{entity.name}'")
    if column.type.kind not in KEY_KINDS:
        wanted = "bigint" if column.type.kind == "float" else "varchar"
        raise AsknownError(
            "unsupported-type",
            f"key '{column.name}' of '{model.name}' has type {column.type}, whose values do not compare reliably",
            at=at,
            hint=f"cast it in the model, as in: cast({column.name} as {wanted}) as {column.name}",
        )
    if key.data_type is not None and not comparable(parse_type(key.data_type), column.type):
        raise AsknownError(
            "key-type",
            f"key '{column.name}' of '{model.name}' has type {column.type}; "
            f"entity '{entity.name}' says {key.data_type} ({entity.at})",
            at=at,
            hint="change the entity's data_type, or cast the column in the model",
        )
    return column


def _check_time(model: Model, role: str, column: Column, at: Where) -> None:
    if column.type.kind in TIME_KINDS:
        return
    nanoseconds = column.type.name.startswith("TIMESTAMP_NS")
    casts = {
        "integer": f"make_timestamp({column.name} * 1000000)",
        "float": f"make_timestamp(cast(round({column.name} * 1000000) as bigint))",
    }
    cast = casts.get(column.type.kind, f"cast({column.name} as timestamp)")
    seconds = "seconds since 1970 become a timestamp (milliseconds: * 1000)" if column.type.kind in casts else "cast it"
    other = f", or strptime({column.name}, '%d.%m.%y %H:%M') for another form" if column.type.kind == "text" else ""
    raise AsknownError(
        "unsupported-type",
        f"{role} of '{model.name}' ('{column.name}') has type {column.type}; "
        + ("asknown's clock counts microseconds" if nanoseconds else "it must be a timestamp"),
        at=at,
        hint=f"{seconds} in the model, as in: {cast} as {column.name}{other}",
    )


def _refuse_rows(model: Model) -> None:
    for item in _select_items(model.tree):
        for window in item.find_all(exp.Window):
            name = item.alias_or_name or item.sql()
            spec = merged(window, window.find_ancestor(exp.Select))[2]
            if spec is not None and _spelled(spec, "kind") in ("ROWS", "GROUPS"):
                raise AsknownError(
                    "bad-window",
                    f"feature '{name}' of '{model.name}' counts rows ({_spelled(spec, 'kind')}), not time",
                    at=place_of(model, window),
                    hint="write over {{ last('7 days') }}: a window is a duration before the instant asked for",
                )


def _select_items(tree: exp.Query) -> list[exp.Expr]:
    if isinstance(tree, exp.SetOperation):
        return [item for side in (tree.left, tree.right) for item in _select_items(side)]
    if isinstance(tree, exp.Subquery):
        inner = tree.unnest()
        return _select_items(inner) if isinstance(inner, exp.Query) else []
    return list(tree.selects)


def _spelled(spec: exp.Expr, part: str) -> str:
    return str(spec.args.get(part) or "").upper()
