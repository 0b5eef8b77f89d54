"""Starts Spark's Java program on this machine, and keeps from the terminal what it writes at every start."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Mapping
from typing import IO

AT_EVERY_START = re.compile(
    rb"WARNING: Using incubator modules: jdk\.incubator\.vector"
    rb"|Using Spark's default log4j profile: .*"
    rb'|Setting (default|Spark) log level to "\w+"\.'
    rb"|To adjust logging level use sc\.setLogLevel.*"
    rb"|.* WARN Utils: Your hostname, .*, resolves to a loopback address: .*"
    rb"|.* WARN Utils: Set SPARK_LOCAL_IP if you need to bind to another address"
    rb"|.* WARN NativeCodeLoader: Unable to load native-hadoop library for your platform\.\.\. .*"
)
"""Lines that say nothing about the project, the data or the machine's health."""


def start_driver(settings: Mapping[str, str]) -> None:
    """Starts a Spark context in this process, unless Java runs for it already.

    What Java writes to stderr goes to ours, line by line, but for the lines of :data:`AT_EVERY_START`.
    """
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway

    if SparkContext._gateway is not None:
        return
    conf = SparkConf()
    for name, value in settings.items():
        conf.set(name, value)
    reading, writing = os.pipe()
    stderr = _Relay(os.fdopen(reading, "rb", buffering=0))
    try:
        gateway = launch_gateway(conf, {"stderr": writing})
    finally:
        os.close(writing)
    SparkContext(conf=conf, gateway=gateway)
    stderr.starting = False


class _Relay:
    """A thread that copies a pipe to stderr, without the lines of every start.

    While Spark starts, it waits for whole lines. Afterwards it copies at once, because a progress bar has no lines.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        self.starting = True
        self._pipe = pipe
        threading.Thread(target=self._copy, name="asknown-spark-stderr", daemon=True).start()

    def _copy(self) -> None:
        held = b""
        while chunk := self._pipe.read(65_536):
            *lines, held = (held + chunk).splitlines(keepends=True) if self.starting else (held + chunk, b"")
            if held.endswith(b"\n"):
                lines, held = [*lines, held], b""
            _write(b"".join(line for line in lines if not AT_EVERY_START.fullmatch(line.rstrip())))
        _write(held)


def _write(text: bytes) -> None:
    """Writes to the terminal itself, as Java would: ``sys.stderr`` may be another's for a while."""
    with contextlib.suppress(OSError):
        while text:
            text = text[os.write(2, text) :]
