"""Pushes the messages of a Kafka topic into a source, each once: the offsets are written with the rows.

A transaction of the online table has rows and the offsets behind them, so that a crash can lose neither and a restart
goes on where the table says. The broker keeps no offsets for us, and no message is skipped in silence: one that cannot
be read stops the work, or is written to a file of bad messages first.
"""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from asknown.errors import AsknownError
from asknown.project.nodes import SourceTable
from asknown.serve.messages import Decode, MessageError, Messages

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

    from asknown.store.push import PushWriter
    from asknown.store.push_answers import PushAnswer

_AT_ONCE = 1_000  # messages in one transaction
_WAIT = 0.2  # seconds for the first message
_LOOK_EVERY = 30.0  # seconds between two looks for new partitions
_TIMEOUT = 10.0  # seconds for the broker's first answer
_OURS = ("auto.offset.reset", "bootstrap.servers", "enable.auto.commit", "enable.auto.offset.store")
_COUNTED = ("rows", "new", "older", "late", "duplicates", "skipped")


@dataclass(frozen=True)
class Topic:
    """A topic by its brokers (``host:port, …``) and name."""

    brokers: str
    name: str


def parse_topic(url: str) -> Topic:
    """The topic of ``kafka://host:9092,other:9092/topic``. Raises ``bad-value``."""
    parts = urlsplit(url)
    name = parts.path.strip("/")
    if parts.scheme != "kafka" or not parts.netloc or not name or "/" in name or "@" in parts.netloc:
        raise AsknownError(
            "bad-value", f"'{url}' is no address of a topic" if "@" not in parts.netloc else
            "the address of a topic has no name or password",
            hint="write kafka://host:9092/topic; names and passwords go into the file of --config",
        )  # fmt: skip
    return Topic(parts.netloc, name)


def read_config(path: Path) -> dict[str, str]:
    """The settings of librdkafka in a file of lines ``name=value``. Raises ``bad-value``, which shows no value."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise AsknownError("bad-value", f"{path} cannot be read: {why}", hint="--config FILE") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, sign, value = (part.strip() for part in line.partition("="))
        if not sign or not name:
            raise AsknownError("bad-value", f"{path}, line {number} is no setting", hint="write name=value")
        if name in _OURS:
            raise AsknownError(
                "bad-value",
                f"{path}, line {number} sets {name}, which asknown sets itself",
                hint="leave it out: the online table keeps the offsets",
            )
        found[name] = value
    return found


def check_ids(table: SourceTable, messages: Messages) -> None:
    """Raises ``push-source`` where changes of one row would be taken for repeats, because they have its id."""
    if messages == "debezium" and table.push is not None and table.push.id is not None:
        raise AsknownError(
            "push-source",
            f"change events of one row all have its '{table.push.id}', and a second one would count as a repeat",
            at=table.at,
            hint="leave 'id' out of push: each event is then known by its topic, partition and offset",
        )


@dataclass
class Taken:
    """The counts of what was pushed so far, by outcome, and of the messages that were ``bad``."""

    counts: Counter[str] = field(default_factory=Counter)
    bad: int = 0

    def add(self, answer: PushAnswer) -> None:
        """Adds an answer's counts."""
        self.counts.update({name: getattr(answer, name) for name in _COUNTED})


