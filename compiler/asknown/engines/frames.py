"""Data frames in and out: pandas, polars, Arrow and rows of Python values become Arrow tables, and back.

Every column arrives exactly as it was given, or an error names it: no value is rounded, cut, reordered or read as
another type, and no column is renamed or lost.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from numbers import Integral, Real
from typing import Any
from uuid import UUID

import pyarrow as pa

from asknown.durations import DAY
from asknown.errors import AsknownError

_FAILURES = (pa.ArrowException, TypeError, ValueError, OverflowError, AttributeError, NotImplementedError)
_EXTENSIONS = ("arrow.uuid", "arrow.json", "arrow.bool8")
_DAY_MS = DAY // 1_000


def to_arrow(data: Any) -> pa.Table:
    """The Arrow table of a pandas or polars frame, Arrow data, a mapping of columns, or rows as mappings.

    Instants in nanoseconds become microseconds where all of them are whole microseconds, and else stay as they are.
    Raises ``spine`` for other data and for a column that cannot be kept exactly, ``spine-time`` for a column that
    mixes instants with and without a time zone, ``duplicate-column`` for two columns of one name.
    """
    columns = _columns(data)
    if not columns:
        raise AsknownError("spine", "the spine has no columns", hint="it needs the entities' keys and an instant")
    _check_names([name for name, _ in columns])
    arrays = [_exact(name, _converted(name, values)) for name, values in columns]
    if len({len(array) for array in arrays}) > 1:
        lengths = ", ".join(f"'{name}' {len(array)}" for (name, _), array in zip(columns, arrays, strict=True))
        raise AsknownError("spine", f"the spine's columns differ in length: {lengths}")
    return pa.table(arrays, names=[name for name, _ in columns])


# ---------------------------------------------------------------- shapes


def _columns(data: Any) -> list[tuple[Any, Any]]:
    """The columns by name: Arrow arrays, pandas series, or sequences of Python values."""
    library = type(data).__module__.partition(".")[0]
    match data:
        case pa.Table() | pa.RecordBatch():
            return list(zip(data.schema.names, data.columns, strict=True))
        case pa.RecordBatchReader():
            return _columns(_read(data))
        case Mapping():
            return list(data.items())
        case list() | tuple() if data and all(isinstance(row, Mapping) for row in data):
            names = dict.fromkeys(name for row in data for name in row)
            return [(name, [row.get(name) for row in data]) for name in names]
    if library == "pandas" and hasattr(data, "columns"):
        return _of_pandas(data)
    if library == "polars" and hasattr(data, "lazy"):
        return _of_polars(data)
    if hasattr(data, "__arrow_c_stream__"):
        return _columns(_read(data))
    raise AsknownError(
        "spine",
        f"a spine cannot be {_article(type(data).__name__)}",
        hint="give a pandas or polars frame, an Arrow table, a Parquet or CSV path, SQL text, or a model's name",
    )


def _read(data: Any) -> pa.Table:
    try:
        return data.read_all() if isinstance(data, pa.RecordBatchReader) else pa.table(data)
    except _FAILURES as error:
        raise AsknownError("spine", f"the spine does not convert to Arrow: {_first_line(error)}") from None


def _of_pandas(frame: Any) -> list[tuple[Any, Any]]:
    if frame.columns.nlevels > 1:
        raise AsknownError(
            "spine",
            "the spine's columns have a MultiIndex",
            hint="join them: df.columns = ['_'.join(name) for name in df.columns]",
        )
    named = [str(name) for name in frame.index.names if name is not None]
    if named or frame.index.dtype.kind == "M":
        what = f"index {', '.join(map(repr, named))}" if named else "index of instants"
        raise AsknownError(
            "spine",
            f"the spine's {what} would be lost: an index is not a column",
            hint="df.reset_index() makes it a column",
        )
    return [(name, frame.iloc[:, place]) for place, name in enumerate(frame.columns)]


def _of_polars(frame: Any) -> list[tuple[Any, Any]]:
    if type(frame).__name__ == "LazyFrame":
        try:
            frame = frame.collect()
        except Exception as error:  # polars' own errors share no class with anything here
            raise AsknownError("spine", f"the spine's LazyFrame fails: {_first_line(error)}") from None
    columns = []
    for series in frame.get_columns():
        if str(series.dtype) == "Object":  # polars exports the addresses of its objects
            raise _refusal(series.name, "is a polars Object", "cast it to a plain type")
        columns.append((series.name, series))
    return columns


def _check_names(names: Sequence[Any]) -> None:
    seen: dict[str, str] = {}
    for place, name in enumerate(names, start=1):
        if not isinstance(name, str):
            raise AsknownError(
                "spine",
                f"the name of the spine's column {place} is {name!r}, and not text",
                hint="df.columns = df.columns.map(str)",
            )
        if not name or "\0" in name or not _is_unicode(name):
            wrong = "is empty" if not name else f"cannot be used: {name!r}"
            raise AsknownError("spine", f"the name of the spine's column {place} {wrong}", hint="rename it")
        other = seen.setdefault(name.casefold(), name)
        if other is not name or list(names).count(name) > 1:
            raise AsknownError(
                "duplicate-column",
                f"the spine has two columns with the same name: '{other}' and '{name}'",
                hint="rename one; names that differ only in case are the same",
            )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# ---------------------------------------------------------------- values


def _converted(name: str, values: Any) -> Any:
    """The Arrow array of one column as it was given."""
    try:
        if isinstance(values, pa.Array | pa.ChunkedArray):
            return values
        library = type(values).__module__.partition(".")[0]
        if library == "polars":
            return values.to_arrow()
        if library == "pandas":
            if type(values.dtype).__name__ == "SparseDtype":
                values = values.sparse.to_dense()
            if values.dtype == object:
                return _of_objects(name, values.tolist())
            return pa.array(values, from_pandas=True)
        if library == "numpy" and values.dtype != object:
            return pa.array(values)
        return _of_objects(name, list(values))
    except _FAILURES as error:
        raise _refusal(
            name, f"does not convert to Arrow: {_first_line(error)}", "give it values of one plain type"
        ) from None


def _of_objects(name: str, values: list[Any]) -> Any:
    """The array of Python values that are all of one family, so that Arrow has nothing to guess."""
    families = _families(name, values)
    if "float" not in families:  # there, a NaN is a value; elsewhere it is how pandas spells NULL
        values = [None if _is_missing(value) else value for value in values]
    if families == {"uuid"}:  # which Arrow 18 does not read by itself
        stored = [None if value is None else value.bytes for value in values]
        return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(stored, pa.binary(16)))
    return pa.array(values)


def _families(name: str, values: list[Any]) -> set[str]:
    """The families of the values, one, or two that Arrow joins exactly; refuses all others, in lists too."""
    found = {type(value): value for value in values if not _is_missing(value)}
    families = {_family(kind): value for kind, value in found.items()}
    if None in families:
        raise _refusal(name, f"holds {_article(type(families[None]).__name__)}", "convert it to a plain type")
    if len(families) > 1 and set(families) not in ({"integer", "float"}, {"integer", "decimal"}):
        pair = " and ".join(reprlib.repr(value) for value in list(families.values())[:2])
        raise _refusal(name, f"mixes values of several types: {pair}", "give it values of one type")
    if "datetime" in families:
        _check_instants(name, values)
    if "list" in families:
        _families(name, [item for value in values if not _is_missing(value) for item in value])
    return {family for family in families if family is not None}


def _is_missing(value: Any) -> bool:
    """Whether a value is NULL: None, NaN, pandas' NaT or NA."""
    if value is None:
        return True
    try:
        return bool(value != value)  # noqa: PLR0124
    except (TypeError, ValueError):  # pandas' NA has no truth; arrays have several
        return type(value).__name__ == "NAType"


