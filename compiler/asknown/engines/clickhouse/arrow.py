"""ClickHouse's Arrow columns as Arrow columns of exactly the type that describing them gives."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from asknown.durations import DAY
from asknown.engines import arrow
from asknown.engines.clickhouse.types import Called, read_enum, read_fields, read_type, to_sql_type
from asknown.errors import AsknownError

# What to cast to, by the head of a type that cannot be kept.
_CASTS = {"DateTime64": "TIMESTAMP", "Int256": "HUGEINT", "UInt256": "HUGEINT", "BFloat16": "FLOAT"}


def arrow_type(text: str, *, column: str) -> pa.DataType:
    """The Arrow type of a column that ClickHouse calls ``text``. Raises ``unsupported-type``, with a cast to write."""
    called, kind = read_type(text), to_sql_type(text)
    match kind.kind:
        case "list":
            return pa.list_(pa.field("l", arrow_type(called.arguments[0], column=column)))  # as DuckDB calls it
        case "struct":
            fields = read_fields(called.arguments)
            return pa.struct([pa.field(name, arrow_type(field, column=column)) for name, field in fields])
        case "text" if called.head in ("Enum8", "Enum16"):
            return pa.dictionary(pa.uint8() if len(called.arguments) <= 256 else pa.uint16(), pa.string())
    if (found := arrow.arrow_type(kind)) is None:
        raise _unsupported(text, column)
    return found


def _unsupported(text: str, column: str) -> AsknownError:
    called = read_type(text)
    nearest = _CASTS.get(called.head, "VARCHAR")
    if called.head == "Decimal":
        nearest = f"DECIMAL(38,{min(int(called.arguments[-1]), 38)})"
    return AsknownError(
        "unsupported-type",
        f"column '{column}' has ClickHouse's type {text}, which cannot be kept exactly",
        hint=f"cast it, as in: cast({column} as {nearest}) as {column}",
    )


def convert(array: pa.Array, text: str, wanted: pa.DataType, *, column: str) -> pa.Array:
    """A column as ClickHouse sends it, whose type it calls ``text``, as one of the type ``wanted``."""
    if pa.types.is_union(array.type):  # a Variant of one type: its values lie apart, the others are NULL
        array = _without_union(array)
    if pa.types.is_string(wanted) and pa.types.is_string(array.type):
        return _checked_text(array, column)
    if array.type == wanted:
        return array
    called = read_type(text)
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), wanted)
    if pa.types.is_list(wanted):
        values = convert(array.values, called.arguments[0], wanted.value_type, column=column)
        return _rebuilt(wanted, array, [array.buffers()[1]], [values])
    if pa.types.is_struct(wanted):
        kinds = [kind for _, kind in read_fields(called.arguments)]
        children = [
            convert(array.field(place), kind, wanted.field(place).type, column=column)
            for place, kind in enumerate(kinds)
        ]
        return _rebuilt(wanted, array, [], children)
    if pa.types.is_dictionary(wanted):
        return _from_codes(array, called, wanted)
    if pa.types.is_decimal(wanted):
        return _from_wide(array, called, wanted, column)
    if pa.types.is_string(wanted):
        return _from_uuids(array)
    return _from_time(array, wanted, column)


def _rebuilt(wanted: pa.DataType, array: pa.Array, buffers: list[pa.Buffer], children: list[pa.Array]) -> pa.Array:
    """``array`` with other children."""
    return pa.Array.from_buffers(
        wanted, len(array), [array.buffers()[0], *buffers], array.null_count, array.offset, children
    )


def _without_union(array: pa.Array) -> pa.Array:
    """The one type of values in a dense union, with NULLs where another is."""
    place = next((i for i in range(array.type.num_fields) if not pa.types.is_null(array.type.field(i).type)), 0)
    code = array.type.type_codes[place]
    chosen = pc.equal(array.type_codes, pa.scalar(code, pa.int8()))
    where = pc.if_else(chosen, array.offsets, pa.scalar(None, pa.int32()))
    return array.field(place).take(where)


def _checked_text(array: pa.Array, column: str) -> pa.Array:
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        raise AsknownError(
            "unsupported-type",
            f"column '{column}' holds bytes that are not UTF-8 text",
            hint=f"write hex({column}) as {column}, or toValidUTF8({column}) in ClickHouse's own SQL",
        ) from None
    return array


def _from_codes(array: pa.Array, called: Called, wanted: pa.DataType) -> pa.Array:
    values = sorted(read_enum(argument) for argument in called.arguments)
    codes = pa.array([code for code, _ in values], array.type)
    places = pc.index_in(array, value_set=codes).cast(wanted.index_type)
    return pa.DictionaryArray.from_arrays(places, pa.array([name for _, name in values], pa.string()))


def _from_wide(array: pa.Array, called: Called, wanted: pa.DataType, column: str) -> pa.Array:
    """128-bit integers: the bits of a decimal without fraction are the same."""
    if not pa.types.is_fixed_size_binary(array.type):
        return array.cast(wanted)
    validity, bits = array.buffers()
    result = pa.Array.from_buffers(wanted, len(array), [validity, bits], array.null_count, array.offset)
    if called.head == "UInt128" and pc.min(result).as_py() is not None and pc.min(result).as_py() < 0:
        raise AsknownError("unsupported-type", f"column '{column}' holds a number above 2^127", hint="cast it to text")
    return result


def _from_uuids(array: pa.Array) -> pa.Array:
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    texts = [None if value is None else value.hex() for value in storage.to_pylist()]
    return pa.array([t and f"{t[:8]}-{t[8:12]}-{t[12:16]}-{t[16:20]}-{t[20:]}" for t in texts], pa.string())


def _from_time(array: pa.Array, wanted: pa.DataType, column: str) -> pa.Array:
    """Dates, times and timestamps: ClickHouse counts days, seconds or parts of seconds, in more than one width."""
    if pa.types.is_date(wanted):
        return array.cast(pa.int32()).cast(wanted)
    if pa.types.is_time(wanted):
        ticks = array.cast(pa.time64("us")) if pa.types.is_time(array.type) else array
        _check_day(ticks.cast(pa.int64()), column)
        return ticks
    seconds = array if pa.types.is_timestamp(array.type) else array.cast(pa.int64()).cast(pa.timestamp("s"))
    zone = seconds.type.tz
    if seconds.type.unit != wanted.unit:
        seconds = seconds.cast(pa.timestamp(wanted.unit, zone))
    return seconds.view(wanted)


def _check_day(ticks: pa.Array, column: str) -> None:
    least, most = pc.min(ticks).as_py(), pc.max(ticks).as_py()
    if least is not None and (least < 0 or most >= DAY):
        raise AsknownError(
            "unsupported-type",
            f"column '{column}' holds a time of day outside 00:00 to 24:00",
            hint="cast it to VARCHAR",
        )
