"""The protocol of an engine, and the table of the engines there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

from asknown.dialects.dialect import Dialect
from asknown.dialects.registry import find_dialect
from asknown.errors import AsknownError
from asknown.model.nodes import Call
from asknown.project.nodes import Target
from asknown.project.options import (
    ClickHouseOptions,
    DuckDBOptions,
    Options,
    PostgresOptions,
    SparkOptions,
)
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
    """The facts of an engine's session: its version, more facts as (name, value), and what it lacks. No secrets."""

    version: str
    facts: tuple[tuple[str, str], ...]
    missing: tuple[str, ...] = ()
    zone: str = "UTC"
    """The zone in which others write times without a zone there, as far as the server says."""


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

    def stream(self, sql: str, *, wide: bool = False) -> pa.RecordBatchReader:
        """The rows of a result, in order, in batches; larger than memory.

        ``wide``: the query's joins and sorts carry many columns, as :attr:`PlanRules.wide` says.
        """

    def write_file(self, sql: str, path: Path, *, wide: bool = False) -> int:
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
class Connected(Protocol):
    """An engine on a server, whose connection may end at any time."""

    def is_open(self) -> bool:
        """Whether the connection still serves. One that has been idle for a while is tried."""


@runtime_checkable
class TellsCalls(Protocol):
    """An engine that tells how it reads a query."""

    def calls(self, sql: str, functions: Set[str]) -> list[Call] | None:
        """The calls of some functions in a query; None if the engine cannot tell of this query."""


_Options = TypeVar("_Options", bound=Options)
_Options_contra = TypeVar("_Options_contra", bound=Options, contravariant=True)


class EngineClass(Protocol[_Options_contra]):
    """How an engine is opened. ``writable`` is for `asknown run`, and ``root`` is the project's folder."""

    def __call__(self, target: Target[_Options_contra], root: Path, *, writable: bool = False) -> Engine: ...


@dataclass(frozen=True)
class EngineRow(Generic[_Options]):
    """An engine: the options of its targets, and the function that imports its class."""

    options: type[_Options]
    load: Callable[[], EngineClass[_Options]]

    def open(self, target: Target[Options], root: Path, *, writable: bool) -> Engine:
        """The engine of a target with these options, open."""
        options = target.options
        assert isinstance(options, self.options)
        return self.load()(Target(target.name, options, target.at), root, writable=writable)


def _clickhouse() -> EngineClass[ClickHouseOptions]:
    from asknown.engines.clickhouse import ClickHouse

    return ClickHouse


def _duckdb() -> EngineClass[DuckDBOptions]:
    from asknown.engines.duckdb import DuckDB

    return DuckDB


def _postgres() -> EngineClass[PostgresOptions]:
    from asknown.engines.postgres import Postgres

    return Postgres


def _spark() -> EngineClass[SparkOptions]:
    from asknown.engines.spark import Spark

    return Spark


ENGINES: Mapping[str, EngineRow[Any]] = {
    "clickhouse": EngineRow[ClickHouseOptions](ClickHouseOptions, _clickhouse),
    "duckdb": EngineRow[DuckDBOptions](DuckDBOptions, _duckdb),
    "postgres": EngineRow[PostgresOptions](PostgresOptions, _postgres),
    "spark": EngineRow[SparkOptions](SparkOptions, _spark),
}
"""The engines that run, by the type of their targets. Each is imported when a target names it."""


def open_engine(target: Target[Options], root: Path, *, writable: bool = False) -> Engine:
    """The engine of a target of the project in ``root``, open. ``writable`` where models are to be built in it."""
    if target.type not in ENGINES:
        find_dialect(target.type)
        raise AsknownError(
            "not-yet",
            f"asknown writes SQL for {target.type} but does not run it",
            at=target.at,
            hint=f"asknown compile NAME --dialect {target.type}; targets that run: {', '.join(ENGINES)}",
        )
    return ENGINES[target.type].open(target, root, writable=writable)
