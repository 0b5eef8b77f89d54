"""All rules, one a line, and the searches with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from asknown.lint.clock import reads_chance, reads_the_clock
from asknown.lint.dates import reads_local_days
from asknown.lint.floats import adds_floats, compares_floats
from asknown.lint.groups import (
    groups_without_time,
    reads_latest_only,
    starts_at_the_first,
    totals_all_rows,
    truncates_time,
)
from asknown.lint.joins import joins_later_rows, joins_many_rows, joins_undated, key_may_be_missing
from asknown.lint.known import (
    known_at_is_constant,
    known_at_is_missing,
    known_at_is_too_early,
    label_is_a_feature,
)
from asknown.lint.nodes import Context, Finding, Rule, Subject
from asknown.lint.outputs import gives_all_columns, reads_later_columns
from asknown.lint.picks import order_leaves_ties, picks_without_order
from asknown.lint.promises import (
    is_public_without_contract,
    is_undocumented,
    is_unowned,
    is_untested,
    production_uses_development,
)
from asknown.lint.stacks import reads_one_of_a_stack
from asknown.lint.times import time_is_naive, ttl_misses_cadence
from asknown.lint.versions import follows_the_version
from asknown.lint.whole import (
    Whole,
    WholeRule,
    cannot_be_loaded,
    features_are_the_same,
    history_is_read_whole,
    lifetime_keeps_events,
    lineage_is_lost,
    nobody_uses_it,
)
from asknown.lint.windows import is_ordered_by_no_time, reads_ahead, reads_unknown_rows, reads_whole_partition
from asknown.model.lineage import Columns
from asknown.model.nodes import Model
from asknown.project.nodes import Project

RULES: tuple[Rule, ...] = (
    Rule("leak-frame-ahead", "refusal", "A window gives a row a value from rows after it.", reads_ahead),
    Rule("leak-whole-partition", "refusal", "A window sees all rows of its partition.", reads_whole_partition),
    Rule("late-rows-in-window", "refusal", "A window sees rows that were not known yet.", reads_unknown_rows),
    Rule("local-date", "refusal", "A view's time is a date of a source with a time zone.", reads_local_days),
    Rule("clock", "refusal", "A view reads the current time.", reads_the_clock),
    Rule("chance", "refusal", "A view depends on chance.", reads_chance),
    Rule("unordered-pick", "error", "Rows are chosen without an order.", picks_without_order),
    Rule("leak-global-aggregate", "error", "A total over all rows is given to each row.", totals_all_rows),
    Rule("leak-group-without-time", "error", "Totals by key are joined back without a time.", groups_without_time),
    Rule("leak-latest-only", "error", "The newest row alone is kept.", reads_latest_only),
    Rule("leak-join-ahead", "error", "A join admits only later rows.", joins_later_rows),
    Rule("leak-truncated-time", "error", "The event time is the start of what a total is over.", truncates_time),
    Rule("leak-first-time", "error", "The event time is the first one of what a total is over.", starts_at_the_first),
    Rule("known-at-constant", "error", "known_at is a constant, or before the row.", known_at_is_constant),
    Rule("known-at-too-early", "error", "A column is known later than the view says.", known_at_is_too_early),
    Rule("known-at-missing", "error", "The view does not use the source's load time.", known_at_is_missing),
    Rule("label-as-feature", "error", "A feature reads a label.", label_is_a_feature),
    Rule("leak-join-undated", "warning", "A join reads the present state of a table.", joins_undated),
    Rule("leak-order-untimed", "warning", "Rows are put in an order that is no time.", is_ordered_by_no_time),
    Rule("order-not-total", "warning", "A window depends on the order of rows that tie.", order_leaves_ties),
    Rule("float-order", "warning", "A sum of floats follows the order of rows.", adds_floats),
    Rule("float-equal", "warning", "Floats are compared by equality.", compares_floats),
    Rule("engine-version", "warning", "A value follows the version of the engine.", follows_the_version),
    Rule("naive-time", "warning", "A time has no zone, or another than UTC.", time_is_naive),
    Rule("ttl-against-cadence", "warning", "The ttl does not fit how often rows come.", ttl_misses_cadence),
    Rule("fan-out", "warning", "A join may give several rows for one.", joins_many_rows),
    Rule("key-not-null", "warning", "A key may be NULL after an outer join.", key_may_be_missing),
    Rule("future-column", "warning", "A column is written after its row became true.", reads_later_columns),
    Rule("stack-as-of", "warning", "A feature is from one of several relations.", reads_one_of_a_stack),
    Rule("star-in-view", "warning", "A view gives all columns of what it reads.", gives_all_columns),
)

WHOLE_RULES: tuple[WholeRule, ...] = (
    WholeRule("unresolved-column", "warning", "Lineage cannot place a column.", lineage_is_lost),
    WholeRule("duplicate-feature", "warning", "Two features give the same values.", features_are_the_same),
    WholeRule("public-without-contract", "error", "A public view has no contract.", is_public_without_contract),
    WholeRule(
        "production-uses-development", "error", "An exposure uses what is in development.", production_uses_development
    ),
    WholeRule("undocumented", "warning", "What others rely on has no description.", is_undocumented),
    WholeRule("unowned", "warning", "What others rely on has no owner.", is_unowned),
    WholeRule("untested", "warning", "What others rely on has no test.", is_untested),
    WholeRule("unbounded-scan", "information", "A training set reads all of history.", history_is_read_whole),
    WholeRule("unused", "information", "A view is in no feature service.", nobody_uses_it),
    WholeRule("online-not-computable", "information", "`materialize` will refuse a view.", cannot_be_loaded),
    WholeRule("lifetime-keeps-events", "information", "All events of a view stay online.", lifetime_keeps_events),
)

REFUSALS: frozenset[str] = frozenset(rule.code for rule in RULES if rule.severity == "refusal")
"""The codes of the rules that every command refuses a view for. `audit` runs such views, and gives none of them."""

ERRORS: frozenset[str] = frozenset(rule.code for rule in RULES if rule.severity == "error")
"""The codes of the rules whose findings are errors of `asknown check` alone."""

CODES: tuple[str, ...] = (*(rule.code for rule in RULES), *(rule.code for rule in WHOLE_RULES))
"""The codes of all rules."""


def search(
    view: Model,
    closure: Sequence[Model],
    known: Callable[[str], Columns | None],
    project: Project,
    rules: Collection[str] | None = None,
) -> Iterator[Finding]:
    """The findings in a feature view and in the models that it stands on, by rule; each model's in its own text.

    ``rules`` are the codes of those to apply (default: all).
    """
    context = Context(view, {model.name: model for model in closure}, known, project)
    for model in [view, *(model for model in closure if model is not view)]:
        subject = Subject(model, context)
        for rule in RULES:
            if rules is None or rule.code in rules:
                for found in rule.find(subject):
                    severity = found.severity or rule.severity
                    yield Finding(rule.code, severity, model.name, found.message, found.at, found.hint)


def search_whole(whole: Whole) -> Iterator[Finding]:
    """The findings of the rules over the whole project."""
    for rule in WHOLE_RULES:
        for view, found in rule.find(whole):
            yield Finding(rule.code, rule.severity, view, found.message, found.at, found.hint)


def once(findings: Sequence[Finding]) -> list[Finding]:
    """The findings without those that another view has already shown at the same place."""
    seen: Mapping[tuple[str, str], Finding] = {}
    kept = dict(seen)
    for finding in findings:
        kept.setdefault((finding.code, str(finding.at)), finding)
    return list(kept.values())
