"""The state of one running application: the open table, the threads for long reads, and whether it is ready."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from asknown.addresses import Address, StoreAddress
from asknown.errors import AsknownError
from asknown.online.reader import OnlineReader
from asknown.serve.answers import Written
from asknown.serve.limits import Limits
from asknown.serve.log import Entry, ServiceWriter
from asknown.serve.problems import ProblemError
from asknown.serve.read import Ask, Prepared, Reading

if TYPE_CHECKING:
    from asknown.online.answer import OnlineResponse
    from asknown.online.nodes import OnlineService, Owner, StoredView
    from asknown.serve.app import Call
    from asknown.store.push import PushWriter

_T = TypeVar("_T")

_AGAIN = 0.02  # seconds after which a query that should stop is stopped again


class State:
    """The table of ``owner`` at ``file``. It is opened by :meth:`startup`, or by the first request that needs it."""

    def __init__(
        self,
        file: Address,
        limits: Limits,
        *,
        owner: Owner | None = None,
        logs: Mapping[str, ServiceWriter] | None = None,
        pushes: PushWriter | None = None,
    ) -> None:
        self.limits = limits
        self.pushes = pushes
        self.logs = logs or {}
        self.draining = False
        self._file = file
        self._owner = owner
        self._reading: Reading | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._warm: object = None

    @property
    def reading(self) -> Reading:
        """The open table. Errors: ``no-online``, ``online-corrupt``, ``online-layout``, ``online-owner``."""
        if self._reading is None:
            self._reading = Reading(OnlineReader(self._file, owner=self._owner), self.limits)
        return self._reading

    async def startup(self) -> None:
        """Opens the table if it is there."""
        with suppress(AsknownError, ProblemError):  # /readyz says so until it can be read
            await self.aside(self.check_ready)

    async def shutdown(self) -> None:
        """Ends the threads, writes what waits of pushes and logs, and closes the table."""
        if self._threads is not None:
            self._threads.shutdown(wait=True)
            self._threads = None
        if self.pushes is not None:
            await asyncio.to_thread(self.pushes.close)
        for writer in self.logs.values():
            await asyncio.to_thread(writer.close)
        if self._reading is not None:
            self._reading.reader.close()
            self._reading = None

    async def read_aside(self, ask: Ask) -> tuple[Prepared, OnlineResponse]:
        """The answer to a request that takes long, read in a thread, for so long as the limits say."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.limits.threads, "asknown-read")
        return await _in_thread(self._threads, self.reading, ask, self.limits.read)

    async def aside(self, look: Callable[[], _T]) -> _T:
        """The findings of ``look`` in the table, in a thread where a server has it: the loop does not wait for one."""
        return await asyncio.to_thread(look) if isinstance(self._file, StoreAddress) else look()

    def services(self) -> Mapping[str, OnlineService]:
        """The services in the table. Opens the table."""
        return self.reading.services()

    def views(self) -> Mapping[str, StoredView]:
        """The views in the table. Opens the table."""
        return self.reading.reader.views()

    def log(self, ask: Ask, call: Call, prepared: Prepared, response: OnlineResponse, written: Written) -> None:
        """Logs an answer, where it is that of a service that is logged."""
        writer = self.logs.get(ask.references[0]) if len(ask.references) == 1 else None
        if writer is None or not len(response):
            return
        token = None if call.token is None else call.token.name
        values, given = response.answer.values, response.given
        writer.add(
            Entry(
                call.request_id,
                response.at,
                response.seq,
                token,
                prepared,
                given,
                values,
                written.statuses,
                len(response),
            )
        )

    def check_ready(self) -> None:
        """Raises what keeps the process from being ready: a table that cannot be read, or a drain.

        After each load it reads every service once, with keys that no row has.
        """
        if self.draining:
            raise ProblemError("draining", "The process is about to end.")
        reading = self.reading
        views, services = reading.reader.views(), reading.services()
        loads = ({name: stored.load_id for name, stored in views.items()}, services)
        if loads == self._warm:
            return
        for name in services:
            request = reading.resolve([name])
            row: dict[str, Any] = dict.fromkeys([*request.keys(), *request.inputs()])
            try:
                reading.read(Ask((name,), [row], False, None, lambda row=row: [row]))  # type: ignore[misc]
            except AsknownError as error:
                if error.code not in ("engine", "beyond-ahead"):  # the row's fault, or the clock's
                    raise
        self._warm = loads


async def _in_thread(
    threads: ThreadPoolExecutor, reading: Reading, ask: Ask, seconds: float
) -> tuple[Prepared, OnlineResponse]:
    """A read in a thread. After so many seconds, waiting for the thread included, its query is stopped."""
    loop = asyncio.get_running_loop()
    where: list[int] = []

    def read() -> tuple[Prepared, OnlineResponse]:
        where.append(threading.get_ident())
        return reading.read(ask)

    work = threads.submit(read)
    try:
        return await asyncio.wait_for(asyncio.wrap_future(work), seconds)
    except TimeoutError:
        if not work.cancel():
            _stop(loop, reading, work, where)
        raise ProblemError(
            "overloaded", f"The read took longer than {seconds:g} seconds.", hint="ask for fewer rows at a time"
        ) from None


def _stop(loop: asyncio.AbstractEventLoop, reading: Reading, work: Future[Any], where: list[int]) -> None:
    """Interrupts the thread's query until its work is over: a read may try again with another query."""
    if work.done():
        return
    if where:
        reading.reader.interrupt(where[0])
    loop.call_later(_AGAIN, _stop, loop, reading, work, where)
