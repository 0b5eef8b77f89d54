"""A loaded shop, copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from shop import order, write_file, write_shop

from asknown import FeatureStore


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with one order of customer 1 from an hour ago, and its online table."""
    folder = write_shop(tmp_path_factory.mktemp("push") / "shop")
    row = order("first", 1, ago=3600, amount=10.0)
    write_file(folder, "history.parquet", [row | {"_arrived": row["ordered_at"]}])
    with FeatureStore(folder) as store:
        store.materialize()
    return folder


@pytest.fixture
def shop(loaded: Path, tmp_path: Path) -> Path:
    """A copy of the shop."""
    return Path(shutil.copytree(loaded, tmp_path / "shop"))


@pytest.fixture
def store(shop: Path) -> Iterator[FeatureStore]:
    """A store of the copy."""
    with FeatureStore(shop) as opened:
        yield opened
