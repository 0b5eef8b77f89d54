"""Reads the messages of a topic as rows: JSON, Avro as Confluent frames it, and Debezium's change events.

Values are those of the message, exactly: a row's check (rules 7 and 8) decides whether they fit the source.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from asknown.errors import AsknownError
from asknown.instants import EPOCH, from_microseconds, parse_moment
from asknown.json_text import read_json as read_text

Messages = Literal["json", "avro", "debezium"]

Decode = Callable[[bytes], dict[str, Any]]
"""From a message's bytes to a row. Raises :class:`MessageError` with the reason why it is none."""


class MessageError(Exception):
    """The reason why a message is no row."""


def decoder(messages: Messages, settings: dict[str, str]) -> Decode:
    """The function that reads messages. It takes the registry's settings out of ``settings``. Raises ``bad-value``."""
    url = settings.pop("schema.registry.url", None)
    login = settings.pop("basic.auth.user.info", None)
    match messages:
        case "json":
            return read_json
        case "debezium":
            return read_debezium
        case "avro":
            if url is None:
                raise AsknownError(
                    "bad-value",
                    "messages of Avro need the schema registry's address",
                    hint="write schema.registry.url=http://… into a file, and give it: --config FILE",
                )
            return AvroMessages(url, login)


def read_json(value: bytes) -> dict[str, Any]:
    """The JSON object that a message is."""
    try:
        row = read_text(value)
    except ValueError as error:
        raise MessageError(f"it is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise MessageError("it is JSON, but not an object")
    return row


# -- Debezium ----------------------------------------------------------------------------------------------------------


def read_debezium(value: bytes) -> dict[str, Any]:
    """The row after the change that a message tells of. Its schema, if there is one, says how to read times."""
    message = read_json(value)
    schema, change = message.get("schema"), message.get("payload", message)
    if not isinstance(change, dict) or "after" not in change:
        raise MessageError("it is no change event: it has no 'after'")
    row = change["after"]
    if row is None:
        raise MessageError("it tells of a deletion, and pushed rows cannot be deleted")
    if not isinstance(row, dict):
        raise MessageError("its 'after' is no object")
    if isinstance(schema, dict):
        for name, convert in _converters(schema).items():
            if row.get(name) is not None:
                try:
                    row[name] = convert(row[name])
                except (TypeError, ValueError, ArithmeticError):
                    raise MessageError(f"'{name}' is {row[name]!r}, which is not what its schema says") from None
    return row


def _converters(schema: Mapping[str, Any]) -> dict[str, Callable[[Any], Any]]:
    """By column of the row after the change: the function that reads its values, where JSON says them otherwise."""
    fields = next((f.get("fields") or [] for f in schema.get("fields") or [] if f.get("field") == "after"), [])
    found: dict[str, Callable[[Any], Any]] = {}
    for field in fields:
        name, kind = field.get("field"), field.get("name")
        if kind == "org.apache.kafka.connect.data.Decimal":
            found[name] = _decimal_reader(int((field.get("parameters") or {}).get("scale", 0)))
        elif kind in _DEBEZIUM:
            found[name] = _DEBEZIUM[kind]
    return found


def _decimal_reader(scale: int) -> Callable[[str], Decimal]:
    """The reader of decimals that are the bytes of a whole number, in base 64."""

    def read(text: str) -> Decimal:
        whole = int.from_bytes(base64.b64decode(text, validate=True), "big", signed=True)
        return Decimal(whole).scaleb(-scale)

    return read


def _from_milliseconds(count: int) -> datetime:
    return from_microseconds(count * 1_000)


def _from_nanoseconds(count: int) -> datetime:
    if count % 1_000:
        raise ValueError("it is no whole microsecond")
    return from_microseconds(count // 1_000)


def _from_days(count: int) -> date:
    return (EPOCH + timedelta(days=count)).date()


def _from_text(text: str) -> datetime:
    return parse_moment(text).astimezone(UTC).replace(tzinfo=None)


_DEBEZIUM: Mapping[str, Callable[[Any], Any]] = {
    "io.debezium.time.Timestamp": _from_milliseconds,
    "io.debezium.time.MicroTimestamp": from_microseconds,
    "io.debezium.time.NanoTimestamp": _from_nanoseconds,
    "org.apache.kafka.connect.data.Timestamp": _from_milliseconds,
    "io.debezium.time.ZonedTimestamp": _from_text,
    "io.debezium.time.Date": _from_days,
    "org.apache.kafka.connect.data.Date": _from_days,
}


# -- Avro --------------------------------------------------------------------------------------------------------------


class AvroMessages:
    """Reads messages of Avro: a zero byte, the number of a schema in the registry at ``url``, the row."""

    def __init__(self, url: str, login: str | None = None) -> None:
        try:
            import fastavro
        except ImportError:
            raise AsknownError(
                "missing-extra", "fastavro is not installed", hint="type: pip install 'asknown[kafka]'"
            ) from None
        self._avro = fastavro
        self._url, self._login = url.rstrip("/"), login
        self._schemas: dict[int, Any] = {}

    def __call__(self, value: bytes) -> dict[str, Any]:
        """The row of a message."""
        from io import BytesIO

        if len(value) < 5 or value[0] != 0:
            raise MessageError("it does not begin with a zero byte and the number of a schema")
        number = int.from_bytes(value[1:5], "big")
        schema = self._schemas.get(number) or self._schemas.setdefault(number, self._fetch(number))
        try:
            row = self._avro.schemaless_reader(BytesIO(value[5:]), schema, None)
        except Exception as error:  # whatever the bytes make the library say
            raise MessageError(f"it is no row of schema {number}: {type(error).__name__}: {error}") from None
        if not isinstance(row, dict):
            raise MessageError(f"schema {number} is of no record")
        return {name: _in_utc(item) for name, item in row.items()}

    def _fetch(self, number: int) -> Any:
        """The schema with a number. Raises ``kafka`` where the registry does not give it."""
        import urllib.request

        request = urllib.request.Request(f"{self._url}/schemas/ids/{number}")
        if self._login is not None:
            request.add_header("authorization", "Basic " + base64.b64encode(self._login.encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = json.load(answer)["schema"]
        except (OSError, ValueError, KeyError) as error:
            raise AsknownError(
                "kafka",
                f"the schema registry at {self._url} does not give schema {number}: {error}",
                hint="check schema.registry.url in the file of --config",
            ) from None
        return self._avro.parse_schema(json.loads(text))


def _in_utc(value: Any) -> Any:
    """An instant with a zone as one in UTC without, as a TIMESTAMP column has it."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) and value.tzinfo else value
