"""References resolve: each rule that a file cites is a heading of docs/semantics.md, and each page it names exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCANNED = ("bench", "compiler", "docs", "tests")
# "rule 3", "rules 3 and 4", "rules 2, 3, and 5", also where a line ends in between.
CITED = re.compile(r"\brules?\s+(\d+(?:(?:,\s*and\s+|,\s*|\s+and\s+)\d+)*)")
PAGE = re.compile(r"[\w./-]*\w\.md\b")
# In two parts, because this file is scanned too.
UNSHIPPED = re.compile(r"\bDES" + r"IGN\b")


def tracked_texts(*folders: str) -> dict[str, str]:
    """The texts of the repository's files by path; of all folders, or of those named."""
    listed = subprocess.run(["git", "ls-files", "-z", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    texts = {}
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and not path.is_symlink():
            try:
                texts[name] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # a picture or a data file
    return texts


def cited_rules(text: str) -> set[int]:
    """The numbers of the rules that a text cites."""
    return {int(number) for found in CITED.findall(text) for number in re.findall(r"\d+", found)}


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("the total order of rule 3", {3}),
        ("(rules 2, 4, 5, 9, 10)", {2, 4, 5, 9, 10}),
        ("rules 6 and\n    8", {6, 8}),
        ("rules 3, 7, and 10 of 12", {3, 7, 10}),
        ("3 rules and 4 reasons", set()),
    ],
)
def test_citations_are_seen(text: str, rules: set[int]) -> None:
    assert cited_rules(text) == rules


def test_each_rule_that_is_cited_has_its_heading() -> None:
    headings = re.findall(r"^## (\d+)\. ", (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8"), re.MULTILINE)
    rules = {int(number) for number in headings}
    assert sorted(rules) == list(map(int, headings)), "the rules are out of order, or one has two headings"
    texts = tracked_texts(*SCANNED)
    cited = {name: cited_rules(text) for name, text in texts.items() if name != f"tests/{Path(__file__).name}"}
    assert {1, 2, 3, 4, 5} <= set().union(*cited.values())
    missing = {name: sorted(numbers - rules) for name, numbers in cited.items() if numbers - rules}
    assert missing == {}, "docs/semantics.md lacks these rules"


def test_no_file_names_a_page_that_is_not_in_the_repository() -> None:
    texts = tracked_texts()
    pages = {Path(name).name for name in texts if name.endswith(".md")}
    unknown = {
        name: sorted(found)
        for name, text in texts.items()
        if (found := {page for page in PAGE.findall(text) if Path(page).name not in pages})
    }
    assert unknown == {}
    assert [name for name, text in texts.items() if UNSHIPPED.search(text)] == []
