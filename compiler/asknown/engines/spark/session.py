"""Opens a Spark session for a target: over Spark Connect, in a cluster, the one that runs already, or its own."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import socket
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from asknown.dialects.spark import SETTINGS
from asknown.engines.spark.driver import start_driver
from asknown.engines.spark.errors import first_line
from asknown.errors import AsknownError
from asknown.project.nodes import Target
from asknown.project.options import SparkOptions

EXTRA = "pip install 'asknown[spark]'"
THREAD = "asknown-spark"  # the name of the threads that talk to Spark for us
PATIENCE = 10.0  # seconds until a server that does not answer is given up

SparkTarget: TypeAlias = Target[SparkOptions]
SparkSession: TypeAlias = Any  # pyspark's, which is imported when it is used

PINS = {
    **SETTINGS,
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
}
"""The settings that results depend on. Every session gets them."""

_OWN = {
    "spark.app.name": "asknown",
    "spark.log.level": "OFF",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "8",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
"""A local session that asknown starts: it writes nothing to the terminal and listens to no other machine."""


def open_session(target: SparkTarget, *, writable: bool) -> SparkSession:
    """A session of its own, pinned. Raises ``missing-extra``, or ``engine`` where none answers."""
    _check_options(target)
    _require_library(target)
    _hush()
    if remote := target.options.remote:
        session = _connect(target, remote)
    else:
        session = _join_or_start(target, writable=writable)
    for name, value in {**target.options.settings, **PINS}.items():
        _set(session, name, value, target)
    _use(session, target, writable=writable)
    return session


def is_remote(session: SparkSession) -> bool:
    """Whether the session is a client of Spark Connect, and has no JVM beside it."""
    return type(session).__module__.startswith("pyspark.sql.connect")


def _check_options(target: SparkTarget) -> None:
    if target.options.remote and target.options.master:
        raise AsknownError(
            "wrong-type",
            f"target '{target.name}' has both 'remote' and 'master': it connects to a server, or is a driver itself",
            at=target.at,
            hint="remove one of them",
        )


def _require_library(target: SparkTarget) -> None:
    needed = ("pyspark", "grpc", "pandas") if target.options.remote else ("pyspark",)
    for library in needed:
        if importlib.util.find_spec(library) is None:
            raise AsknownError("missing-extra", f"{library} is not installed, which Spark needs", hint=EXTRA)
    import pyspark

    if int(pyspark.__version__.partition(".")[0]) < 4:
        raise AsknownError("missing-extra", f"pyspark {pyspark.__version__} is older than Spark 4", hint=EXTRA)


def _hush() -> None:
    """Keeps pyspark from writing our errors to the terminal as well: what goes wrong is told once, by us."""
    from pyspark.logger import PySparkLogger

    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logger = PySparkLogger.getLogger(name)
        if _is_not_ours not in logger.filters:
            logger.addFilter(_is_not_ours)


def _is_not_ours(record: logging.LogRecord) -> bool:
    return not (record.threadName or "").startswith(THREAD)


def _connect(target: SparkTarget, url: str) -> SparkSession:
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.client import DefaultChannelBuilder
    from pyspark.sql.connect.session import SparkSession as RemoteSession

    try:
        channel = DefaultChannelBuilder(url)
    except PySparkException:  # the message would repeat the address, with its token
        raise AsknownError(
            "wrong-type",
            f"'remote' of target '{target.name}' is no address of Spark Connect",
            at=target.at,
            hint="remote: sc://host:15002",
        ) from None
    where = str(channel.endpoint)
    host, _, port = where.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except OSError as error:
        raise _no_connection(target, f"{where}: {error.strerror or error}") from None
    if not _speaks_grpc(channel):  # Spark would try again for ten minutes
        raise _no_connection(target, f"{where}: something else answers there, or expects another kind of connection")
    try:
        session = RemoteSession.builder.remote(url).create()
        session.version  # noqa: B018  the first word with the server
    except Exception as error:
        reason = first_line(error).replace(url.partition(";")[2] or url, "…")
        raise _no_connection(target, f"{where}: {reason}") from None
    return session


def _speaks_grpc(channel: Any) -> bool:
    from pyspark.sql.connect.client.core import grpc  # what pyspark speaks through

    asking = channel.toChannel()
    try:
        grpc.channel_ready_future(asking).result(timeout=PATIENCE)
    except grpc.FutureTimeoutError:
        return False
    finally:
        asking.close()
    return True


def _no_connection(target: SparkTarget, why: str) -> AsknownError:
    return AsknownError(
        "engine",
        f"target '{target.name}' does not reach Spark Connect at {why}",
        at=target.at,
        hint="check the host, the port and the token in 'remote', and that the server runs: "
        "start-connect-server.sh listens on 15002",
    )


def _join_or_start(target: SparkTarget, *, writable: bool) -> SparkSession:
    import pyspark
    import pyspark.sql

    running = pyspark.SparkContext._active_spark_context is not None
    builder = pyspark.sql.SparkSession.builder
    settings: dict[str, str] = {}
    if not running:
        _require_java(target)
        settings = _start_settings(target, writable=writable)
        for name, value in settings.items():
            builder = builder.config(name, value)
    try:
        if settings and not _asks_for_connect(settings):
            start_driver(settings)
        session = builder.getOrCreate()
    except Exception as error:
        raise AsknownError(
            "engine",
            f"Spark does not start for target '{target.name}': {first_line(error)}",
            at=target.at,
            hint="check 'master' and 'settings', and that Java 17 or newer runs: java -version",
        ) from None
    master = target.options.master
    if running and master and session.conf.get("spark.master", None) != master:
        raise AsknownError(
            "engine",
            f"target '{target.name}' needs master {master}, "
            "but a Spark session with another master already runs in this process",
            at=target.at,
            hint="stop it first: spark.stop()",
        )
    return session.newSession()


def _asks_for_connect(settings: Mapping[str, str]) -> bool:
    """Whether pyspark would make a client of Spark Connect, and so start no driver of its own here."""
    from pyspark.util import is_remote_only

    mode = settings.get("spark.api.mode", os.environ.get("SPARK_API_MODE", ""))
    return is_remote_only() or "SPARK_REMOTE" in os.environ or mode.lower() == "connect"


def _require_java(target: SparkTarget) -> None:
    home = os.environ.get("JAVA_HOME")
    if not shutil.which(str(Path(home) / "bin" / "java") if home else "java"):
        raise AsknownError(
            "engine",
            f"target '{target.name}' needs Java to start Spark, and Java is not installed"
            + (" where JAVA_HOME points" if home else ""),
            at=target.at,
            hint="install Java 17 or newer (apt-get install openjdk-17-jre-headless), or set JAVA_HOME",
        )


def _start_settings(target: SparkTarget, *, writable: bool) -> dict[str, str]:
    options = target.options
    master = options.master or ""
    local = master.startswith("local") or (not master and "SPARK_REMOTE" not in os.environ)
    settings = dict(_OWN) if local else {"spark.app.name": "asknown"}
    if master:
        settings["spark.master"] = master
    if options.warehouse:
        settings["spark.sql.warehouse.dir"] = options.warehouse
        if local:  # tables are remembered in the folder too
            folder = Path(options.warehouse)
            folder.mkdir(parents=True, exist_ok=True)
            settings["spark.sql.catalogImplementation"] = "hive"
            settings["spark.hadoop.javax.jdo.option.ConnectionURL"] = (
                f"jdbc:derby:;databaseName={folder / 'metastore_db'};create=true"
            )
            settings["spark.driver.extraJavaOptions"] = f"-Dderby.stream.error.file={folder / 'derby.log'}"
    elif writable and local and "spark.sql.warehouse.dir" not in options.settings:
        raise AsknownError(
            "missing-key",
            f"target '{target.name}' has nowhere to store tables",
            at=target.at,
            hint="warehouse: spark-warehouse",
        )
    return {**settings, **options.settings}


def _set(session: SparkSession, name: str, value: str, target: SparkTarget) -> None:
    from pyspark.errors import PySparkException

    try:
        if str(session.conf.get(name, None)).removeprefix("file:") == value:
            return  # what is set when Spark starts cannot be set again, not even to the same
        session.conf.set(name, value)
    except PySparkException as error:
        fixed = "CANNOT_MODIFY" in (error.getCondition() or "")
        raise AsknownError(
            "wrong-type",
            f"Spark does not take the setting {name}" + ("" if fixed else ": " + first_line(error).replace(value, "…")),
            at=target.at,
            hint="it can only be set when Spark starts, and this session already runs" if fixed else None,
        ) from None


def _use(session: SparkSession, target: SparkTarget, *, writable: bool) -> None:
    from pyspark.errors import PySparkException

    def use_schema(name: str) -> None:
        if writable:
            session.sql(f"CREATE SCHEMA IF NOT EXISTS {quote(name)}")
        session.catalog.setCurrentDatabase(name)

    steps: tuple[tuple[str, str | None, Callable[[str], None]], ...] = (
        ("catalog", target.options.catalog, session.catalog.setCurrentCatalog),
        ("schema", target.options.schema, use_schema),
    )
    for option, name, use in steps:
        if name is None:
            continue
        try:
            use(name)
        except PySparkException as error:
            raise AsknownError(
                "no-data",
                f"target '{target.name}' has no {option} '{name}': {first_line(error)}",
                at=target.at,
                hint=f"correct '{option}', or create it in Spark",
            ) from None


def quote(name: str) -> str:
    """A name as Spark quotes it."""
    return "`" + name.replace("`", "``") + "`"
