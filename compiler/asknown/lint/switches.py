"""Turns findings off: reads comments in models, and severities in pyproject.toml."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from asknown.errors import Where, did_you_mean
from asknown.lint.nodes import Finding, Severity
from asknown.lint.rules import CODES, REFUSALS
from asknown.project.nodes import LintSetting
from asknown.render.nodes import Rendered

_COMMENT = re.compile(r"(?:--|\{#-?|/\*)\s*check:\s*(\S*)\s*(.*?)\s*(?:-?#\}|\*/)?\s*$")
_RULE = re.compile(r"([\w-]+)\s*:\s*(\S.*)")
_FORM = "write -- check: off fan-out: one zone per airport"


@dataclass(frozen=True)
class Switch:
    """One comment ``-- check: off RULE: reason`` of a model. It turns the rule off in this model's text."""

    model: str
    code: str
    reason: str
    at: Where


def read_switches(rendered: Iterable[Rendered]) -> tuple[list[Switch], list[Finding]]:
    """The switches in the templates of models, and the findings about comments that are none."""
    switches: list[Switch] = []
    wrong: list[Finding] = []
    for model in rendered:
        for number, line in enumerate(model.template.splitlines(), start=1):
            comment = _COMMENT.search(line)
            if comment is None:
                continue
            at = replace(model.template_place(number), column=comment.start() + 1)
            rule = _RULE.fullmatch(comment[2])
            if comment[1] != "off" or rule is None:
                message = "a comment that turns a rule off names the rule and a reason"
                wrong.append(_wrong(model.name, message, at, _FORM))
            elif (problem := _not_a_rule(rule[1])) is not None:
                wrong.append(_wrong(model.name, problem[0], at, problem[1]))
            else:
                switches.append(Switch(model.name, rule[1], rule[2], at))
    return switches, wrong


def _wrong(model: str | None, message: str, at: Where, hint: str) -> Finding:
    return Finding("bad-switch", "error", model, message, at, hint)


def _not_a_rule(code: str) -> tuple[str, str] | None:
    """The mistake in a rule's name, and what to write; None if the rule can be turned off."""
    if code in REFUSALS:
        return f"'{code}' cannot be turned off: every command refuses it", "change the SQL, as its own finding says"
    if code not in CODES:
        allowed = [one for one in CODES if one not in REFUSALS]
        return f"there is no rule '{code}' of asknown check", did_you_mean(code, allowed, what="rules")
    return None


def apply_settings(
    findings: Sequence[Finding], settings: Sequence[LintSetting], switches: Sequence[Switch]
) -> list[Finding]:
    """The findings with the severities of ``[tool.asknown.lint]``, and with ``off`` where one is turned off.

    A setting that names no rule is a finding, and so is a comment that turns nothing off.
    """
    severities: Mapping[str, str] = {one.code: one.severity for one in settings}
    by_place = {(switch.model, switch.code): switch for switch in switches}
    used: set[tuple[str, str]] = set()
    made: list[Finding] = []
    for finding in findings:
        place = (finding.model or "", finding.code)
        if finding.severity == "refusal":
            made.append(finding)
        elif place in by_place:
            used.add(place)
            made.append(replace(finding, off=by_place[place].reason))
        elif severities.get(finding.code) == "off":
            made.append(replace(finding, off="[tool.asknown.lint]"))
        else:
            severity = severities.get(finding.code, finding.severity)
            made.append(replace(finding, severity=cast(Severity, severity)))
    for setting in settings:
        problem = _not_a_rule(setting.code)
        if problem is not None:
            made.append(_wrong(None, problem[0], setting.at, problem[1]))
    return made + list(_unused(switches, used))


def _unused(switches: Sequence[Switch], used: Collection[tuple[str, str]]) -> Iterator[Finding]:
    for switch in switches:
        if (switch.model, switch.code) not in used:
            message = f"'{switch.code}' is turned off in '{switch.model}', and finds nothing there"
            yield Finding("unused-switch", "warning", switch.model, message, switch.at, "remove the comment")
