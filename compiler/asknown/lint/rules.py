"""All rules, one a line, and the searches with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from asknown.lint.clock import reads_chance, reads_the_clock
from asknown.lint.nodes import Finding, Rule, Subject
from asknown.lint.windows import reads_ahead, reads_unknown_rows, reads_whole_partition
from asknown.model.lineage import Columns
from asknown.model.nodes import Model
from asknown.project.nodes import Project

RULES: tuple[Rule, ...] = (
    Rule("leak-frame-ahead", "refusal", "A window gives a row a value from rows after it.", reads_ahead),
    Rule("leak-whole-partition", "refusal", "A window sees all rows of its partition.", reads_whole_partition),
    Rule("late-rows-in-window", "refusal", "A window sees rows that were not known yet.", reads_unknown_rows),
    Rule("clock", "refusal", "A view reads the current time.", reads_the_clock),
    Rule("chance", "refusal", "A view depends on chance.", reads_chance),
)

REFUSALS: frozenset[str] = frozenset(rule.code for rule in RULES if rule.severity == "refusal")
"""The codes of the rules that every command refuses a view for. `audit` runs such views, and gives none of them."""


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
    models = {model.name: model for model in closure}
    static = frozenset(f"{source}.{name}".casefold() for (source, name), t in project.sources.items() if t.static)
    for model in [view, *(model for model in closure if model is not view)]:
        subject = Subject(model, view, models, known, static)
        for rule in RULES:
            if rules is None or rule.code in rules:
                for found in rule.find(subject):
                    yield Finding(rule.code, rule.severity, model.name, found.message, found.at, found.hint)


def once(findings: Sequence[Finding]) -> list[Finding]:
    """The findings without those that another view has already shown at the same place."""
    seen: Mapping[tuple[str, str], Finding] = {}
    kept = dict(seen)
    for finding in findings:
        kept.setdefault((finding.code, str(finding.at)), finding)
    return list(kept.values())
