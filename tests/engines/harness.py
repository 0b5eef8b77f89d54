"""Engines under test: how each is started, and how a test's tables get into it, by asknown's own hands."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

import forked
from asknown.engines.engine import open_engine
from asknown.errors import Where
from asknown.project.nodes import Target
from asknown.project.options import Options
from asknown.project.targets import read_target
from asknown.project.yaml import read_yaml


def run_asknown(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command in a folder, with more variables of the environment, and gives what came out."""
    return subprocess.run(
        [forked.asknown(), *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


LIGHT = ("postgres",)
"""Engines that start in a second and need little to install."""
HEAVY: tuple[str, ...] = ()


@dataclass(frozen=True)
class Warehouse:
    """A running engine: its target's type, and what a profile says to reach it. ``schema`` is where tables are put."""

    name: str
    options: Mapping[str, Any]
    schema: str = "main"

    def target(self, folder: Path) -> dict[str, Any]:
        """The target as profiles.yml has it, for a project in ``folder``."""
        return {"type": self.name, **self.options}

    def load(self, folder: Path, tables: Mapping[str, pa.Table]) -> None:
        """Makes the tables in the engine, in place of older ones of their names."""
        engine = open_engine(read_options(self.name, self.options, folder), folder, writable=True)
        try:
            for table, data in tables.items():
                loaded = engine.load_spine(data)
                columns = ", ".join(quote(self.name, column) for column in data.column_names)
                engine.build(table, f"SELECT {columns} FROM {loaded.relation}", kind="table")
        finally:
            engine.close()


def read_options(kind: str, options: Mapping[str, Any], root: Path, *, name: str = "dev") -> Target[Options]:
    """The target that line 3 of a profiles.yml describes with these options."""
    text = "\n\n" + json.dumps({"type": kind, **options})
    value = read_yaml(text.encode(), "profiles.yml", secret=True)
    assert value is not None
    return read_target(name, value, root, Where("profiles.yml", 3))


def quote(engine: str, name: str) -> str:
    """A quoted name, as the engine quotes."""
    mark = "`" if engine in ("spark", "clickhouse") else '"'
    return mark + name.replace(mark, mark * 2) + mark


@contextmanager
def started(name: str) -> Iterator[Warehouse]:
    """The engine called ``name``, running meanwhile."""
    match name:
        case "postgres":
            from engines.postgres_server import chosen_postgres

            with chosen_postgres() as server:
                yield Warehouse("postgres", {"dsn": server.dsn(), "schema": "main"})
        case "clickhouse":
            import chdb

            # What is in memory stays as long as anybody in this process is connected.
            connection = chdb.connect(":memory:")
            try:
                yield Warehouse("clickhouse", {"path": ":memory:", "database": "main"})
            finally:
                connection.close()
        case "spark":
            from engines.spark_server import run_here

            with run_here() as options:
                yield Warehouse("spark", options)
        case _:
            raise ValueError(f"the tests cannot start {name}")


def kept_target(name: str, running: Mapping[str, Warehouse]) -> dict[str, Any]:
    """A target whose tables one process keeps for the next, as profiles.yml has it."""
    match name:
        case "duckdb":
            return {"type": "duckdb", "path": "warehouse.duckdb"}
        case "clickhouse":
            return {"type": "clickhouse", "path": "clickhouse", "database": "main"}
        case "spark":
            from engines.spark_server import SMALL

            return {"type": "spark", "master": "local[2]", "warehouse": "spark", "schema": "main", "settings": SMALL}
    return {"type": name, **running[name].options}
