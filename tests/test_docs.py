"""The docs say what there is: every command, error code, macro, template name and configuration key, and no others."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

import generate
from asknown.engines.engine import ENGINES
from asknown.errors import CODES
from asknown.project import online, settings
from asknown.project.targets import option_keys
from asknown.render.config import READERS
from asknown.render.scope import NAMES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *generate.pages()]
PROPERTIES = ROOT / "compiler" / "asknown" / "project"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


# -- what is generated ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", generate.pages(), ids=lambda page: page.name)
def test_the_generated_parts_are_up_to_date(page: Path) -> None:
    assert read(page) == generate.refresh(read(page)), "run make docs"


def test_every_error_code_is_documented() -> None:
    (codes,) = key_tables(read(DOCS / "errors.md"))
    assert codes == list(CODES)


def test_every_standard_macro_is_documented() -> None:
    text = "".join(read(path) for path in sorted((ROOT / "macros").glob("**/*.sql")))
    defined = re.findall(r"\{%-?\s*macro\s+(\w+)", text)
    assert "last" in defined
    assert re.findall(r"^### (\w+)$", read(DOCS / "macros.md"), re.MULTILINE) == defined


def test_every_command_has_its_help_in_the_docs() -> None:
    shown = re.findall(r"<!-- help: ([^>]+) -->", read(DOCS / "cli.md"))
    assert sorted(shown) == sorted(commands())


def test_every_command_has_one_line_of_help_and_an_example() -> None:
    for line, command in commands().items():
        assert command.get_short_help_str(limit=80), f"{line} has no help"
        if not isinstance(command, click.Group):
            assert re.search(rf"^ +(\$ )?{line}\b", generate.help_of(line), re.MULTILINE), f"{line} shows no example"


# -- configuration -------------------------------------------------------------------------------------------------


def test_the_keys_of_the_docs_are_those_of_the_code() -> None:
    documented = sorted(sorted(table) for table in key_tables(read(DOCS / "configuration.md")))
    assert documented == sorted(sorted(keys) for keys in configuration_keys())


def test_every_name_of_a_template_is_documented() -> None:
    (names,) = key_tables(read(DOCS / "macros.md"))
    assert {name.partition("(")[0] for name in names} == set(NAMES)


def configuration_keys() -> list[tuple[str, ...]]:
    """The keys of each section: pyproject.toml's, ``config()``'s, and those of every mapping read out of YAML."""
    found = [settings.KEYS, tuple(READERS), *(option_keys(row.options) for row in ENGINES.values())]
    found += map(online.keys_of, online.TYPES)
    for path in sorted(PROPERTIES.glob("*.py")):
        for node in ast.walk(ast.parse(read(path))):
            match node:
                case ast.Call(func=ast.Name(id="Reader"), args=[_, _, ast.Call()]):
                    assert path.stem in ("targets", "online")  # whose options are those of the engines and stores
                case ast.Call(func=ast.Name(id="Reader"), args=[_, _, keys]):
                    module = import_module(f"asknown.project.{path.stem}")
                    found.append(tuple(eval(ast.unparse(keys), vars(module))))
    assert len(found) > 8, "the sections of the configuration were not found"
    return found


def key_tables(text: str) -> list[list[str]]:
    """The first column, without its quotes, of each of the page's tables that heads it key, name or code."""
    tables = re.findall(r"^\| (?:key|name|code) \|.*\n\|[-| :]+\|\n((?:\|.*\n?)+)", text, re.MULTILINE)
    return [re.findall(r"^\| `([^`]+)` \|", rows, re.MULTILINE) for rows in tables]


# -- what anybody may type -----------------------------------------------------------------------------------------


@each_page
def test_commands_in_the_docs_exist(page: Path) -> None:
    known = commands()
    for words in typed_lines(read(page), "asknown"):
        typed = f"{page.name} types '{' '.join(words)}'"
        command = next((f"asknown {word}" for word in words[1:] if f"asknown {word}" in known), None)
        assert command or all(word.startswith("-") for word in words[1:]), typed
        parameters = [*known["asknown"].params, *(known[command].params if command else [])]
        options = {"--help", *(option for one in parameters for option in (*one.opts, *one.secondary_opts))}
        assert {word.partition("=")[0] for word in words[1:] if re.match(r"--?[a-z]", word)} <= options, typed


@each_page
def test_make_targets_in_the_docs_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    assert {"demo", "test", "check", "docs", "wheel", "clean"} <= targets
    for words in typed_lines(read(page), "make"):
        assert {word for word in words[1:] if "=" not in word and word != "…"} <= targets


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(read(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(read(there)), f"{page.name} links to {target}"


def commands() -> dict[str, click.Command]:
    """Every command by what one types for it: ``asknown``, ``asknown train``, and so on."""
    main = import_module("asknown.cli.group").main
    context = click.Context(main, info_name="asknown")
    found = {"asknown": main}
    for name in main.list_commands(context):
        found[f"asknown {name}"] = main.get_command(context, name)
    return found


def typed_lines(text: str, program: str) -> Iterator[list[str]]:
    """The words of each line in the page's shell blocks that starts with ``program``, or has it after ``&&``."""
    for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|", line):
                words = shlex.split(part.removeprefix("$ "), comments=True)
                if words and words[0] == program:
                    yield words


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings get on GitHub."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
