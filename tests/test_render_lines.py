"""Each line of the rendered SQL knows the line of the template that it came from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from asknown.project.nodes import ModelFile
from asknown.render import Rendered, Renderer
from render_project import VIEW, make_project, render

# Words that say their own line: § in a template below becomes w12_ on line 12.
WORD = re.compile(r"\s*w(\d+)_")


def number_words(template: str) -> str:
    """``template`` with each § replaced by a word that names its line."""
    lines = re.split(r"(\r\n|\r|\n)", template)
    return "".join(part.replace("§", f"w{index // 2 + 1}_") for index, part in enumerate(lines))


def check_words(rendered: Rendered) -> int:
    """Checks the map at every line that starts with such a word, and gives their number."""
    lines = re.split(r"\r\n|\r|\n", rendered.sql)
    assert len(lines) == len(rendered.lines)
    checked = 0
    for line, origin in zip(lines, rendered.lines, strict=True):
        if word := WORD.match(line):
            assert origin == int(word[1]), f"{line!r} of\n{rendered.template}"
            checked += 1
    return checked


def test_text_without_tags_keeps_its_lines() -> None:
    rendered = render("select\n    a,\n\n    b\nfrom t")
    assert rendered.sql == "select\n    a,\n\n    b\nfrom t"
    assert rendered.lines == (1, 2, 3, 4, 5)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_counts_once(end: str) -> None:
    rendered = render(number_words(f"§{end}{end}§ {{{{ 'x' }}}} §{end}{{% if true %}}{end}§{end}{{% endif %}}{end}§"))
    assert rendered.sql == "w1_\n\nw3_ x w3_\n\nw5_\n\nw7_"
    assert rendered.lines == (1, 2, 3, 4, 5, 6, 7)


def test_other_unicode_line_breaks_do_not_end_a_line() -> None:
    rendered = render("a\u2028b\x0bc\x85d\n{{ 'e\u2028f' }}\ng")
    assert rendered.lines == (1, 2, 3)
    assert rendered.where(3, 1).text == "g"


def test_blank_lines_around_the_sql_are_trimmed_and_the_map_with_them() -> None:
    rendered = render("\n  \n{{ config(tags='a') }}\n{# why #}\n\n  select 1;\n  \n{% if true %}\n{% endif %}\n\n")
    assert rendered.sql == "  select 1;"
    assert rendered.lines == (6,)
    assert render("select 1").lines == render("select 1\n").lines == (1,)


def test_loops_repeat_their_lines() -> None:
    rendered = render("select\n{% for x in ['a', 'b'] %}\n    {{ x }},\n    1 as {{ x }}2,\n{% endfor %}\n    c")
    assert [line.strip() for line in rendered.sql.split("\n")] == ["select", "", "a,", "1 as a2,", "", "b,", "1 as b2,",
                                                                   "", "c"]  # fmt: skip
    # A blank line belongs to the tag that makes it.
    assert rendered.lines == (1, 2, 3, 4, 2, 3, 4, 5, 6)


def test_whitespace_control() -> None:
    rendered = render(
        number_words("§ a\n\n{%- if true -%}\n\n  §\n{%- endif %}\n§ b\n\n{#- c -#}\n\n§\n{{- ' x' -}}\n\n  §\n")
    )
    assert rendered.sql == "w1_ aw5_\nw7_ bw11_ xw14_"
    assert rendered.lines == (1, 7)
    assert render("a\n{%- if true %}\n\n   {% endif -%}\n\n   b").lines == (1, 3, 6)


def test_a_line_comes_from_its_first_visible_character() -> None:
    rendered = render("a\n   {% if true -%}\n\n  b{% endif %}\nc")
    assert rendered.sql == "a\n   b\nc"
    assert rendered.lines == (1, 4, 5)


def test_an_expression_on_several_lines_has_the_line_of_its_first_word() -> None:
    rendered = render("select\n  {{\n    [\n  'a',\n  'b']\n    | join(',\\n') }}, {{ 'c' }}\nfrom t")
    assert rendered.sql == "select\n  a,\nb, c\nfrom t"
    assert rendered.lines == (1, 3, 3, 7)


def test_text_out_of_a_macro_has_the_line_of_the_call() -> None:
    macros = {"a.sql": "{% macro two() %}\none\n\n{% for x in 'ab' %}{{ x }}\n{% endfor %}{% endmacro %}"}
    rendered = render("a\n\nb {{ two() }} c\nd {{ two()\n }}\n", macros)
    assert rendered.sql == "a\n\nb \none\n\na\nb\n c\nd \none\n\na\nb"
    assert rendered.lines == (1, 2, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4)


def test_captured_text_has_the_line_that_lets_it_out() -> None:
    macros = {"a.sql": "{% macro f() %}<{{ caller() }}>{% endmacro %}"}
    template = (
        "{% set x %}\n1\n2\n{% endset %}\n"  # 1 to 4
        "a {{ x }}\n"
        "{% filter upper %}\nb\nc\n{% endfilter %}\n"  # 6 to 9
        "{% call f() %}d\ne\n{% endcall %}\n"  # 10 to 12
        "{% for y in [[]] recursive %}\nf\n{% endfor %}\n"
        "g"
    )
    rendered = render(template, macros)
    expected = [("a", 5), ("1", 5), ("2", 5), ("", 5), ("", 6), ("B", 6), ("C", 6), ("", 9), ("<d", 10), ("e", 10),
                (">", 10), ("", 13), ("f", 13), ("", 15), ("g", 16)]  # fmt: skip
    assert [line.strip() for line in rendered.sql.split("\n")] == [text for text, _ in expected]
    for (text, line), origin in zip(expected, rendered.lines, strict=True):
        assert not text or origin == line, text


def test_captured_text_is_only_text() -> None:
    template = "{% set x %}{{ 1 }}\n{% if true %}a{% endif %}{% endset %}{{ x | length }} {{ x == '1\\na' }} {{ [x] }}"
    assert render(template).sql == "3 True ['1\\na']"


def test_raw_text() -> None:
    template = "§\n{% raw %}\n§ {{ no }} {% neither %}\n§\n{%- endraw %} §\n§ {% raw -%}\n\n §{% endraw %}"
    rendered = render(number_words(template))
    assert "w3_ {{ no }} {% neither %}\nw4_ w5_\nw6_ w8_" in rendered.sql
    assert rendered.lines == (1, 2, 3, 4, 6)


def test_where_gives_the_templates_line_and_the_column_where_it_is_sure() -> None:
    rendered = render("{{ config(tags='a') }}\nselect a, {{ 1 }}, b\nfrom {{ ref('landings') }} as l\nwhere x\n")
    assert rendered.sql == "select a, 1, b\nfrom landings as l\nwhere x"

    def point(line: int, column: int) -> tuple[int, int]:
        where = rendered.where(line, column)
        assert where.path == "models/m.sql"
        assert where.text == rendered.template.split("\n")[where.line - 1]
        return where.line, where.column

    assert point(3, 7) == (4, 7)
    assert point(1, 8) == (2, 8)  # before the tag
    assert point(1, 11) == (2, 0)  # inside what the tag gave
    assert point(1, 14) == (2, 20)  # after the tag
    assert point(2, 15) == (3, 28)
    assert rendered.where(9).line == rendered.where(0).line == 0
    assert rendered.template_place(rendered.config_line).text == "{{ config(tags='a') }}"


def test_standard_windows_keep_the_lines_around_them() -> None:
    rendered = render(VIEW + "select\n  avg(x) over {{ last('1 day') }} as a,\n  b\nfrom t")
    assert rendered.lines == (2, 3, 4, 5)


# -- any template --------------------------------------------------------------------------------------------------

dash = st.sampled_from(["", "-"])
blank = st.sampled_from(["", " ", "\n", "\n\n  ", "\r\n"])
words = st.lists(st.sampled_from(["§", " ", "\n", "\r\n", "  ", "§ ", "\n\n", "x\n"]), max_size=5).map("".join)
spaces = st.sampled_from(["", " "])


def join(*parts: str | st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """The texts of ``parts``, one after the other."""
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map("".join)


def tags(opening: str, closing: str, inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A block of tags around a body, with whitespace control here and there."""
    start = join("{%", dash, " ", opening, blank, dash, "%}")
    return join(start, inside, "{%", dash, " ", closing, " ", dash, "%}")


