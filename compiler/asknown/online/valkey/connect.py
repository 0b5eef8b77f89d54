"""Connections to the server: one for each thread, none shared across a fork, opened again once when one breaks.

No message here has the server's address in it, because a password may be part of that.
"""

from __future__ import annotations

import os
import socket
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from asknown.errors import AsknownError
from asknown.online.remote.forks import ForkedLock
from asknown.online.valkey.replies import ProtocolError, Replies, ReplyError

Command = Sequence[bytes]

TIMEOUT = 5.0  # seconds that a connection, or an answer, may take
_AT_ONCE = 1_000  # commands that are sent before their answers are read, so that no buffer fills


class AwayError(Exception):
    """The server cannot be reached, or the connection broke: whether it ran the last command is not known.

    ``again`` says that another attempt may help: a connection that had been open for a while has broken.
    """

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.again = again


def pack(*parts: bytes) -> bytes:
    """A command as the protocol writes it."""
    packed = [b"*%d\r\n" % len(parts)]
    for part in parts:
        packed.append(b"$%d\r\n" % len(part))
        packed.append(part)
        packed.append(b"\r\n")
    return b"".join(packed)


@dataclass(frozen=True)
class Script:
    """A Lua script, and its digest, by which the server finds it."""

    text: bytes
    digest: bytes


def make_script(text: str) -> Script:
    """The script of this text."""
    from hashlib import sha1

    data = text.encode()
    return Script(data, sha1(data, usedforsecurity=False).hexdigest().encode())


@dataclass(frozen=True, eq=False, weakref_slot=True, slots=True)
class _Connection:
    """A connection of one thread of one process. ``client`` is the library's, which has opened it and logged in."""

    process: int
    thread: int
    client: Any
    socket: socket.socket
    replies: Replies


