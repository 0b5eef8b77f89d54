"""`asknown init`: creates a folder with a small project that works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

from asknown.cli.output import write_lines
from asknown.cli.progress import say
from asknown.cli.session import Session, debug_option
from asknown.cli.warehouse_scaffold import STARTS, for_warehouse
from asknown.errors import AsknownError
from asknown.paths import absolute

SCAFFOLD = Path(__file__).parents[1] / "scaffold"
SCAFFOLD_NAME = "my_features"
"""The scaffold is a project of this name, which ``init`` replaces by the new one's."""

# In the package this file has no dot: no tool that reads the package should take it for the package's own.
_RENAMED = {"gitignore": ".gitignore"}
_COMMANDS = re.compile(r"```bash\n(.*?)```", re.DOTALL)


@click.command("init", params=[debug_option(hidden=True)])
@click.argument("folder", metavar="NAME")
@click.option("--target", "kind", type=click.Choice(sorted(STARTS)), help="Start on this warehouse, not on DuckDB.")
@click.pass_obj
def command(session: Session, folder: str, kind: str | None) -> None:
    """Create a folder with a small project that works.

    NAME is the folder to create, or "." for the current one. Overwrites nothing. Prints the next commands to type.

    \b
    Examples:
      asknown init my_features
      asknown init my_features --target postgres
    """
    if session.project != "." or session.target is not None:
        raise click.UsageError("init takes the folder as its argument, and --target after it: asknown init NAME")
    path = Path(folder)
    name = derive_name(absolute(path).resolve().name)
    texts = read_scaffold(name, kind)
    _check_free(path, texts)
    _write(path, texts)
    say(f"made the project '{name}' in {path}: {len(texts)} files; README.md says what is what. Next:")
    steps = [] if path.resolve() == Path.cwd() else [f"cd {shlex.quote(folder)}"]
    write_lines([*steps, *next_steps(texts["README.md"])])


def derive_name(folder: str) -> str:
    """A project's name from its folder's: in lower case, with ``_`` for characters that no identifier has."""
    name = re.sub(r"\W+", "_", folder.lower()).strip("_")
    if not name:
        return SCAFFOLD_NAME
    # YAML reads digits, and words such as true, as something other than text.
    return f"features_{name}" if name[0].isdigit() or name in ("true", "false", "null") else name


def read_scaffold(name: str, kind: str | None = None) -> dict[str, str]:
    """The files of a new project called ``name``: text by path, relative to the project.

    ``kind`` is the type of its target; None is DuckDB.
    """
    texts = {}
    for path in sorted(SCAFFOLD.rglob("*")):
        if path.is_file():
            shown = path.relative_to(SCAFFOLD).as_posix()
            texts[_RENAMED.get(shown, shown)] = path.read_text(encoding="utf-8")
    texts = texts if kind is None else for_warehouse(texts, kind)
    return {path: text.replace(SCAFFOLD_NAME, name) for path, text in texts.items()}


def next_steps(readme: str) -> list[str]:
    """The commands that the new project's README lists."""
    lines = [line for block in _COMMANDS.findall(readme) for line in block.splitlines()]
    return [line for line in lines if line.startswith("asknown ")]


def _check_free(path: Path, texts: dict[str, str]) -> None:
    """Raises an error if a file in the folder would be overwritten. Nothing has been written by then."""
    try:
        if path.exists() and not path.is_dir():
            raise AsknownError("output", f"{path} is a file, not a folder", hint="give another name")
    except OSError as error:
        raise AsknownError("output", f"cannot write {path}: {error.strerror}", hint="give another name") from None
    existing = [name for name in texts if (path / name).exists()]
    if "pyproject.toml" in existing:
        text = (path / "pyproject.toml").read_text(encoding="utf-8", errors="replace")
        if "[tool.asknown]" in text:
            raise AsknownError(
                "output", f"{path / 'pyproject.toml'} already has a [tool.asknown] table", hint="asknown ls"
            )
    if existing:
        raise AsknownError(
            "output",
            f"{path} has files that would be overwritten: {', '.join(existing)}",
            hint="create the project in a new folder: asknown init my_features",
        )


def _write(path: Path, texts: dict[str, str]) -> None:
    made: list[Path] = []
    try:
        for name, text in texts.items():
            file = path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8", newline="\n") as opened:
                made.append(file)
                opened.write(text)
    except OSError as error:
        for file in made:
            file.unlink(missing_ok=True)
        raise AsknownError("output", f"cannot write {error.filename or path}: {error.strerror}") from None