comments = join("{#", dash, " why", blank, dash, "#}")
raws = tags("raw", "endraw", join(words, "{{ y }}", words))
expressions = join("{{", dash, spaces, "'§'", blank, dash, "}}")


def bodies(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Bodies that hold blocks of ``inside``; words in captured text cannot say their line."""
    captured = inside.map(lambda text: text.replace("§", "cap"))
    blocks = st.one_of(
        tags("if true", "endif", inside),
        tags("if false %}no\n{% else", "endif", inside),
        tags("for i in [1, 2] ", "endfor", inside),
        tags("for i in [1, 2, 3] if i > 1 ", "else %}no\n{% endfor", inside),
        tags("with a = 1 ", "endwith", inside),
        tags("set captured ", "endset", captured).map(lambda text: text + "{{ captured }}"),
        tags("filter upper ", "endfilter", captured),
        tags("macro local() ", "endmacro", captured).map(lambda text: text + "{{ local() }}"),
        tags("for i in [1] recursive ", "endfor", captured),
    )
    return st.lists(st.one_of(words, blocks, expressions, comments), max_size=5).map("".join)


templates = st.recursive(st.one_of(words, comments, raws, expressions), bodies, max_leaves=25)


RENDERER = Renderer(make_project({}))  # one for all: it reads its macros once


@settings(max_examples=250)
@given(templates)
def test_any_template_keeps_its_lines_and_its_text(body: str) -> None:
    template = number_words("§ start\n" + body + "\n§ end")
    rendered = RENDERER.render_model(ModelFile("m", Path("m.sql"), "models/m.sql", template))
    check_words(rendered)
    plain = ImmutableSandboxedEnvironment().from_string(template).render()
    assert rendered.sql == plain
