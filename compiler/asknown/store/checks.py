"""A project's checks: what `asknown check` finds, of all of it or of some views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from asknown.catalog.catalog import Catalog
from asknown.checks.results import TestResult
from asknown.engines.engine import Engine
from asknown.errors import AsknownError, did_you_mean
from asknown.lint.nodes import Finding
from asknown.project.nodes import Project
from asknown.store.check import check_project, errors_of_views, unbuilt_catalog
from asknown.store.typed_catalog import TypedCatalog


class ProjectChecks:
    """The checks of ``project``. ``engine`` opens the target's engine, and ``typed`` gives the types when needed."""

    def __init__(
        self, project: Project, catalog: Catalog, engine: Callable[[], Engine], typed: Callable[[], TypedCatalog]
    ) -> None:
        self._project = project
        self._catalog = catalog
        self._engine = engine
        self._typed = typed

    def findings(self) -> list[Finding]:
        """The findings that the project's files and the columns of its sources show, by place. No row is read."""
        return check_project(self._catalog, self._project, self._engine)

    def errors_of(self, views: Iterable[str]) -> list[Finding]:
        """The findings of severity error in these views and below them, without those that are turned off.

        No other command stops at them, but for `apply`. Names that are no feature views are left out.
        """
        return errors_of_views(self._typed(), [name for name in views if self._catalog.is_view(name)])

    def unit_tests(self, names: Sequence[str] = ()) -> list[TestResult]:
        """The results of the unit tests ``names`` (default: all), in the files' order. Raises ``unknown-test``."""
        from asknown.store.unit_tests import run_unit_tests

        tests = self._project.unit_tests
        for name in names:
            if name not in tests:
                raise AsknownError(
                    "unknown-test", f"there is no unit test '{name}'", hint=did_you_mean(name, tests, what="unit tests")
                )
        typed = unbuilt_catalog(self._catalog, self._project, self._engine, [])
        return run_unit_tests(typed, [test for name, test in tests.items() if not names or name in names])
