"""Says results of checks in a few words, view by view, as the registry keeps them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from asknown.checks.audit import FeatureAudit
from asknown.checks.profile import ColumnProfile
from asknown.checks.results import TestResult
from asknown.checks.verify import FeatureVerification
from asknown.lint.nodes import Finding

Said = Mapping[str, tuple[bool, str]]
"""By view: whether all is as it should be, and the result in words."""


def say_findings(findings: Iterable[Finding], views: Iterable[str]) -> Said:
    """The findings of `check` in each of some views, without those in the models below it."""
    counts: dict[str, Counter[str]] = {view: Counter() for view in views}
    for finding in findings:
        if finding.model in counts and finding.off is None and finding.severity != "information":
            counts[finding.model]["errors" if finding.is_error else "warnings"] += 1
    return {
        view: (not some["errors"], _count(some, ("errors", "warnings")) or "nothing") for view, some in counts.items()
    }


def say_tests(results: Iterable[TestResult]) -> Said:
    """The results of the tests of each model, view, service or source."""
    counts: dict[str, Counter[str]] = {}
    for result in results:
        counts.setdefault(result.tests, Counter())[result.outcome] += 1
    words = ("pass", "warn", "fail", "error")
    return {of: (not some["fail"] + some["error"], _count(some, words)) for of, some in counts.items()}


def say_audit(features: Iterable[FeatureAudit]) -> Said:
    """The verdicts of an audit by view. Untested features need attention as leaks do."""
    counts: dict[str, Counter[str]] = {}
    for feature in features:
        counts.setdefault(feature.view, Counter())[feature.verdict] += 1
    words = ("leaks", "unstable", "rewritten", "untested", "clean", "static")
    return {view: (not any(some[bad] for bad in words[:4]), _count(some, words)) for view, some in counts.items()}


def say_verified(features: Iterable[FeatureVerification]) -> Said:
    """The compared values of each view, and how many of them differ."""
    counts: dict[str, Counter[str]] = {}
    for feature in features:
        counts.setdefault(feature.view, Counter()).update({str(k): n for k, n in feature.outcomes.items()})
    words = ("bug", "lag", "late", "not replayable", "equal")
    return {view: (not some["bug"], _count(some, words) or "nothing to compare") for view, some in counts.items()}


def say_profiles(profiles: Mapping[str, Sequence[ColumnProfile]]) -> Said:
    """How many values of each view's features are NULL."""
    found = {}
    for view, some in profiles.items():
        rows = max((profile.rows for profile in some), default=0)
        nulls = sum(profile.nulls for profile in some) / max(sum(profile.rows for profile in some), 1)
        found[view] = (True, f"{len(some)} features over {rows:,} rows, {nulls:.1%} NULL")
    return found


def _count(counts: Counter[str], words: Iterable[str]) -> str:
    return ", ".join(f"{counts[word]:,} {word}" for word in words if counts[word])
