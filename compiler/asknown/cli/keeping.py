"""Keeps what a command found in the registry, where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asknown.cli.progress import say

if TYPE_CHECKING:
    from asknown.checks.kept import Said
    from asknown.project.nodes import Project


def keep_results(project: Project, kind: str, said: Said) -> None:
    """Keeps the newest results of a command by view. Says so where that fails: the command goes on."""
    from asknown.store.runs import record_results

    untold = record_results(project, kind, said)
    if untold is not None:
        say(f"warning: {untold}")