class TopicReader:
    """A consumer of all partitions of a topic. Close it, or use it in a ``with`` block."""

    def __init__(self, topic: Topic, config: Mapping[str, str]) -> None:
        try:
            import confluent_kafka
        except ImportError:
            raise AsknownError(
                "missing-extra", "confluent-kafka is not installed", hint="type: pip install 'asknown[kafka]'"
            ) from None
        self._kafka = confluent_kafka
        self.topic = topic
        settings: dict[str, Any] = {
            "group.id": "asknown",
            "client.id": "asknown",
            "log_level": 0,
            **config,
            "bootstrap.servers": topic.brokers,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
        }
        try:
            self._consumer: Consumer = confluent_kafka.Consumer(settings)
        except (confluent_kafka.KafkaException, TypeError, ValueError) as error:
            raise AsknownError(
                "bad-value", f"Kafka's client refuses its settings: {_reason(error)}", hint="see the file of --config"
            ) from None
        self._assigned: set[int] = set()
        self._look_at = 0.0
        self.key = ""

    def begin(self, offsets_of: Callable[[str], Mapping[int, int]]) -> None:
        """Begins to read where ``offsets_of`` the topic, by its key in the table, says; else at the beginning."""
        cluster, partitions = self._partitions()
        self.key = f"{cluster}/{self.topic.name}"
        following = offsets_of(self.key)
        self._assign(partitions, following)

    def take(self) -> list[Message]:
        """The next messages; none where none came in a moment. Raises ``kafka`` where the topic cannot be read."""
        if time.monotonic() >= self._look_at:
            self._assign(self._partitions()[1] - self._assigned, {})
        found = []
        for message in self._consumer.consume(_AT_ONCE, timeout=_WAIT):
            error = message.error()
            if error is None:
                found.append(message)
            elif error.code() in (
                self._kafka.KafkaError._AUTO_OFFSET_RESET,
                self._kafka.KafkaError.OFFSET_OUT_OF_RANGE,
            ):
                raise AsknownError(
                    "kafka",
                    f"partition {message.partition()} of '{self.topic.name}' no longer has the next message: "
                    f"{error.str()}",
                    hint="the broker has removed messages that were not pushed; load them from the warehouse, "
                    "and push from a new topic",
                )
            elif error.fatal() or (error.code() > 0 and not error.retriable()):
                raise AsknownError("kafka", f"'{self.topic.name}' cannot be read: {error.str()}")
        return found

    def close(self) -> None:
        """Ends the consumer."""
        self._consumer.close()

    def __enter__(self) -> TopicReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _assign(self, partitions: set[int], following: Mapping[int, int]) -> None:
        self._look_at = time.monotonic() + _LOOK_EVERY
        if not partitions:
            return
        first = self._kafka.OFFSET_BEGINNING
        self._consumer.incremental_assign(
            [
                self._kafka.TopicPartition(self.topic.name, number, following.get(number, first))
                for number in sorted(partitions)
            ]
        )
        self._assigned |= partitions

    def _partitions(self) -> tuple[str, set[int]]:
        """The cluster's name and the topic's partitions."""
        try:
            found = self._consumer.list_topics(self.topic.name, timeout=_TIMEOUT)
        except self._kafka.KafkaException as error:
            raise AsknownError(
                "kafka",
                f"no broker answers at {self.topic.brokers}: {_reason(error)}",
                hint="check --from and --config",
            ) from None
        topic = found.topics[self.topic.name]
        if topic.error is not None:
            raise AsknownError(
                "kafka", f"'{self.topic.name}' cannot be read: {topic.error.str()}", hint="check the topic's name"
            )
        return str(found.cluster_id or self.topic.brokers), set(topic.partitions)


