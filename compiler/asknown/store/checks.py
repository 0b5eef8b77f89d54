"""A project's checks: of its text, of training sets on changed sources, and of the online table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asknown.catalog.catalog import Catalog
from asknown.catalog.selectors import Selection
from asknown.checks.results import TestResult
from asknown.engines.engine import Engine
from asknown.errors import AsknownError, did_you_mean
from asknown.instants import read_instant
from asknown.lint.nodes import Finding
from asknown.online.reader import OnlineReader
from asknown.paths import check_path
from asknown.project.nodes import Project
from asknown.project.tests import UnitTest
from asknown.store.check import check_project, errors_of_views, unbuilt_catalog
from asknown.store.since import read_since
from asknown.store.typed_catalog import TypedCatalog

if TYPE_CHECKING:
    from asknown.checks.audit import AuditReport, ProbeKind
    from asknown.checks.profile import ColumnProfile
    from asknown.checks.verify import LogVerification, Verification
    from asknown.registry.nodes import Run
    from asknown.store.accepting import Acceptance


class ProjectChecks:
    """The checks of ``project``.

    ``engine`` opens the target's engine, ``typed`` gives the types, and ``reader`` opens the online table, each when
    it is needed.
    """

    def __init__(
        self,
        project: Project,
        catalog: Catalog,
        engine: Callable[[], Engine],
        typed: Callable[[], TypedCatalog],
        reader: Callable[[], OnlineReader],
    ) -> None:
        self._project = project
        self._catalog = catalog
        self._engine = engine
        self._typed = typed
        self._reader = reader

    def findings(self) -> list[Finding]:
        """The findings that the project's files and the columns of its sources show, by place. No row is read."""
        return check_project(self._catalog, self._project, self._engine)

    def errors_of(self, views: Iterable[str]) -> list[Finding]:
        """The findings of severity error in these views and below them, without those that are turned off.

        No other command stops at them, but for `apply`. Names that are no feature views are left out.
        """
        return errors_of_views(self._typed(), [name for name in views if self._catalog.is_view(name)])

    def data_tests(self, *, keep: bool = False, selection: Selection | None = None) -> list[TestResult]:
        """The results of the project's data tests on the target; ``keep`` keeps the rows that fail, in files.

        ``selection`` chooses the models and sources whose tests run; a singular test runs if it reads one of them.
        """
        from asknown.store.data_tests import DataTests

        return list(DataTests(self._catalog, self._engine(), keep=keep, selection=selection).run())

    def freshness(self, now: datetime | None = None, *, selection: Selection | None = None) -> list[TestResult]:
        """The age of the newest row of each source and view with ``freshness`` in YAML, and of the view's last load."""
        from asknown.store.data_tests import DataTests

        instant = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
        tests = DataTests(self._catalog, self._engine(), keep=False, selection=selection)
        return list(tests.run_freshness(instant))

    def unit_tests(self, names: Sequence[str] = (), *, selection: Selection | None = None) -> list[TestResult]:
        """The results of the unit tests ``names`` (default: all), in the files' order. Raises ``unknown-test``."""
        from asknown.store.unit_tests import run_unit_tests

        return run_unit_tests(*self._chosen_unit_tests(names, selection))

    def accept_unit_tests(self, names: Sequence[str] = (), *, selection: Selection | None = None) -> list[Acceptance]:
        """Writes what comes out of the unit tests ``names`` (default: all) into their files as what they expect.

        Tests that pass stay as they are. Nothing is written of a test whose two ends differ. Raises ``unknown-test``.
        """
        from asknown.store.accepting import accept_unit_tests

        return accept_unit_tests(*self._chosen_unit_tests(names, selection))

    def _chosen_unit_tests(
        self, names: Sequence[str], selection: Selection | None
    ) -> tuple[TypedCatalog, list[UnitTest]]:
        """(what gives the types, the unit tests that are asked for)."""
        tests = self._project.unit_tests
        for name in names:
            if name not in tests:
                raise AsknownError(
                    "unknown-test", f"there is no unit test '{name}'", hint=did_you_mean(name, tests, what="unit tests")
                )
        typed = unbuilt_catalog(self._catalog, self._project, self._engine, [])
        named = [test for name, test in tests.items() if not names or name in names]
        return typed, [test for test in named if selection is None or self._is_chosen(test, selection)]

    def _is_chosen(self, test: UnitTest, selection: Selection) -> bool:
        """Whether a unit test is of a model that is chosen, or of a service with such a view."""
        service = self._project.services.get(test.target)
        views = [test.target] if service is None else [line.view for line in service.features]
        return any(selection.has(view) for view in views)

    def audit(
        self,
        features: str | Sequence[str],
        spine: Any = None,
        *,
        timestamp: str | None = None,
        cuts: int = 7,
        rows: int = 5_000,
        seed: int = 0,
        probes: Sequence[ProbeKind] | None = None,
        on_step: Callable[[str], None] | None = None,
    ) -> AuditReport:
        """Looks for hindsight in ``features`` by training again on sources that are changed (rule 11).

        Up to ``rows`` random rows of the spine are used. At each of ``cuts`` quantiles of their instants, and at as
        many random instants, what was not known yet is left out (``future``) or given extreme values (``poison``); a
        feature without hindsight has the same values before the cut. ``order`` shuffles the rows of the sources,
        ``rerun`` changes nothing. ``past`` computes the newest recorded training set of each feature again, whose
        file is its own spine. ``on_step`` is called with what comes next.
        """
        from asknown.checks.audit import PROBES, AuditReport, with_past
        from asknown.store.audit import audit_features
        from asknown.store.past import audit_past

        asked = PROBES if probes is None else tuple(probes)
        others = tuple(probe for probe in asked if probe != "past")
        report = AuditReport((), 0, (), seed)
        if others:
            report = audit_features(
                self._typed(),
                features,
                spine,
                timestamp=timestamp,
                cuts=cuts,
                rows=rows,
                seed=seed,
                probes=others,
                on_step=on_step,
            )
        runs = self._recorded() if "past" in asked else []
        if not runs and others:
            return report
        tell = on_step or (lambda _: None)
        past = audit_past(self._typed(), features, runs, timestamp=timestamp, rows=rows, seed=seed, tell=tell)
        return with_past(report, tuple(past.features.values()), past.rows, tuple(past.failures))

    def _recorded(self) -> list[Run]:
        """The loads and training sets that the registry knows, newest first; none where there is no registry."""
        from asknown.store.runs import recorded_runs

        return recorded_runs(self._project)

    def verify(
        self,
        features: str | Sequence[str] | None = None,
        *,
        keys: int = 1_000,
        at: Any = None,
        seed: int = 0,
        on_step: Callable[[str], None] | None = None,
    ) -> Verification:
        """Compares online reads with the training query at ``at`` (default: now), for random keys (rule 9).

        ``features`` names services, views and features (default: every view that is online). A difference is a bug, a
        lag of the load, late data, or not replayable; ``on_step`` is called with what comes next.
        """
        from asknown.store.landing import land_all
        from asknown.store.materialize import online_views
        from asknown.store.verify import verify_keys

        land_all(self._project, wait=60.0)
        moment = datetime.now(UTC).replace(tzinfo=None) if at is None else read_instant(at, "at")
        asked = online_views(self._catalog) if features is None else features
        return verify_keys(self._typed(), self._reader(), asked, keys=keys, at=moment, seed=seed, on_step=on_step)

    def profile_online(self, features: str | Sequence[str] | None = None) -> list[ColumnProfile]:
        """The profiles of the present values in the online table, over all keys, named ``view:feature``.

        ``features`` names services, views and features (default: every view that is online).
        """
        from asknown.checks.profile import profile_table
        from asknown.store.materialize import online_views
        from asknown.store.online_sample import online_sample
        from asknown.store.samples import statuses_of

        asked = online_views(self._catalog) if features is None else features
        found: list[ColumnProfile] = []
        for view, table, names in online_sample(self._typed(), self._reader(), asked):
            profiles = profile_table(table, names, statuses_of(table, names))
            found += [replace(profile, name=f"{view}:{profile.name}") for profile in profiles]
        return found

    def verify_log(
        self,
        path: str | Path,
        *,
        since: Any = None,
        service: str | None = None,
        on_step: Callable[[str], None] | None = None,
    ) -> LogVerification:
        """Compares the reads in a log with training at the instant of each, over the rows that it could see (rule 9).

        ``path`` is a folder that `asknown serve` logs to, or the file of an ``OnlineReader`` with a log. ``since`` is
        an instant, or a duration such as ``"1 day"`` before now; ``service`` chooses one of several. Columns of keys
        and inputs that the log hashed or left out cannot be replayed.
        """
        from asknown.store.landing import land_all
        from asknown.store.replay import verify_log

        check_path(path, "path")
        if service is not None and service not in self._project.services:
            hint = did_you_mean(service, self._project.services, what="feature services")
            raise AsknownError("unknown-service", f"there is no feature service '{service}'", hint=hint)
        land_all(self._project, wait=60.0)
        begin = None if since is None else read_since(since)
        return verify_log(self._typed(), Path(path), since=begin, service=service, on_step=on_step)
