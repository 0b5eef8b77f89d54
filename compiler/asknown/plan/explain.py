"""Describes a plan in words."""

from __future__ import annotations

from asknown.durations import spell
from asknown.model.nodes import PeriodFrame, WindowCall
from asknown.plan.nodes import (
    AsOfJoin,
    Derived,
    Extended,
    Fetched,
    Gathered,
    Listed,
    LookedUp,
    Plan,
    SpineValue,
    TrailingWindow,
    Unnested,
    Value,
)


def explain_plan(plan: Plan) -> str:
    """The plan as text: the spine, then each step with its keys, times, columns or windows, form and reason."""
    spine = plan.spine
    lines = [f"spine: {len(spine.columns)} columns, instant '{spine.instant.name}'"]
    bounds = spine.bounds
    if bounds.rows is not None:
        lines[0] += f", {bounds.rows:,} rows"
    if bounds.earliest is not None and bounds.latest is not None:
        lines.append(f"  from {bounds.earliest} to {bounds.latest} (UTC)")
    for step in plan.steps:
        match step:
            case AsOfJoin():
                lines += [f"as of each moment: {_title(step)}", *_common(step), *_as_of(step)]
            case TrailingWindow():
                lines += [f"windows before each moment: {_title(step)}", *_common(step), *_windows(step)]
            case Derived():
                pass  # it makes no CTE
            case Unnested():
                lines.append(f"for each element of {step.key.name}, as {step.element.name}:")
            case Gathered():
                shown = ", ".join(column.name for column, _ in step.columns)
                lines.append(f"of all elements of {step.unnested.key.name}, in its order: lists of {shown}")
            case Extended():
                pairs = (f"{column.name} = {_source(value)}" for column, value in step.columns)
                lines.append(f"beside each moment, to look up by: {', '.join(pairs)}")
    return "\n".join(lines)


def _source(value: Value) -> str:
    """The name of a feature or input that a key is looked up by."""
    match value:
        case LookedUp(inner, _, _):
            return _source(inner)
        case Listed(_, column, _):
            return f"a list of {column.name}"
        case Fetched(_, column):
            return column.name
        case SpineValue(column, _):
            return f"spine.{column.name}"
    return "a computed feature"


def _title(step: AsOfJoin | TrailingWindow) -> str:
    return step.view.name + (f" as {step.label}" if step.label != step.view.name else "")


def _common(step: AsOfJoin | TrailingWindow) -> list[str]:
    view = step.view
    pairs = [
        key.name if key.name == column.name else f"{key.name} = spine.{column.name}"
        for key, column in zip(view.keys, step.keys, strict=True)
    ]
    times = [f"event_time {view.event_time.name}"]
    times += [f"known_at {view.known_at.name}"] if view.known_at else []
    times += [f"created_at {view.created_at.name}"] if view.created_at else []
    if isinstance(step, AsOfJoin):
        times.append("no ttl" if view.ttl is None else f"ttl {spell(view.ttl)}")
    return [f"  keys: {', '.join(pairs) or 'none'}", f"  times: {', '.join(times)}"]


def _as_of(step: AsOfJoin) -> list[str]:
    return [
        f"  match: {step.match.form} ({step.match.reason})",
        f"  columns: {', '.join(column.name for column in step.columns)}",
    ]


def _windows(step: TrailingWindow) -> list[str]:
    lifted = step.view.lifted
    assert lifted is not None
    return [f"  form: {step.form} ({step.reason})", *(f"  {_call(lifted.calls[place])}" for place in step.calls)]


def _call(call: WindowCall) -> str:
    if isinstance(call.frame, PeriodFrame):
        which = f"the whole {call.frame.period} before" if call.frame.back else f"this {call.frame.period}"
        return f"{call.aggregate.name} over {which}"
    frame = f"the last {spell(call.frame.oldest)}"
    if call.frame.newest:
        frame += f", up to {spell(call.frame.newest)} before"
    return f"{call.aggregate.name} over {frame}"
