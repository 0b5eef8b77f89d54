"""Runs the examples in docstrings of the compiler: the SQL that they show is the SQL that is written."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

import asknown.emit
import asknown.plan

MODULES = [
    module.name
    for package in (asknown.emit, asknown.plan)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(import_module(name)).failed == 0


def test_there_are_examples() -> None:
    # Guards the test above against finding none.
    finder = doctest.DocTestFinder(exclude_empty=True)
    assert sum(bool(test.examples) for name in MODULES for test in finder.find(import_module(name))) >= 8
