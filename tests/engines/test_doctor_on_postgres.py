"""`asknown doctor --target` on a real Postgres: rights, schema, types, zones, limits, and a locale without Unicode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import pytest

from asknown import AsknownError, FeatureStore
from engines.postgres_server import PostgresServer, run_postgres

TABLES = """
CREATE SCHEMA raw;
CREATE TABLE raw.orders (customer bigint, seen timestamp, word text, price numeric, ip inet, cents bigint);
CREATE TABLE raw.open (customer bigint, seen timestamptz, cents numeric(9, 2));
CREATE TABLE raw.closed (customer bigint, seen timestamptz);
INSERT INTO raw.orders VALUES (1, '2024-01-01', 'É', 1.5, '::1', 1);
CREATE ROLE reader LOGIN;
GRANT USAGE ON SCHEMA raw TO reader;
GRANT SELECT ON raw.orders, raw.open TO reader;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with run_postgres() as started:
        ask(started.dsn(), "CREATE DATABASE ascii TEMPLATE template0 LOCALE 'C' ENCODING 'UTF8'")
        for database in ("postgres", "ascii"):
            ask(
                started.dsn(database),
                TABLES if database == "postgres" else TABLES.replace("CREATE ROLE reader LOGIN;", ""),
            )
        yield started


def ask(dsn: str, statements: str) -> None:
    with adbc.connect(dsn, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.executescript(statements)


def checks(folder: Path, dsn: str, **options: Any) -> dict[tuple[str, str], tuple[str, str, str]]:
    """What doctor says: (check, of) to (state, found, what to do); all that a target lacks is one text."""
    write(folder, dsn, **options)
    with FeatureStore(folder) as store:
        found: dict[tuple[str, str], tuple[str, str, str]] = {}
        for check in store.check_target():
            _, before, _ = found.get((check.check, check.of), ("", "", ""))
            found[check.check, check.of] = (check.state, f"{before} {check.found}".strip(), check.run or "")
        return found


def write(folder: Path, dsn: str, **options: Any) -> None:
    (folder / "models").mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "p"\n')
    target = {"type": "postgres", "dsn": dsn, **options}
    (folder / "profiles.yml").write_text(json.dumps({"p": {"outputs": {"dev": target}}}))
    tables = [{"name": name} for name in ("orders", "open", "closed")]
    source = {"name": "raw", "schema": "raw", "tables": tables}
    (folder / "models" / "m.yml").write_text(json.dumps({"sources": [source], "entities": [{"name": "customer"}]}))
    view = "{{ config(entity='customer', event_time='seen') }}\n"
    view += "select customer, seen, lower(word) as small, cents from {{ source('raw', 'orders') }}"
    (folder / "models" / "words.sql").write_text(view)


def test_what_its_owner_sees(tmp_path: Path, server: PostgresServer) -> None:
    found = checks(tmp_path, server.dsn())
    assert found["sources", "dev"][:2] == ("ok", "3 found")
    state, said, advice = found["types", "raw.orders"]
    assert (state, said) == ("note", "only postgres knows the type of price (numeric), ip (inet)")
    assert "data_type" in advice
    assert ("types", "raw.open") not in found
    state, said, advice = found["zones", "raw.orders"]
    assert (state, said) == ("note", "the server is in America/New_York, and seen have no zone: they count as UTC")
    assert "timezone: UTC" in advice and ("zones", "raw.open") not in found
    assert ("missing", "dev") not in found
    assert not [check for check in found.values() if check[0] == "act"]


def test_rights(tmp_path: Path, server: PostgresServer) -> None:
    found = checks(tmp_path, server.dsn(user="reader"))
    state, said, advice = found["source", "raw.closed"]
    assert state == "act"
    assert "permission denied for table closed" in said and "grant select on" in advice
    assert ("source", "raw.orders") not in found
    assert "the right to create tables in schema public" in found["missing", "dev"][1]


def test_a_schema_that_is_not_there_and_limits(tmp_path: Path, server: PostgresServer) -> None:
    found = checks(tmp_path, server.dsn(), schema="features")
    assert "the schema features" in found["missing", "dev"][1]
    ask(server.dsn(), "ALTER ROLE reader SET statement_timeout = '7s'")
    found = checks(tmp_path, server.dsn(user="reader"))
    assert "statement_timeout = 7000 ms" in found["missing", "dev"][1]


def test_a_locale_that_knows_ascii_alone(tmp_path: Path, server: PostgresServer) -> None:
    """There, LOWER('É') is 'É'. What does not depend on it works."""
    found = checks(tmp_path, server.dsn("ascii"))
    assert "a locale that knows Unicode" in found["missing", "dev"][1]
    spine = "select 1 as customer, timestamp '2024-01-02' as event_timestamp"
    with FeatureStore(tmp_path) as store:
        with pytest.raises(AsknownError, match="locale does not know Unicode") as raised:
            store.get_historical_features(spine, ["words"])
        assert raised.value.code == "not-in-dialect"
    text = (tmp_path / "models" / "words.sql").read_text().replace("lower(word) as small, ", "")
    (tmp_path / "models" / "words.sql").write_text(text)
    with FeatureStore(tmp_path) as store:
        assert store.get_historical_features(spine, ["words"]).to_arrow()["cents"].to_pylist() == [1]
    write(tmp_path, server.dsn())
    with FeatureStore(tmp_path) as store:
        assert store.get_historical_features(spine, ["words"]).to_arrow()["small"].to_pylist() == ["é"]