def _family(kind: type) -> str | None:
    """The family of Arrow types that a Python type belongs to; None where Arrow would change or guess the value."""
    if kind.__module__ == "numpy" and kind.__name__.startswith(("datetime", "timedelta", "longdouble", "complex")):
        return None
    for family, types in _FAMILIES.items():
        if issubclass(kind, types):
            return family
    return {"bool_": "boolean", "bool": "boolean", "ndarray": "list"}.get(kind.__name__)


_FAMILIES: dict[str, type | tuple[type, ...]] = {
    "boolean": bool,
    "integer": Integral,
    "decimal": Decimal,
    "float": Real,
    "text": str,
    "bytes": (bytes, bytearray, memoryview),
    "datetime": datetime,
    "date": date,
    "time": time,
    "list": (list, tuple),
    "struct": Mapping,
    "uuid": UUID,
}


def _check_instants(name: str, values: Iterable[Any]) -> None:
    """Refuses what Arrow would change in datetimes: a missing zone would become UTC, nanoseconds would be cut."""
    instants = [value for value in values if isinstance(value, datetime) and not _is_missing(value)]
    aware = sum(value.tzinfo is not None for value in instants)
    if 0 < aware < len(instants):
        raise AsknownError(
            "spine-time",
            f"the spine's column '{name}' mixes timestamps with a time zone ({aware}) "
            f"and without ({len(instants) - aware})",
            hint="make all of them aware, or all of them naive (then they are UTC)",
        )
    for value in instants:
        if getattr(value, "nanosecond", 0):
            raise _refusal(name, f"holds an instant that is not a whole microsecond: {value}", "round it down yourself")


