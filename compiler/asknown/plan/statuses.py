"""Adds to a plan the status of each feature, by the rules of an online read (rule 9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from asknown.dialects.dialect import Dialect
from asknown.errors import AsknownError
from asknown.model.nodes import FeatureView
from asknown.plan.nodes import AsOfJoin, Fetched, Plan, Status, Step
from asknown.plan.rules import PlanOptions, Sample, choose_match

SUFFIX = "__status"


def with_statuses(
    plan: Plan,
    look: Callable[[FeatureView], Sample | None],
    dialect: Dialect,
    options: PlanOptions | None = None,
) -> Plan:
    """The plan with a column ``<feature>__status`` beside each feature.

    The status of an as-of feature depends on the newest visible row of any age. If its view has a ttl, this row is
    found by a step of its own. Raises ``name-clash`` if another column has the name of a status.
    """
    options = options or PlanOptions()
    steps: list[Step] = list(plan.steps)
    newest: dict[int, Fetched] = {}
    for place in dict.fromkeys(output.step for output in plan.outputs):
        step = steps[place]
        if not isinstance(step, AsOfJoin):
            continue
        moment = step.view.event_time
        if step.view.ttl is None:
            columns = step.columns if moment in step.columns else (*step.columns, moment)
            steps[place] = replace(step, columns=columns)
            newest[place] = Fetched(place, moment)
            continue
        view = replace(step.view, ttl=None)
        forms = dialect.plans.forms if step.keys else dialect.plans.keyless_forms or dialect.plans.forms
        match = choose_match(view, look(step.view), forms=forms, forced=options.form_of(step.view))
        newest[place] = Fetched(len(steps), moment)
        steps.append(AsOfJoin(f"{step.label}__any_age", view, step.keys, (moment,), match))
    statuses = tuple(Status(output.name + SUFFIX, output, newest.get(output.step)) for output in plan.outputs)
    _check_names(plan, statuses)
    return replace(plan, steps=tuple(steps), statuses=statuses)


def _check_names(plan: Plan, statuses: tuple[Status, ...]) -> None:
    taken = {column.name.casefold(): f"the spine's column '{column.name}'" for column in plan.spine.columns}
    taken |= {output.name.casefold(): f"the feature '{output.name}'" for output in plan.outputs}
    for status in statuses:
        other = taken.get(status.name.casefold())
        if other is not None:
            raise AsknownError(
                "name-clash",
                f"the status of '{status.of.name}' and {other} would both be named '{status.name}'",
                hint="rename that column, or ask without statuses",
            )
