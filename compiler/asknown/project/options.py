"""The options of targets: one type for each engine that runs, and one for those that asknown only writes SQL for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

IN_MEMORY = ":memory:"


@dataclass(frozen=True)
class DuckDBOptions:
    """A DuckDB file by its absolute path or address, or a database in memory."""

    type: ClassVar[str] = "duckdb"
    path: str = IN_MEMORY
    threads: int | None = None
    memory_limit: str | None = None
    temp_directory: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class PostgresOptions:
    """A Postgres server by its ``dsn``, or by the parts of one under libpq's names."""

    type: ClassVar[str] = "postgres"
    dsn: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    dbname: str | None = None
    connect_timeout: int | None = None
    sslmode: str | None = None
    sslrootcert: str | None = None
    sslcert: str | None = None
    sslkey: str | None = None
    schema: str | None = None
    role: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ClickHouseOptions:
    """A ClickHouse server by its ``dsn`` or ``host``, or an engine in this process over the folder ``path``."""

    type: ClassVar[str] = "clickhouse"
    path: str | None = None
    dsn: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    database: str | None = None
    secure: bool | None = None
    verify: bool | None = None
    ca_cert: str | None = None
    connect_timeout: int | None = None
    send_receive_timeout: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class SparkOptions:
    """Spark Connect at ``remote``, or a session of this process for ``master``, with tables in ``warehouse``."""

    type: ClassVar[str] = "spark"
    remote: str | None = field(default=None, repr=False)
    master: str | None = None
    catalog: str | None = None
    schema: str | None = None
    warehouse: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class UnreadOptions:
    """The options of a target of another ``type``: no engine runs there, and nothing reads them."""

    type: str
    values: Mapping[str, Any] = field(repr=False)


Options: TypeAlias = DuckDBOptions | PostgresOptions | ClickHouseOptions | SparkOptions | UnreadOptions