class Server:
    """The server at ``url``. May be shared by threads."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self._local = threading.local()
        self._lock = ForkedLock()
        self._open: list[weakref.ref[_Connection]] = []
        self._closed = False
        self._stopped: set[int] = set()
        try:
            from valkey import connection, exceptions
        except ImportError as error:
            raise AsknownError(
                "missing-extra",
                "an online table on Valkey or Redis needs the package valkey",
                hint="type: pip install 'asknown[valkey]'",
            ) from error
        self._slow = (exceptions.TimeoutError, TimeoutError)
        self._broken = (exceptions.ConnectionError, exceptions.TimeoutError, ProtocolError, OSError)
        self._refused = (exceptions.ResponseError, exceptions.AuthenticationError, exceptions.BusyLoadingError)
        try:
            options: dict[str, Any] = dict(connection.parse_url(url))
        except ValueError:
            raise AsknownError(
                "bad-value",
                "'url' of 'online' cannot be read as the address of a Valkey or Redis server",
                hint="write it like valkey://host:6379/0, valkeys://… with TLS, or unix:///run/valkey.sock",
            ) from None  # the cause repeats a part of the address, which may hold a secret
        self._make: Callable[..., Any] = options.pop("connection_class", connection.Connection)
        self._options = {"socket_timeout": timeout, "socket_connect_timeout": timeout, **options}
        self._options["decode_responses"] = False

    def call(self, *parts: bytes) -> Any:
        """The answer to a command that may be repeated. A broken connection is opened again, once."""
        return self.ask(pack(*parts))

    def ask(self, packed: bytes) -> Any:
        """As :meth:`call`, for a command that is packed."""
        try:
            return self._exchange(packed)
        except AwayError as error:
            if not error.again:
                raise
            return self._exchange(packed)

    def call_once(self, *parts: bytes) -> Any:
        """The answer to a command that must not be repeated. Raises :class:`AwayError` if the connection breaks."""
        return self._exchange(pack(*parts))

    def pipe(self, commands: Iterable[bytes], *, once: bool = False) -> list[Any]:
        """The answers to packed commands, which may be repeated unless they are to run ``once``.

        Raises the first refusal.
        """
        some, answers = list(commands), []
        for start in range(0, len(some), _AT_ONCE):
            part = some[start : start + _AT_ONCE]
            try:
                answers += self._exchange_all(part)
            except AwayError as error:
                if once or start or not error.again:
                    raise
                answers += self._exchange_all(part)
        return answers

    def pipe_whole(self, commands: Sequence[bytes]) -> list[Any]:
        """As :meth:`pipe`, for commands of one MULTI, which must not be repeated and go out together."""
        return self._exchange_all(commands)

    def run(self, script: Script, keys: Sequence[bytes], arguments: Sequence[bytes]) -> Any:
        """The answer of a script, which the server is told if it does not know it. It is not repeated."""
        given = (b"%d" % len(keys), *keys, *arguments)
        try:
            return self.call_once(b"EVALSHA", script.digest, *given)
        except ReplyError as error:
            if error.code != "NOSCRIPT":
                raise
            return self.call_once(b"EVAL", script.text, *given)

    def close(self) -> None:
        """Closes the connections of all threads."""
        with self._lock:
            self._closed = True
            held, self._open = self._open, []
        self._local = threading.local()
        for one in held:
            connection = one()
            if connection is not None and connection.process == os.getpid():
                with suppress(*self._broken):
                    connection.client.disconnect()

    def interrupt(self, thread: int) -> None:
        """Breaks the connection of a thread, so that a call that waits for an answer ends with an error."""
        with self._lock:
            found = [there for one in self._open if (there := one()) is not None]
            mine = [there for there in found if there.thread == thread and there.process == os.getpid()]
            self._stopped.update((thread,) if mine else ())
        for connection in mine:
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)

    # -- one connection ------------------------------------------------------------------------------------------

    def _exchange(self, packed: bytes) -> Any:
        connection = self._connection()
        try:
            connection.socket.sendall(packed)
            return connection.replies.read()
        except ReplyError:
            raise
        except self._broken as error:
            raise self._broke(connection, error) from error
        except BaseException:  # an interrupt between question and answer: the next answer would be this one's
            self._drop(connection)
            raise

    def _exchange_all(self, commands: Sequence[bytes]) -> list[Any]:
        connection = self._connection()
        refused: ReplyError | None = None
        answers: list[Any] = []
        try:
            connection.socket.sendall(b"".join(commands))
            read = connection.replies.read
            for _ in commands:
                try:
                    answers.append(read())
                except ReplyError as error:
                    refused = refused or error
        except self._broken as error:
            raise self._broke(connection, error) from error
        except BaseException:
            self._drop(connection)
            raise
        if refused is not None:
            raise refused
        return answers

    def _connection(self) -> _Connection:
        held: _Connection | None = getattr(self._local, "held", None)
        process = os.getpid()
        if held is not None and held.process == process:
            return held
        if self._closed:
            raise ValueError("the online table is closed")
        try:
            made = self._make(**self._options)
            made.connect()
        except self._refused as error:
            raise ReplyError(_text_of(error)) from None
        except self._broken as error:
            raise AwayError(_text_of(error)) from error
        held = _Connection(process, threading.get_ident(), made, made._sock, Replies(made._sock))
        self._local.held = held
        with self._lock:
            # Connections of ended threads are closed when the thread's storage goes.
            alive = [one for one in self._open if (there := one()) is not None and there.process == process]
            self._open = [*alive, weakref.ref(held)]
        return held

    def _broke(self, connection: _Connection, error: Exception) -> AwayError:
        self._drop(connection)
        if threading.get_ident() in self._stopped:
            self._stopped.discard(threading.get_ident())
            return AwayError("the call was stopped")
        slow = isinstance(error, self._slow)
        return AwayError("it did not answer in time" if slow else str(error), again=not slow)

    def _drop(self, connection: _Connection) -> None:
        self._local.held = None
        with self._lock:
            self._open = [one for one in self._open if one() is not connection]
        with suppress(*self._broken):
            connection.client.disconnect()


def _text_of(error: BaseException) -> str:
    """The server's words. valkey-py cuts the code from those that it has a class for."""
    code = _CODES.get(type(error).__name__)
    text = str(error)
    return text if code is None or text.startswith(code) else f"{code} {text}"


_CODES = {
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "NoScriptError": "NOSCRIPT",
    "NoPermissionError": "NOPERM",
    "AuthenticationError": "NOAUTH",
    "BusyLoadingError": "LOADING",
    "ExecAbortError": "EXECABORT",
}
