"""Says a plan in words."""

from __future__ import annotations

from asknown.durations import spell
from asknown.plan.nodes import AsOfJoin, Plan


def explain_plan(plan: Plan) -> str:
    """The plan as text: the spine, then each step with what it matches on, in which form and why, and its features."""
    spine = plan.spine
    lines = [f"spine: {len(spine.columns)} columns, instant '{spine.instant.name}'"]
    if spine.rows is not None:
        lines[0] += f", {spine.rows:,} rows"
    if spine.earliest is not None and spine.latest is not None:
        lines.append(f"  from {spine.earliest} to {spine.latest} (UTC)")
    for step in plan.steps:
        lines += _explain_step(step)
    return "\n".join(lines)


def _explain_step(step: AsOfJoin) -> list[str]:
    view = step.view
    title = f"as of each moment: {view.name}" + (f" as {step.label}" if step.label != view.name else "")
    pairs = [
        key.name if key.name == column.name else f"{key.name} = spine.{column.name}"
        for key, column in zip(view.keys, step.keys, strict=True)
    ]
    times = [f"event_time {view.event_time.name}"]
    times += [f"known_at {view.known_at.name}"] if view.known_at else []
    times += [f"created_at {view.created_at.name}"] if view.created_at else []
    times.append(f"ttl {spell(view.ttl)}" if view.ttl else "no ttl")
    return [
        title,
        f"  keys: {', '.join(pairs) or 'none'}",
        f"  times: {', '.join(times)}",
        f"  match: {step.match.form} ({step.match.reason})",
        f"  features: {', '.join(f.output for f in step.features)}",
    ]
