"""Rendering ends: text, work, depth and time are bounded, and the error names the place."""

from __future__ import annotations

import sys
import time
import tracemalloc

import pytest

from asknown.errors import AsknownError
from asknown.render import Renderer, budget
from render_project import VIEW, make_project, place, refuse, render

GROW = "{% set ns = namespace(x='ab') %}{% for i in range(60) %}\nGROW{% endfor %}{{ ns.x | length }}"


@pytest.mark.parametrize(
    "expression",
    [
        "'a' * 200000000",
        "200000000 * 'a'",
        "['a'] * 200000000",
        "'a' * 1500 * 1500",
        "9 ** 99999999",
        "(9 ** 9) ** 9999",
        "(2 ** 4000) * (2 ** 4000)",
        "'%3000000d' % 4",
        "('%s' * 2000) % (('a' * 1999,) * 2000)",
        "'{:{w}}'.format(4, w=3000000)",
        "'a\nb' | indent(3000000)",
        "('\n' * 2000) | indent('x' * 2000, blank=true)",
        "('a' * 2000) | replace('a', 'b' * 2000)",
        "('a' * 2000).replace('a', 'b' * 2000)",
        "('a' * 2000).replace('', 'b' * 2000)",
        "(['a'] * 2000) | join('b' * 2000)",
        "('b' * 2000).join(['a'] * 2000)",
        "'' ~ ([('a' * 2000)] * 2000)",
        "([('a' * 2000)] * 2000) | string",
        "([('a' * 2000)] * 2000) | upper",
        "range(1000000)",
        "range(100000000000000000000)",
    ],
)
def test_values_that_grow_are_refused(expression: str) -> None:
    tracemalloc.start()
    error = refuse("select\n{{ " + expression + " }}", "output-limit")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert place(error) == "models/m.sql:2"
    assert peak < 30_000_000


@pytest.mark.parametrize(
    "step",
    [
        "{% set ns.x = ns.x ~ ns.x %}",
        "{% set ns.x = ns.x + ns.x %}",
        "{% set ns.x = ns.x * 2 %}",
        "{% set ns.x = [ns.x, ns.x] %}{% if i == 59 %}{{ ns.x }}{% endif %}",
        "{% set ns.x = {'a': ns.x, 'b': ns.x} %}{% if i == 59 %}{{ ns.x ~ '' }}{% endif %}",
        "{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}",
        "{% set ns.x = twice(ns.x) %}",
        "{% set ns.x = ns.x | replace('ab', 'abab') %}",
        "{% set ns.x = '%s%s' % (ns.x, ns.x) %}",
        "{% set ns.x = '{0}{0}'.format(ns.x) %}",
        "{% set ns.x = [ns.x, ns.x] | join %}",
        "{% set ns.x = ns.x.replace('ab', 'abab') %}",
        "{% set ns.x = ns.x.join(['', '', '']) %}",
        "{% set ns.x = [ns.x, ns.x] %}{% if i == 59 %}{{ '{0!r}'.format(ns.x) }}{% endif %}",
        "{% if i == 0 %}{% set ns.x = 3 %}{% else %}{% set ns.x = ns.x * ns.x %}{% endif %}",
    ],
)
def test_what_doubles_in_a_loop_is_refused(step: str) -> None:
    macros = {"a.sql": "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}"}
    started = time.process_time()
    error = refuse(GROW.replace("GROW", step), "output-limit", macros)
    assert time.process_time() - started < 10
    assert error.at is not None
    assert error.at.line >= 1


@pytest.mark.parametrize(
    "template",
    [
        "\n{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "\n{% for i in range(100000) %}{% for j in range(100000) if false %}{% endfor %}{% endfor %}",
        "\n{% for i in range(100000) %}{% for j in range(100000) %}{{ '' }}{% endfor %}{% endfor %}",
        "\n{% for i in range(100000) %}{% for j in range(100000) %}{% set x = f() %}{% endfor %}{% endfor %}",
        "\n{% for i in range(100000) %}{% for j in range(100000) %}{% set x = 'a' | upper %}{% endfor %}{% endfor %}",
        "\n{% for i in range(100000) %}{% set x = 'a,b'.split(',') | map('upper') | list %}{% endfor %}",
    ],
)
def test_loops_end(template: str) -> None:
    error = refuse(template, "output-limit", {"f.sql": "{% macro f() %}{% endmacro %}"})
    assert "does not end" in error.message
    assert place(error).startswith("models/m.sql:2")


