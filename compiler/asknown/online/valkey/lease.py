"""A lock on the server: a key with a token, which a thread renews, and which goes by itself if its holder dies."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from datetime import UTC, datetime

from asknown.addresses import StoreAddress
from asknown.durations import spell
from asknown.errors import AsknownError
from asknown.online.remote.store import OnWait
from asknown.online.valkey.connect import AwayError, Server
from asknown.online.valkey.replies import ReplyError
from asknown.online.valkey.scripts import ACQUIRE, RELEASE, RENEW

_KEPT = 10_000  # milliseconds that a lock stays without its holder
_PAUSES = (0.002, 0.05)  # seconds between attempts, the first and the longest


class Lease:
    """A lock that this process holds. ``token`` is what the key says while it does.

    ``written`` is the token of the last transaction that was committed before. ``left`` are tokens of this process
    that it could not take back when it was done, because the server was away: a lock that has one of them is free.
    """

    def __init__(
        self, server: Server, name: bytes, written: bytes, address: StoreAddress, *, left: list[bytes]
    ) -> None:
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        holder = f"process {os.getpid()} on {socket.gethostname()}, since {since} UTC"
        self.token = f"{secrets.token_hex(8)} {holder}".encode()
        self.written = b""
        self.lost = False
        self._server = server
        self._name = name
        self._written = written
        self._address = address
        self._left = left
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self, wait: float, on_wait: OnWait | None) -> None:
        """Waits up to ``wait`` seconds for the lock; ``on_wait`` is told for whom, once."""
        deadline, pause, told = time.monotonic() + wait, _PAUSES[0], False
        while not self._take():
            left = deadline - time.monotonic()
            if left <= 0:
                longer = f", and has not finished within {_seconds(wait)}" if wait else ""
                raise AsknownError(
                    "online-write",
                    f"another process is writing to the {self._address}{self._holder()}{longer}",
                    hint="run it again when that has finished, or wait longer: asknown materialize --wait '10 minutes'",
                )
            if on_wait is not None and not told:
                on_wait(
                    f"another process is writing to the {self._address}{self._holder()}; "
                    f"waiting for it, {_seconds(wait)} at most"
                )
            told = True
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, _PAUSES[1])

    def keep(self) -> None:
        """Renews the lock in a thread until it is released."""
        self._thread = threading.Thread(target=self._renew, name="asknown-lease", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Renews the lock no longer."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def release(self) -> bool:
        """Gives the lock up, if this process still has it: whether the server has heard of it.

        A commit that is still on its way is refused from then on. On a server that is away the lock goes by itself.
        """
        self.stop()
        try:
            self._server.run(RELEASE, [self._name], [self.token])
        except (AwayError, ReplyError):
            self._left.append(self.token)
            return False
        return True

    def _take(self) -> bool:
        given = [self.token, b"%d" % _KEPT, *self._left]
        try:
            try:
                taken, self.written = self._server.run(ACQUIRE, [self._name, self._written], given)
            except AwayError as error:  # it may have been taken: then the script finds its own token
                if not error.again:
                    raise
                taken, self.written = self._server.run(ACQUIRE, [self._name, self._written], given)
        except AwayError:
            self._left.append(self.token)
            raise
        if taken:
            self._left.clear()
        return bool(taken)

    def _renew(self) -> None:
        renewed = time.monotonic()
        while not self._ended.wait(_KEPT / 3_000):
            try:
                if not self._server.run(RENEW, [self._name], [self.token, b"%d" % _KEPT]):
                    self.lost = True
                    return
                renewed = time.monotonic()
            except (AwayError, ReplyError):
                if time.monotonic() - renewed > _KEPT / 1_000:
                    self.lost = True
                    return

    def _holder(self) -> str:
        said = self._server.call(b"GET", self._name)
        _, _, holder = (said or b"").decode(errors="replace").partition(" ")
        return f" ({holder})" if holder else ""


def _seconds(wait: float) -> str:
    return spell(round(wait * 1_000_000))
