"""A statement is written with its CTEs indented, and no literal in them is changed."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlglot.errors import TokenError

from asknown.dialects.duckdb import DUCKDB
from asknown.dialects.registry import NAMES, find_dialect
from asknown.emit.statement import Cte, Statement, is_surely_unbroken, lines_in_tokens, write

pieces = st.sampled_from(
    [
        *"'\"`$\\/-[](){}#;a1 \n",
        "--",
        "/*",
        "*/",
        "$$",
        "$t$",
        "''",
        "'''",
        '""',
        '"""',
        "E'",
        "r'",
        "x'",
        "'a'",
        '"a"',
        "[1]",
    ]
)


@example("'''x'\n'")  # of several lines in BigQuery
@example("['a]' \n'")  # in SQLite, where brackets quote a name
@example("`'`]`\n'")  # where backticks are no quotes
@given(st.lists(pieces, max_size=16).map("".join))
def test_what_is_surely_unbroken_is_so_in_every_dialect(text: str) -> None:
    if is_surely_unbroken(text):
        for name in NAMES:
            with suppress(TokenError):
                assert lines_in_tokens(text, find_dialect(name)) == set(), name


@pytest.mark.parametrize("text", ["select a // 2 - 1, b[1], 'it''s', \"A b\" from t\nwhere c -> 'x' > 1", "select 1\n"])
def test_plain_text_is_surely_unbroken(text: str) -> None:
    assert is_surely_unbroken(text)


@pytest.mark.parametrize("literal", ["'a\n  b'", "$$a\n'\n  b$$", "E'a\\'\n  b'", "/* ' */ 'a\n  b'"])
def test_a_literal_of_several_lines_is_kept(literal: str) -> None:
    text = f"select\n  {literal} as x"
    written = write(Statement((Cte("v", text),), "SELECT * FROM v"), DUCKDB)
    assert literal in written
    assert "\n  select\n" in written
