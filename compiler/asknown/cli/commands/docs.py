"""`asknown docs`: the catalogue as a page that opens from disk."""

from __future__ import annotations

from pathlib import Path

import click

from asknown.cli.errors import show_error
from asknown.cli.progress import say, working
from asknown.cli.session import ProjectCommand, Session
from asknown.cli.writing import open_file
from asknown.errors import AsknownError


@click.command("docs", cls=ProjectCommand)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("site"),
    show_default=True,
    help="The folder to write to; it is made if it is not there.",
)
@click.pass_obj
def command(session: Session, *, output: Path) -> None:
    """Write the catalogue as one HTML page.

    The page is OUTPUT/index.html. It opens from disk, loads nothing from a network, and has a search, each view with
    its features in words, its lineage, SQL, owner, versions and readers, and how to ask for it. Beside it,
    catalog.json has the same facts for programs.

    A broken model has a page with its error; the exit code is 1 then.

    \b
    Examples:
      asknown docs
      asknown docs -o public/
    """
    from asknown.store.catalogue import make_catalogue

    faults: list[AsknownError] = []
    with session.open_store() as store, working("writing the catalogue"):
        html, catalog = make_catalogue(store, faults)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AsknownError("output", f"cannot make the folder {output}: {error.strerror}") from None
    for name, text in (("catalog.json", catalog), ("index.html", html)):
        with open_file(output / name) as file:
            file.write(text)
    size = len(html.encode())
    shown = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
    say(f"{output / 'index.html'} written, {shown}")
    for fault in faults:
        show_error(fault)
    if faults:
        click.get_current_context().exit(1)