@pytest.mark.parametrize(
    "value",
    [
        *("'a' * 100000", "big.upper()", "big[1:]", "big.split('a')", "big | list", "big | upper", "big ~ ''"),
        *("many[:]", "many.copy()", "many | list", "map.copy()", "dict(map)", "f()"),
    ],
)
def test_a_loop_that_keeps_what_it_makes_is_stopped_by_the_total(value: str) -> None:
    sets = "{% set big = 'a' * 100000 %}{% set many = [1] * 50000 %}{% set map = {}.fromkeys(range(9999)) %}"
    macros = {"a.sql": "{% macro f() %}{% for i in range(10) %}" + "x" * 9999 + "{% endfor %}{% endmacro %}"}
    keep = "{% set ns = namespace(x=[]) %}{% for i in range(9000) %}{% set ns.x = [ns.x, VALUE] %}{% endfor %}"
    tracemalloc.start()
    error = refuse(sets + keep.replace("VALUE", value), "output-limit", macros)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert f"more than {budget.MAX_WORK:,} characters" in error.message
    assert peak < 2 * budget.MAX_WORK


def test_captured_template_text_counts() -> None:
    template = "{% set x %}{% for i in range(90000) %}" + "x" * 10_000 + "{% endfor %}{% endset %}{{ x | length }}"
    assert "characters" in refuse(template, "output-limit").message


def test_the_rendered_text_has_a_limit() -> None:
    line = "x" * 99 + "\n"
    assert len(render("select 1" + "\n" + "{% for i in range(19000) %}" + line + "{% endfor %}").sql) > 1_800_000
    error = refuse("select\n{% for i in range(21000) %}\n" + line + "{% endfor %}", "output-limit")
    assert f"more than {budget.MAX_TEXT:,} characters" in error.message
    assert error.at is not None
    assert error.at.line >= 2
    assert refuse("x" * (budget.MAX_TEXT + 1), "output-limit")


ROUND = "macro 'f' calls itself without end"


@pytest.mark.parametrize(
    ("macros", "words", "where"),
    [
        (["f(n=0) %}\n{{ f(n + 1) }}"], ROUND, "0.sql:2"),
        (["f() %}\n{{ g() }}", "g() %}\n\n{{ f() }}"], "calls itself without end through macro", ".sql:"),
        (["f() %}{% for x in [1] %}\n{{ f() }}{% endfor %}"], ROUND, "0.sql:2"),
        (["f(n=f()) %}"], ROUND, "0.sql:1"),
        (["f() %}\n{% call g() %}{{ f() }}{% endcall %}", "g() %}{{ caller() }}"], "through macro", ".sql:"),
    ],
)
def test_a_macro_that_calls_itself_without_end_is_named(macros: list[str], words: str, where: str) -> None:
    files = {f"{number}.sql": f"{{% macro {text}{{% endmacro %}}" for number, text in enumerate(macros)}
    error = refuse("select\n\n{{ f() }}", "output-limit", files)
    assert words in error.message
    assert "called from models/m.sql:3" in error.message
    assert where in place(error)


def test_a_recursive_loop_and_a_models_own_macro_end() -> None:
    error = refuse("\n{% for x in [1] recursive %}\n{{ loop([1]) }}{% endfor %}", "output-limit")
    assert place(error) == "models/m.sql:3"
    error = refuse("\n{% macro f() %}\n{{ f() }}{% endmacro %}{{ f() }}", "output-limit")
    assert "macro 'f'" in error.message
    assert place(error) == "models/m.sql:3"


def test_recursion_that_ends_is_fine() -> None:
    macro = {"a.sql": "{% macro f(n) %}{{ n }}{{ f(n - 1) if n else '' }}{% endmacro %}"}
    assert render("{{ f(40) }}", macro).sql == "".join(map(str, range(40, -1, -1)))


def test_recursion_ends_from_deep_in_the_callers_stack() -> None:
    def dive(depth: int) -> None:
        if depth:
            dive(depth - 1)
        else:
            refuse("{{ f() }}", "output-limit", {"a.sql": "{% macro f() %}\n{{ f() }}{% endmacro %}"})

    used = len(list(iter_frames()))
    dive(sys.getrecursionlimit() - used - 250)


