"""`asknown run`: builds the models that are materialized in the target."""

from __future__ import annotations

import time

import click

from asknown.cli.arguments import complete, models, selecting, selection_of
from asknown.cli.output import Format, format_option, write_rows
from asknown.cli.progress import say, working
from asknown.cli.session import ProjectCommand, Session


@click.command("run", cls=ProjectCommand)
@click.argument("names", nargs=-1, metavar="[MODEL]...", shell_complete=complete(models))
@selecting
@format_option()
@click.pass_obj
def command(
    session: Session, *, names: tuple[str, ...], chosen: tuple[str, ...], excluded: tuple[str, ...], kind: Format
) -> None:
    """Build the models that are materialized as tables or views.

    Builds, in the target's database, every model with materialized='table' or 'view' in its config(), upstream first;
    or only each MODEL and the models below it. Prints what was built. Other models are part of each query and are
    not built.

    \b
    Examples:
      asknown run --target warehouse
      asknown run airline_months --target warehouse
      asknown run --select path:models/staging+ --target warehouse
    """
    built: list[tuple[str, str, float]] = []
    last = time.perf_counter()

    def note(name: str, how: str) -> None:
        nonlocal last
        now = time.perf_counter()
        built.append((name, how, round(now - last, 3)))
        last = now

    with session.open_store() as store:
        try:
            with working("building"):
                selection = selection_of(store, chosen, excluded)
                if selection is None:
                    store.run(list(names) or None, note)
                else:
                    configs = {name: store.catalog.model(name).rendered.config for name in selection.models}
                    kept = [name for name, config in configs.items() if config.materialized != "ephemeral"]
                    if names or kept:
                        store.run(sorted({*names, *kept}), note)
        except BaseException:
            for name, how, _ in built:  # what is built stays built
                say(f"built {how} {name}")
            raise
    if kind == "table":
        write_rows(kind, ("model", "built as", "time"), [(name, how, f"{each:.2f} s") for name, how, each in built])
    else:
        write_rows(kind, ("model", "built_as", "seconds"), built)
