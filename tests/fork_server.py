"""Runs commands in forks of one process that has imported asknown, so that a command starts in milliseconds.

``tests/forked.py`` starts it as ``python fork_server.py SOCKET``. A command connects, and sends what it was started
with: its words, folder, environment, umask and three streams. A fork runs the command with them, and a second one
tells the command the id of the first, and how it ended.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import marshal
import os
import pkgutil
import select
import signal
import socket
import struct
import sys
import threading
import time
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

NOT_IMPORTED = ("asknown.__main__", "asknown.store.samples")  # the latter imports pandas, which few commands do
PATH = sys.path[1:]  # without the folder of this file
STREAMS = 3


@dataclass(frozen=True)
class Start:
    """What a process is started with, besides its streams."""

    words: list[str]
    folder: str
    environment: dict[str, str]
    umask: int


def import_asknown() -> None:
    """Imports what commands import. No import may start a thread, because a fork would not have it."""
    import asknown

    for module in pkgutil.walk_packages(asknown.__path__, "asknown."):
        if module.name not in NOT_IMPORTED:
            importlib.import_module(module.name)
    for name in ("duckdb", "pyarrow.compute", "pyarrow.csv", "pyarrow.parquet", "rich.table", "sqlite3", "zoneinfo"):
        importlib.import_module(name)
    threads = len(list(Path("/proc/self/task").iterdir()))
    assert threads == 1, f"imports of asknown started {threads - 1} threads"


def accept(listener: socket.socket) -> socket.socket | None:
    """Forks for each command that connects: its connection in each fork, and None at the end of stdin."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for these forks
    while True:
        ready, _, _ = select.select([sys.stdin, listener], [], [])
        if sys.stdin in ready:
            return None
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return connection
        connection.close()


def fork_command(connection: socket.socket) -> Start:
    """Returns in a fork that has the command's streams. The process that forked never returns from here."""
    size, streams, _, _ = socket.recv_fds(connection, 4, STREAMS)
    (length,) = struct.unpack("i", size)
    sent = b""
    while len(sent) < length:
        sent += connection.recv(length - len(sent))
    start = Start(*marshal.loads(sent))
    if (pid := os.fork()) == 0:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(STREAMS, 256)
        return start
    for stream in streams:
        os.close(stream)
    connection.sendall(struct.pack("i", pid))
    ready, _, _ = select.select([os.pidfd_open(pid), connection], [], [])
    if connection in ready:  # the command has been killed
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    try:
        connection.sendall(struct.pack("i", os.waitstatus_to_exitcode(status)))
    finally:
        os._exit(0)


def run(start: Start) -> None:
    """Makes this process one that was started so, and runs the program to its end, which is the process's."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(start.folder)
    os.umask(start.umask)
    os.environ.clear()
    os.environ.update(start.environment)
    time.tzset()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        setattr(sys, name, _stream(number, getattr(sys, name)))
        setattr(sys, f"__{name}__", getattr(sys, name))
    try:
        _run_program(*start.words)
    except SystemExit as end:
        _end(end.code)
    except BaseException as error:
        below = error.__traceback__ and error.__traceback__.tb_next
        sys.excepthook(type(error), error, below and below.tb_next)
        if isinstance(error, KeyboardInterrupt):
            _end(-signal.SIGINT)
        _end(1)
    _end(0)


def _run_program(program: str, *words: str) -> None:
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    match program, words:
        case "asknown", _:
            sys.argv, sys.path = [program, *words], [str(Path(sys.executable).parent), *PATH]
            importlib.import_module("asknown.cli").main()
        case "python", ("-c", code, *rest):
            sys.argv, sys.path = ["-c", *rest], ["", *PATH]
            exec(compile(code, "<string>", "exec"), main.__dict__)
        case _:
            raise ValueError(f"no fork runs {program} {words}")


def _end(code: object) -> None:
    """Ends the process as Python does, but for the quarter of a second in which it would free all that is imported."""
    if not (code is None or isinstance(code, int)):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    failed = False
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            failed = True
    if code is not None and code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(120 if failed else code or 0)


def _stream(number: int, was: TextIO) -> TextIO:
    """A standard stream as Python opens it: with the encoding that the server's own has."""
    unbuffered = number > 0 and bool(os.environ.get("PYTHONUNBUFFERED"))
    binary = open(number, "wb" if number else "rb", buffering=0 if unbuffered else -1, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(
        binary,
        was.encoding,
        was.errors,
        newline="\n" if number else None,
        line_buffering=number == 2 or os.isatty(number),
        write_through=unbuffered,
    )


def main(path: str) -> None:
    """Serves until stdin ends."""
    import_asknown()
    gc.freeze()  # a fork looks at its own objects only
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        connection = accept(listener)
    if connection is not None:
        run(fork_command(connection))


if __name__ == "__main__":
    main(sys.argv[1])
