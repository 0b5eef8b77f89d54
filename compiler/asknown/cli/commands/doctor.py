"""`asknown doctor`: checks the online table and the target."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from asknown.addresses import StoreAddress
from asknown.cli.output import Format, format_option, write_json, write_rows
from asknown.cli.progress import say
from asknown.cli.session import ProjectCommand, Session

if TYPE_CHECKING:
    from asknown.online.report import Check
    from asknown.store import FeatureStore


@click.command("doctor", cls=ProjectCommand)
@click.option("--max-age", metavar="TIME", help="How old the load of a view without freshness may be.")
@click.option("--all", "everything", is_flag=True, help="Print what is as it should be, too.")
@format_option()
@click.pass_context
def command(ctx: click.Context, *, max_age: str | None, everything: bool, kind: Format) -> None:
    """Check the online table, or a target, and say what to run.

    Reads the whole file and checks its structure, and that every table holds exactly what was written. Reports the age
    of each view's watermark, how many of its rows are older than their ttl, and whether it fits the project's
    definition. Prints what needs action (act), then what is worth knowing (note), and with --all what is as it should
    be (ok); json and csv have all. Changes nothing, and disturbs neither readers nor loads.

    Exits with 1 if something needs action, so that a scheduler can run it: --max-age '2 hours' makes an older load such
    a thing, and a view's freshness in YAML says it for that view.

    With --target, also connects to that target and reports its version and settings, what it lacks, and of each of the
    project's sources whether it is there and may be read, which columns have a type that only the engine knows, and
    whether the zone of its times is in doubt. The online table is then the target's, which may not exist yet.

    \b
    Examples:
      asknown doctor
      asknown doctor --all
      asknown doctor --target warehouse
    """
    session = ctx.ensure_object(Session)
    with session.open_store() as store:
        if session.target is not None:
            checks = [*store.check_target(), *_check_table(store, max_age)]
            subject = f"target '{session.target}'"
        else:
            inspection = store.doctor(max_age=max_age)
            checks, subject = list(inspection.checks), str(inspection.path)
    checks = sorted(checks, key=lambda check: ("act", "note", "ok").index(check.state))
    _write(kind, [check for check in checks if everything or kind != "table" or check.state != "ok"])
    findings = sum(check.state == "act" for check in checks)
    if findings:
        say(f"{subject}: {findings} of {len(checks)} checks need attention")
        ctx.exit(1)
    say(f"{subject} is healthy")


def _check_table(store: FeatureStore, max_age: str | None) -> tuple[Check, ...]:
    """The checks of the target's online table; a note if it does not exist, because a target need not have one."""
    from asknown.online.report import Check

    online = store.project.profile.online
    address = online.address
    if isinstance(address, StoreAddress) or os.path.lexists(address):
        return store.doctor(max_age=max_age).checks
    run = f"asknown materialize --target {online.target}"
    return (Check("file", address.name, "note", "does not exist: the target has no online table yet", run),)


def _write(kind: Format, checks: Sequence[Check]) -> None:
    if kind == "json":
        write_json(dataclasses.asdict(check) for check in checks)
    elif kind == "csv":
        rows = [(check.state, check.check, check.of, check.found, check.run) for check in checks]
        write_rows(kind, ("state", "check", "of", "found", "run"), rows)
    else:
        lines = [line for check in checks for line in _lines(check)]
        if not lines:
            return
        write_rows(kind, ("state", "check", "of", "found"), lines, null="")


def _lines(check: Check) -> list[tuple[str | None, ...]]:
    """The lines of one check: its row of the table, and below it the command to run."""
    line = (check.state, check.check, check.of, check.found)
    return [line] if check.run is None else [line, (None, None, None, f"next: {check.run}")]
