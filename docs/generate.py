"""Writes the generated parts of the pages in docs/: commands' help, error codes, macros, dialects, the source tree.

Each part stands between a mark, such as ``<!-- help: asknown train -->``, and ``<!-- end -->``. `make docs` runs this;
`python docs/generate.py --check` only says which pages are out of date.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from asknown.errors import CODES
from dialect_tables import make_table
from source_tree import make_layers, make_tree

DOCS = Path(__file__).resolve().parent
MACROS = DOCS.parent / "macros"
HELP_WIDTH = 96
HELP_AT_HAND = DOCS.parent / "compiler" / "asknown" / "cli" / "help_text.py"

_PART = re.compile(
    r"<!-- (codes|rules|statuses|macros|layers|tree|dialects: (?P<table>\w+)|help: (?P<command>asknown[ \w-]*))"
    r" -->\n.*?<!-- end -->",
    re.DOTALL,
)
_MACRO = re.compile(r"(?:\{#(?P<comment>(?:(?!#\}).)*)#\}\s*)?\{%-?\s*macro\s+(?P<signature>.+?)\s*-?%\}", re.DOTALL)
_ASIDE = re.compile(r"(?P<lead>\S.*?)  +(?P<code>\S.*)")


def refresh(text: str) -> str:
    """A page's text with its generated parts made anew."""
    return _PART.sub(lambda part: _between(part[0], _make_part(part)), text)


def pages() -> list[Path]:
    """The pages of docs/, in order."""
    return sorted(DOCS.glob("*.md"))


def _make_part(part: re.Match[str]) -> str:
    if part["command"] is not None:
        return f"```\n{help_of(part['command'])}\n```"
    if part["table"] is not None:
        return make_table(part["table"])
    return {
        "codes": codes_table,
        "statuses": statuses_table,
        "rules": rules_table,
        "macros": macros_list,
        "layers": make_layers,
        "tree": make_tree,
    }[part[1]]()


def _between(part: str, made: str) -> str:
    opening = part.partition("\n")[0]
    return f"{opening}\n\n{made}\n\n<!-- end -->"


def codes_table() -> str:
    """Every error code with what it means, in the order of the stages that raise them."""
    rows = [f"| `{code}` | {meaning} |" for code, meaning in CODES.items()]
    return "\n".join(["| code | means |", "|---|---|", *rows])


def statuses_table() -> str:
    """The HTTP statuses with the codes that have them, and what those codes mean that only HTTP has."""
    from asknown.serve.problems import OVER_HTTP, STATUS

    by_status: dict[int, list[str]] = {}
    for code, status in {**STATUS, "internal": 500}.items():
        by_status.setdefault(status, []).append(code)
    rows = []
    for status, codes in sorted(by_status.items()):
        meanings = " ".join(OVER_HTTP[code] for code in codes if code in OVER_HTTP)
        rows.append(f"| {status} | {', '.join(f'`{code}`' for code in codes)} | {meanings} |")
    return "\n".join(["| status | codes | codes of HTTP alone mean |", "|---|---|---|", *rows])


def rules_table() -> str:
    """Every rule of `asknown check` with its severity, by its code."""
    from asknown.lint.rules import RULES, WHOLE_RULES

    rows = [f"| `{rule.code}` | {rule.severity} | {rule.about} |" for rule in (*RULES, *WHOLE_RULES)]
    return "\n".join(["| rule | severity | finds |", "|---|---|---|", *rows])


def help_at_hand() -> str:
    """The module that has the group's help as a text, as it is at 80 columns."""
    text = help_of("asknown", width=78)
    assert '"""' not in text and "\\" not in text
    summary = "The text of `asknown --help` at 80 columns and more. Written by docs/generate.py."
    return f'"""{summary}"""\n\nTEXT = """\\\n{text}\n"""\n'


def help_of(command: str, *, width: int = HELP_WIDTH) -> str:
    """What ``command --help`` prints, at a fixed width."""
    from click.testing import CliRunner

    from asknown.cli.group import main

    program, *arguments = command.split()
    result = CliRunner().invoke(
        main, [*arguments, "--help"], prog_name=program, terminal_width=width, max_content_width=width
    )
    if result.exit_code != 0:
        raise SystemExit(f"`{command} --help` ends with {result.exit_code}: {result.output}")
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


def macros_list() -> str:
    """Every standard macro, by file: its call as a heading, and the comment above it."""
    return "\n\n".join(_describe(path, macro) for path in sorted(MACROS.glob("**/*.sql")) for macro in _find(path))


def _find(path: Path) -> Iterator[re.Match[str]]:
    yield from _MACRO.finditer(path.read_text(encoding="utf-8"))


def _describe(path: Path, macro: re.Match[str]) -> str:
    signature = macro["signature"]
    call, _, comment = textwrap.dedent(macro["comment"] or "").strip().partition("\n")
    if call != signature or not comment.strip():
        raise SystemExit(f"macros/{path.name}: above '{signature}' there is no comment that starts with these words")
    return "\n\n".join([f"### {signature.partition('(')[0]}", f"`{signature}`", *map(_mark_up, _paragraphs(comment))])


def _paragraphs(text: str) -> list[str]:
    return [paragraph for paragraph in re.split(r"\n\s*\n", text.strip("\n")) if paragraph.strip()]


def _mark_up(paragraph: str) -> str:
    """The paragraph as Markdown: code where it is indented or set in columns, else as it stands."""
    lines = paragraph.splitlines()
    aside = _ASIDE.fullmatch(paragraph)
    if aside is not None:
        return f"{aside['lead']} `{aside['code']}`"
    if any("  " in line for line in lines):
        language = "sql" if all(line.startswith(" ") for line in lines) else "text"
        return f"```{language}\n{textwrap.dedent(paragraph)}\n```"
    return paragraph


def main() -> None:
    """Writes the pages that are out of date, or names them under --check and fails."""
    stale = {page: new for page in pages() if (new := refresh(old := page.read_text(encoding="utf-8"))) != old}
    if (text := help_at_hand()) != (HELP_AT_HAND.read_text(encoding="utf-8") if HELP_AT_HAND.exists() else ""):
        stale[HELP_AT_HAND] = text
    if "--check" in sys.argv[1:]:
        if stale:
            raise SystemExit(f"out of date: {', '.join(page.name for page in stale)}; run make docs")
        return
    for page, text in stale.items():
        page.write_text(text, encoding="utf-8")
        print(f"wrote {page.relative_to(DOCS.parent)}")


if __name__ == "__main__":
    main()
