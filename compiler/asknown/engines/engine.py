"""The protocol of an engine: the methods that the store calls."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from asknown.dialects.dialect import Dialect
from asknown.model.nodes import Call
from asknown.types import SqlType

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class LoadedSpine:
    """Where a spine was put. ``row`` is a column that counts its rows, for engines that keep no order of rows."""

    relation: str
    row: str | None = None


@dataclass(frozen=True)
class EngineCheck:
    """What an engine says of its session: its version, more facts as (name, value), and what it lacks. No secrets."""

    version: str
    facts: tuple[tuple[str, str], ...]
    missing: tuple[str, ...] = ()


class Engine(Protocol):
    """A connection to where the data is. Not shared between threads."""

    dialect: Dialect
    keeps_builds: bool
    """Whether what :meth:`build` makes outlives the session."""

    def describe(self, sql: str) -> list[tuple[str, SqlType]]:
        """The names and types of the columns that a query gives, without running it."""

    def load_spine(self, data: pa.Table) -> LoadedSpine:
        """Puts a spine where queries can read it."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a small result."""

    def stream(self, sql: str) -> pa.RecordBatchReader:
        """The rows of a result, in order, in batches; larger than memory."""

    def write_file(self, sql: str, path: Path) -> int:
        """Writes a result to a Parquet or CSV file, whole or not at all, and gives the number of rows."""

    def build(self, name: str, sql: str, *, kind: str) -> None:
        """Makes the table or view ``name`` from a query, in place of an older one."""

    def built(self) -> Sequence[str]:
        """The tables and views that :meth:`build` can have made."""

    def check(self) -> EngineCheck:
        """Facts about the session."""

    def close(self) -> None:
        """Lets go of the connection and of what it holds."""


@runtime_checkable
class WritesFolders(Protocol):
    """An engine of many machines, which write a result side by side."""

    def write_folder(self, sql: str, url: str) -> int:
        """Writes a result to a new folder of Parquet files and gives the number of rows."""


@runtime_checkable
class TellsCalls(Protocol):
    """An engine that tells how it reads a query."""

    def calls(self, sql: str, functions: Set[str]) -> list[Call] | None:
        """The calls of some functions in a query; None if the engine cannot tell of this query."""
