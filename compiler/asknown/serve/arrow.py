"""The answer of ``/v1/features`` as an Arrow stream: the request's columns, the features, their statuses and times."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa

from asknown.engines.arrow import arrow_type
from asknown.errors import AsknownError
from asknown.serve.answers import Written, statuses_of
from asknown.serve.read import Prepared
from asknown.serve.wire import spell_moment

if TYPE_CHECKING:
    from asknown.online.answer import OnlineResponse
    from asknown.types import SqlType

_STATUS = pa.dictionary(pa.int8(), pa.string())
_TIME = pa.timestamp("us", "UTC")


def write_arrow(prepared: Prepared, response: OnlineResponse) -> Written:
    """The stream. The instant of the read and the last push it saw are in the schema's metadata."""
    answer = response.answer
    fields: list[pa.Field] = []
    arrays: list[pa.Array] = []

    def add(name: str, array: pa.Array) -> None:
        fields.append(pa.field(name, array.type))
        arrays.append(array)

    kinds = {**prepared.fields.keys, **prepared.fields.inputs}
    features = set(prepared.names)
    for name, values in response.to_dict().items():
        if name not in features:
            add(name, _given(name, values, kinds.get(name)))
    for output, values in zip(answer.outputs, answer.values, strict=True):
        add(output.name, column_array(values, output.column.type))
    (statuses, counts), times = statuses_of(prepared, answer), response.event_timestamps()
    for output, column in zip(answer.outputs, statuses, strict=True):
        add(f"{output.name}__status", pa.array(column, pa.string()).dictionary_encode().cast(_STATUS))
        add(f"{output.name}__timestamp", pa.array(times[output.name], _TIME))
    at = spell_moment(response.at.astimezone(UTC).replace(tzinfo=None))
    schema = pa.schema(fields, metadata={"at": at, "seq": str(response.seq)})
    stream = BytesIO()
    with pa.ipc.new_stream(stream, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return Written(stream.getvalue(), statuses, counts)


def _given(name: str, values: list[Any], kind: SqlType | None) -> pa.Array:
    try:
        return pa.array(values) if kind is None else column_array(values, kind)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        raise AsknownError(
            "bad-value",
            f"the values of the request's column '{name}' are of no one Arrow type",
            hint="leave the column out, or ask for JSON",
        ) from None


def column_array(values: list[Any], kind: SqlType) -> pa.Array:
    """The Arrow array of a column of the reader's values."""
    wanted = arrow_type(kind)
    if wanted is None:
        raise AsknownError("bad-value", f"Arrow has no type for {kind}", hint="ask for JSON")
    return pa.array([_plain(value) for value in values] if _needs(kind) else values, wanted)


def _needs(kind: SqlType) -> bool:
    """Whether pyarrow does not take the Python values of the type as they are."""
    if kind.element is not None:
        return _needs(kind.element)
    return kind.kind == "uuid" or (kind.kind == "integer" and kind.bits > 64) or any(_needs(t) for _, t in kind.fields)


def _plain(value: Any) -> Any:
    match value:
        case UUID():
            return str(value)
        case bool():
            return value
        case int():
            return Decimal(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
    return value
