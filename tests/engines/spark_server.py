"""Spark for tests: a session in this process, a Spark Connect server, and a cluster of two executors."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

SMALL = {"spark.driver.memory": "2g", "spark.sql.shuffle.partitions": "2"}
if "ASKNOWN_SPARK_CODEGEN" not in os.environ:
    SMALL["spark.sql.codegen.wholeStage"] = "false"  # to compile code for so few rows takes longer than to read them
FOR_FLIGHTS = {"spark.driver.memory": "9g", "spark.sql.shuffle.partitions": "8"}
"""For the queries of the whole example, whose rows outweigh the compiling of code for them."""
PATIENCE = 120


def local_options(warehouse: Path, **more: str) -> dict[str, Any]:
    """What a profile says for a session of this process, which keeps its tables below ``warehouse`` and forgets them.

    Sessions of one process share what is set when Spark starts: the first one's warehouse.
    """
    return {"master": "local[2]", "settings": {**SMALL, "spark.sql.warehouse.dir": str(warehouse), **more}}


@cache
def one_warehouse() -> Path:
    """The folder that sessions of this process keep their tables below; whoever stops the session removes it."""
    return Path(tempfile.mkdtemp(prefix="asknown-spark-warehouse-"))


@contextmanager
def run_here() -> Iterator[dict[str, Any]]:
    """What a profile says for the session of this process, which is stopped afterwards."""
    options = {**local_options(one_warehouse()), "schema": "main"}
    if "ASKNOWN_FLIGHTS" in os.environ:
        options["settings"] = {**FOR_FLIGHTS, "spark.sql.warehouse.dir": str(one_warehouse())}
    try:
        yield options
    finally:
        from pyspark.sql import SparkSession

        if session := SparkSession.getActiveSession() or SparkSession._instantiatedSession:
            session.stop()
        shutil.rmtree(one_warehouse(), ignore_errors=True)
        one_warehouse.cache_clear()


@contextmanager
def run_connect(folder: Path) -> Iterator[int]:
    """The port of a Spark Connect server that runs meanwhile, as a program of its own. It logs below ``folder``."""
    import pyspark

    home = Path(pyspark.__file__).parent
    settings = {
        **SMALL,
        "spark.connect.grpc.binding.port": "0",  # any that is free
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    command = [str(home / "bin" / "spark-submit"), "--master", "local[2]"]
    command += [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
    environment = {**os.environ, "SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable}
    with (folder / "connect.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
        try:
            yield _port_of(server, folder / "connect.log")
        finally:
            server.terminate()
            server.wait(30)


def _port_of(server: subprocess.Popen[bytes], log: Path) -> int:
    """The port that the server says it listens on, once it says so."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        if found := re.search(r"Spark Connect server started at: \S+:(\d+)", log.read_text()):
            return int(found[1])
        time.sleep(0.3)
    raise RuntimeError(f"Spark Connect does not start:\n{log.read_text()[-2000:]}")