# ---------------------------------------------------------------- types


def _exact(name: str, array: Any) -> Any:
    """The array in a type that every engine reads without a change."""
    try:
        _check_type(name, array.type)
        return _fitted(array)
    except pa.ArrowInvalid as error:
        raise _refusal(name, f"is {array.type}: {_first_line(error)}", "cast it to a type that holds it") from None


def _fitted(array: Any) -> Any:
    kind = array.type
    if pa.types.is_float16(kind):
        return array.cast(pa.float32())
    if pa.types.is_decimal256(kind):
        return array.cast(pa.decimal128(38, kind.scale))
    if pa.types.is_date64(kind):
        import pyarrow.compute as pc  # takes a twentieth of a second to import

        milliseconds = array.cast(pa.int64())
        if pc.any(pc.not_equal(pc.multiply(pc.divide(milliseconds, _DAY_MS), _DAY_MS), milliseconds)).as_py():
            raise pa.ArrowInvalid("a date with a time of day")
        return array.cast(pa.date32())
    if pa.types.is_time64(kind) and kind.unit == "ns":
        return array.cast(pa.time64("us"), safe=True)
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        try:
            return array.cast(pa.timestamp("us", kind.tz), safe=True)
        except pa.ArrowInvalid:
            return array
    return array


def _check_type(name: str, kind: Any) -> None:
    """Refuses types that engines read as something else: a length of time, an interval, an extension."""
    if isinstance(kind, pa.BaseExtensionType):
        if getattr(kind, "extension_name", "") not in _EXTENSIONS:
            what = str(getattr(kind, "extension_name", kind)).removeprefix("pandas.")
            raise _refusal(name, f"is of the type {what}", _INSTEAD.get(what, "convert it to a plain type"))
    elif pa.types.is_duration(kind):
        raise _refusal(name, "is a duration", "convert it to a number: df[name].dt.total_seconds()")
    elif pa.types.is_union(kind):
        raise _refusal(name, "is a union of types", "give it values of one type")
    elif pa.types.is_dictionary(kind):
        _check_type(name, kind.value_type)
    elif pa.types.is_struct(kind):
        for field in kind:
            _check_type(name, field.type)
    elif pa.types.is_nested(kind) and not pa.types.is_map(kind):
        _check_type(name, kind.value_type)


_INSTEAD = {
    "period": "convert it to instants: df[name].dt.to_timestamp()",
    "interval": "give its start and end as two columns",
}


def _refusal(name: str, reason: str, hint: str) -> AsknownError:
    return AsknownError("spine", f"the spine's column '{name}' {reason}", hint=hint)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _article(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


# ---------------------------------------------------------------- out


def to_pandas(table: pa.Table) -> Any:
    """The table as a pandas frame, with the dtypes that the online answer has too.

    Integers are ``Int64`` (unsigned ones of 64 bits ``UInt64``) and booleans ``boolean``, with or without missing
    values; decimals, and integers of 128 bits, are ``decimal.Decimal`` objects; the rest is pandas' own choice.
    """
    try:
        import pandas as pd
    except ImportError:
        raise AsknownError("missing-extra", "pandas is not installed", hint="pip install 'asknown[pandas]'") from None
    dtypes = {pa.uint64(): pd.UInt64Dtype(), pa.bool_(): pd.BooleanDtype()}

    def choose(kind: pa.DataType) -> Any:
        return pd.Int64Dtype() if pa.types.is_integer(kind) and kind != pa.uint64() else dtypes.get(kind)

    for place, field in enumerate(table.schema):
        if pa.types.is_integer(field.type) and field.type != pa.uint64():
            table = table.set_column(place, field.name, table.column(place).cast(pa.int64()))
    return table.to_pandas(types_mapper=choose)


def to_polars(table: pa.Table) -> Any:
    """The table as a polars frame."""
    try:
        import polars as pl
    except ImportError:
        raise AsknownError("missing-extra", "polars is not installed", hint="pip install 'asknown[polars]'") from None
    return pl.from_arrow(table)