def iter_frames() -> list[object]:
    """The frames of the stack."""
    frame, frames = sys._getframe(), []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return frames


@pytest.mark.parametrize(
    "template",
    [
        "\n{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "\n" + "{% for a in [1] %}" * 40 + "x" + "{% endfor %}" * 40,
        "\n" + "{% if 1 %}" * 3000 + "x" + "{% endif %}" * 3000,
        "\n{{ " + "-" * 5000 + "1 }}",
        "\n{{ 1" + " + 1" * 20000 + " }}",
    ],
)
def test_templates_that_nest_too_deep_are_refused(template: str) -> None:
    assert "too deep" in refuse(template, "template").message


def test_a_slow_template_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MAX_SECONDS", 0.2)
    slow = "{% set s = 'a' * 1000000 %}{% for i in range(200000) %}{% if 'b' in s %}{% endif %}{% endfor %}"
    started = time.process_time()
    assert "seconds" in refuse(slow.replace("200000", "100000"), "output-limit").message
    assert time.process_time() - started < 5


def test_a_failed_rendering_leaves_nothing_behind() -> None:
    project = make_project(
        {"good": VIEW + "select {{ f(3) }}", "deep": "{{ f(1000) }}", "wide": "{{ 'x' * 1999999 }}"},
        {"a.sql": "{% macro f(n) %}{{ n }}{{ f(n - 1) if n else '' }}{% endmacro %}"},
    )
    renderer = Renderer(project)
    for _ in range(3):
        assert renderer.render_model(project.models["good"]).sql == "select 3210"
        assert len(renderer.render_model(project.models["wide"]).sql) == 1_999_999
        with pytest.raises(AsknownError) as caught:
            renderer.render_model(project.models["deep"])
        assert caught.value.code == "output-limit"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("'ab' * 3 ~ [1] * 2", "ababab[1, 1]"),
        ("2 ** 10 + 7 % 4 - 2 ** -1", "1026.5"),
        ("'%05.1f|%s|%(a)s' % {'a': 1}", None),
        ("'%05.1f|%s|%d%%' % (2.25, 'x', 9)", "002.2|x|9%"),
        ("'%(a)s%(a)s' | format(a='x')", "xx"),
        ("'%s-%s' | format('x', 1)", "x-1"),
        ("'{} {:>4} {a[0]}'.format(1, 'x', a=['y'])", "1    x y"),
        ("'a\nb' | indent(2)", "a\n  b"),
        ("'a,b' | replace(',', ';') ~ 'xax'.replace('x', 'y', 1)", "a;byax"),
        ("['a', 'b'] | join('-') ~ '+'.join(['c', 'd'])", "a-bc+d"),
        ("[{'n': 'a'}, {'n': 'b'}] | join(', ', attribute='n')", "a, b"),
        ("[1, 2.5] | sum ~ ' ' ~ 2.567 | round(1)", "3.5 2.6"),
        ("[3, 1, 2] | sort | map('string') | list", "['1', '2', '3']"),
        ("['a', 'b'] | map('upper') | join", "AB"),
        ("[1, 2, 3] | select('odd') | list ~ [[1, 2]] | map('first') | list", "[1, 3][1]"),
        ("{'b': 1, 'a': 2} | dictsort | list", "[('a', 2), ('b', 1)]"),
        ("'Ab'.lower() ~ ' x '.strip() ~ 'a b'.split() ~ ('a' in 'abc')", "abx['a', 'b']True"),
        ("'x' | upper | default('y') | trim | length", "1"),
        ("(1, none, 2.5, true)", "(1, None, 2.5, True)"),
        ("range(3) | list", "[0, 1, 2]"),
        ("'abcd'[1:3] ~ 'abcd'[::-1] ~ [1, 2, 3][:2] ~ 'abcd'[2]", "bcdcba[1, 2]c"),
        ("'abab'.replace('a', 'x', 1) ~ dict(a=1)", "xbab{'a': 1}"),
    ],
)
def test_ordinary_expressions_work(expression: str, text: str | None) -> None:
    if text is None:
        refuse("{{ " + expression + " }}", "template")
    else:
        assert render("{{ " + expression + " }}").sql == text
