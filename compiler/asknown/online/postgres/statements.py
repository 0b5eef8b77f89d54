"""The statements of a transaction. Those whose rows nobody needs wait for the next that has rows, and all go together.

So a push takes as many round trips as it has questions. This calls libpq itself, as :class:`connect.Held` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult

from asknown.online.postgres.connect import Held

Bound = Sequence[bytes | None]

_ROWS = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
_MOST_WAITING = 100


class Statements:
    """The statements of one transaction on a connection; ``prepare`` says whether they may be prepared and piped."""

    def __init__(self, held: Held, *, prepare: bool) -> None:
        self.held = held
        self.said = ""
        """The server's word for the last statement: COMMIT, say."""
        self._prepare = prepare
        self._waiting: list[tuple[bytes, Bound, bool]] = []

    def later(self, text: str, *bound: bytes | None, once: bool = False) -> None:
        """Runs a statement before the next one that has rows; ``once``: it will not come again."""
        self._waiting.append((text.encode(), bound, once))
        if len(self._waiting) >= _MOST_WAITING:
            self.flush()

    def rows(self, text: str, *bound: bytes | None) -> list[tuple[Any, ...]]:
        """The rows of a query, after the statements that wait."""
        self._waiting.append((text.encode(), bound, False))
        return self.flush()

    def flush(self) -> list[tuple[Any, ...]]:
        """Runs the statements that wait: the rows of the last."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return []
        results = self._pipe(waiting) if self._prepare else [self._run(*one) for one in waiting]
        self.said = (results[-1].command_status or b"").decode()
        return self.held.load(results[-1])

    def undo(self) -> None:
        """Forgets the statements that wait, and rolls the transaction back."""
        self._waiting.clear()
        if self.held.connection.pgconn.status == ConnStatus.OK:
            with suppress(psycopg.Error):
                self.held.connection.pgconn.exec_(b"ROLLBACK")

    def _run(self, text: bytes, bound: Bound, _: bool) -> PGresult:
        pgconn = self.held.connection.pgconn
        result = pgconn.exec_params(text, bound, None, None, Format.BINARY)
        if result.status not in _ROWS:
            raise self.held.failure(result)
        return result

    def _pipe(self, waiting: Sequence[tuple[bytes, Bound, bool]]) -> list[PGresult]:
        """Sends all statements, and takes all results."""
        pgconn, held = self.held.connection.pgconn, self.held
        held.make_room()
        new = {text for text, _, once in waiting if not once and held.known(text) is None}
        names = {
            text: held.name_for(text) if text in new else held.known(text) for text, _, once in waiting if not once
        }
        preparing = set(new)
        pgconn.enter_pipeline_mode()
        kept: list[bool] = []  # of each result: whether it is that of a statement
        results: list[PGresult] = []
        try:
            for text, bound, once in waiting:
                name = None if once else names[text]
                if name is not None and text in preparing:
                    preparing.remove(text)
                    pgconn.send_prepare(name, text)
                    kept.append(False)
                if name is None:
                    pgconn.send_query_params(text, bound, None, None, Format.BINARY)
                else:
                    pgconn.send_query_prepared(name, bound, None, Format.BINARY)
                kept.append(True)
            pgconn.pipeline_sync()
            while (result := held.next_result()) is None or result.status != ExecStatus.PIPELINE_SYNC:
                if result is not None:
                    results.append(result)
                elif pgconn.status != ConnStatus.OK:
                    break
        finally:
            with suppress(psycopg.Error):
                pgconn.exit_pipeline_mode()
        failed = next((result for result in results if result.status not in _ROWS), None)
        if failed is not None or len(results) != len(kept):
            for text in new:  # it may not have come to them
                held.forget(text)
            if failed is not None:
                raise held.failure(failed)
            held.close()
            raise psycopg.OperationalError("the connection was lost")
        return [result for result, is_kept in zip(results, kept, strict=True) if is_kept]