class TopicPush:
    """Pushes the messages of a topic into ``source``. ``taken`` counts what became of them.

    A message that is no row of the source raises ``kafka-message`` once those before it are pushed, or is written to
    the file ``bad``, where one is given.
    """

    def __init__(self, writer: PushWriter, source: str, decode: Decode, *, bad: Path | None = None) -> None:
        self._writer = writer
        self._source = source
        self._decode = decode
        self._bad = bad
        self._key = self._topic = ""
        self.taken = Taken()

    def run(self, reader: TopicReader, stop: threading.Event) -> None:
        """Pushes what ``reader`` brings until ``stop`` is set."""
        reader.begin(self._writer.offsets)
        self._key, self._topic = reader.key, reader.topic.name
        while not stop.is_set():
            messages = reader.take()
            if messages:
                self.push(messages)

    def push(self, messages: Sequence[Message]) -> None:
        """Pushes messages and the offsets behind them, in one transaction if all are rows."""
        rows, reasons = self._rows(messages)
        request = self._writer.prepare(
            self._source,
            [rows[place] for place in rows],
            partial=True,
            ids=[self._id(messages[place]) for place in rows],
        )
        places = list(rows)
        reasons |= {places[refused.row - 1]: refused.message for refused in request.refused}
        if reasons and self._bad is None:
            first = min(reasons)
            if first:
                self.push(messages[:first])
            raise self._no_row(messages[first], reasons[first])
        request.offsets = (self._key, _following(messages))
        self._keep_bad((messages[place], reasons[place]) for place in sorted(reasons))
        try:
            answer = self._writer.send(request).result()
        except AsknownError as error:
            if error.code not in ("push-row", "contract"):
                raise
            self._push_halves([messages[place] for place in places if place not in reasons], error)
            self._move_on(messages)
        else:
            self.taken.add(answer)
            self.taken.counts["rows"] -= len(request.refused)
        self.taken.bad += len(reasons)

    def _push_halves(self, messages: Sequence[Message], error: AsknownError) -> None:
        """Pushes rows among which is one that a view's SQL fails for, and finds it: each half is tried for itself."""
        if len(messages) > 1:
            middle = len(messages) // 2
            self.push(messages[:middle])
            self.push(messages[middle:])
            return
        (message,) = messages
        if self._bad is None:
            raise self._no_row(message, error.message)
        self._keep_bad([(message, error.message)])
        self.taken.bad += 1

    def _move_on(self, messages: Sequence[Message]) -> None:
        """Writes the offsets behind messages of which all rows are pushed."""
        request = self._writer.prepare(self._source, [])
        request.offsets = (self._key, _following(messages))
        self._writer.send(request).result()

    def _rows(self, messages: Sequence[Message]) -> tuple[dict[int, dict[str, Any]], dict[int, str]]:
        """By place: the rows of the messages, and the reasons why others are none."""
        rows: dict[int, dict[str, Any]] = {}
        reasons: dict[int, str] = {}
        for place, message in enumerate(messages):
            value = message.value()
            if value is None:
                reasons[place] = "it has no value, which means a deletion, and pushed rows cannot be deleted"
                continue
            try:
                rows[place] = self._decode(value)
            except MessageError as error:
                reasons[place] = str(error)
        return rows, reasons

    def _id(self, message: Message) -> str:
        """The id of a message's row, where its source has none."""
        return f"{self._topic}-{message.partition()}-{message.offset()}"

    def _keep_bad(self, messages: Iterable[tuple[Message, str]]) -> None:
        """Appends messages that are no rows to the file of bad ones, durably, before their offsets are written."""
        lines = [json.dumps(_shown(message, reason), ensure_ascii=False) for message, reason in messages]
        if not lines:
            return
        assert self._bad is not None
        try:
            with self._bad.open("a", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise AsknownError(
                "output", f"{self._bad} cannot be written: {error.strerror}", hint="--bad FILE"
            ) from None

    def _no_row(self, message: Message, reason: str) -> AsknownError:
        where = f"offset {message.offset()} of partition {message.partition()} of '{self._topic}'"
        return AsknownError(
            "kafka-message",
            f"the message at {where} is no row of '{self._source}': {reason}",
            hint="all before it are pushed; --bad FILE writes such messages there and goes on",
        )


def _following(messages: Sequence[Message]) -> dict[int, int]:
    """The next offset of each partition that the messages are of."""
    found: dict[int, int] = {}
    for message in messages:
        number, offset = message.partition(), message.offset()
        assert number is not None and offset is not None
        found[number] = max(found.get(number, 0), offset + 1)
    return found


def _shown(message: Message, reason: str) -> dict[str, Any]:
    """A message as plain values; bytes that are no text in base 64, under another name."""
    found: dict[str, Any] = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "why": reason,
    }
    for name, value in (("key", message.key()), ("value", message.value())):
        if isinstance(value, bytes):
            try:
                found[name] = value.decode()
            except UnicodeDecodeError:
                found[f"{name}_base64"] = base64.b64encode(value).decode()
        else:
            found[name] = value
    return found


def _reason(error: BaseException) -> str:
    """The client's own words, without its codes."""
    inner = error.args[0] if error.args else error
    return str(inner.str() if hasattr(inner, "str") else inner)
