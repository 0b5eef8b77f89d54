"""The generated parts of docs/architecture.md: the layers, and each module with the first sentence of its docstring."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "compiler" / "asknown"
LAYERS_TEST = ROOT / "tests" / "test_layers.py"


def make_layers() -> str:
    """The layers as the test has them, in a block of text, the lowest first."""
    return "```text\n" + "\n".join(" ".join(line.split()) for line in _layers()) + "\n```"


def make_tree() -> str:
    """A heading and a table of modules for each package, and one table for the single modules, in layer order."""
    names = [name for line in _layers() for name in line.split()]
    single = [PACKAGE / f"{name}.py" for name in names if (PACKAGE / f"{name}.py").is_file()]
    parts = ["### Single modules", _table(single, PACKAGE)]
    for folder in (PACKAGE / name for name in names if (PACKAGE / name).is_dir()):
        modules = sorted(folder.rglob("*.py"), key=lambda path: (path.parent, path.name != "__init__.py", path.name))
        rows = [path for path in modules if path != folder / "__init__.py" and _summary(path)]
        parts += [f"### {folder.name}/", _summary(folder / "__init__.py"), _table(rows, folder)]
    return "\n\n".join(filter(None, parts))


def _layers() -> Iterator[str]:
    for node in ast.walk(ast.parse(LAYERS_TEST.read_text(encoding="utf-8"))):
        match node:
            case ast.Assign(targets=[ast.Name(id="LAYERS")], value=ast.Constant(value=str(text))):
                yield from text.strip().splitlines()


def _table(modules: list[Path], folder: Path) -> str:
    rows = [
        f"| [`{_shown(path, folder)}`](../{path.relative_to(ROOT).as_posix()}) | {_summary(path)} |" for path in modules
    ]
    return "\n".join(["| module | |", "|---|---|", *rows]) if rows else ""


def _shown(path: Path, folder: Path) -> str:
    """The module's path in its package; a package inside it is shown as a folder."""
    shown = path.relative_to(folder).as_posix()
    return shown.removesuffix("__init__.py")


def _summary(path: Path) -> str:
    """The first sentence of a module's docstring, as Markdown."""
    paragraph = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n\n")[0]
    line = " ".join(paragraph.split())
    sentence = re.match(r".*?\.(?=\s|$)", line)
    return (sentence[0] if sentence else line).replace("``", "`").replace("|", "\\|")
