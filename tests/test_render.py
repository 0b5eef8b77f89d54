"""What a template may say, and what it gives: config, ref, source, var, env_var, macros, and their errors."""

from __future__ import annotations

import dataclasses
import threading

import duckdb
import pytest
import sqlglot
from render_project import VIEW, make_project, place, refuse, render

from sqlglot.dialects.duckdb import DuckDB

from asknown.errors import AsknownError
from asknown.render import Renderer, ViewConfig, quote_name

# -- config --------------------------------------------------------------------------------------------------------


def test_config_renders_to_nothing_and_is_read() -> None:
    rendered = render(
        "{{ config(entity='carrier', event_time='landed_at', known_at='seen_at', created_at='loaded_at',\n"
        "          ttl='3 days', online=false, materialized='table', owner='ops', description='Delays.',\n"
        "          tags=['a', 'b'], meta={'team': 'ops'}) }}\n"
        "select 1"
    )
    assert rendered.sql == "select 1"
    assert rendered.config == ViewConfig(
        entity=("carrier",),
        event_time="landed_at",
        known_at="seen_at",
        created_at="loaded_at",
        ttl=3 * 86_400_000_000,
        online=False,
        materialized="table",
        owner="ops",
        description="Delays.",
        tags=("a", "b"),
        meta={"team": "ops"},
    )


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("", ViewConfig()),
        ("config()", ViewConfig()),
        ("config(tags='one')", ViewConfig(tags=("one",))),
        ("config(entity=['route', 'carrier'], event_time='t')", ViewConfig(("route", "carrier"), "t")),
        ("config(entity=[], event_time='t', ttl=0)", ViewConfig((), "t")),
        ("config(entity='carrier', event_time='t', ttl='0 days')", ViewConfig(("carrier",), "t")),
        ("config(entity='carrier', event_time='t', known_at=none, ttl=none)", ViewConfig(("carrier",), "t")),
        ("config(entity=none, materialized='view')", ViewConfig(materialized="view")),
    ],
)
def test_config_values(config: str, expected: ViewConfig) -> None:
    assert render(f"{{{{ {config} or '' }}}}select 1" if config else "select 1").config == expected


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("select 1", 0),
        ("-- why\n\n{{ config(tags='a') }}\nselect 1", 3),
        ("-- why\n\n{% do config(tags='a') %}\nselect 1", 3),
        ("{% if false %}\n{{ config(tags='a') }}\n{% else %}\n{{\n config(tags='b') }}{% endif %}select 1", 5),
    ],
)
def test_config_line(template: str, line: int) -> None:
    assert render(template).config_line == line


@pytest.mark.parametrize(
    ("config", "code", "words", "column"),
    [
        ("entty='carrier'", "unknown-key", "no key 'entty'", 11),
        ("entity='carier', event_time='t'", "unknown-entity", "no entity 'carier'", 19),
        ("entity=['carrier', 'rout'], event_time='t'", "unknown-entity", "no entity 'rout'", 31),
        ("entity=['carrier', 'carrier'], event_time='t'", "bad-config", "'carrier' twice", 11),
        ("entity='carrier'", "bad-config", "when its rows happened", 11),
        ("tags='a', event_time='t'", "bad-config", "gives event_time but no entity", 21),
        ("known_at='t'", "bad-config", "gives known_at but no entity", 11),
        ("created_at='t'", "bad-config", "gives created_at but no entity", 11),
        ("ttl=0", "bad-config", "gives ttl but no entity", 11),
        ("entity=3", "wrong-type", "for entity, not 3", 11),
        ("entity=[3], event_time='t'", "wrong-type", "for entity, not a list", 11),
        ("entity='carrier', event_time=['t']", "wrong-type", "for event_time, not a list", 29),
        ("entity='carrier', event_time=''", "wrong-type", "for event_time, not ''", 29),
        ("entity='carrier', event_time='t', ttl=3", "wrong-type", "for ttl, not 3", 45),
        ("entity='carrier', event_time='t', ttl=false", "wrong-type", "for ttl, not false", 45),
        ("entity='carrier', event_time='t', ttl='3 moons'", "bad-duration", "'3 moons' is not a duration", 45),
        ("entity='carrier', event_time='t', ttl='1 month'", "bad-duration", "no fixed length", 45),
        ("online='yes'", "wrong-type", "true or false for online, not 'yes'", 11),
        ("online=1", "wrong-type", "true or false for online, not 1", 11),
        ("materialized='tabel'", "wrong-type", "for materialized, not 'tabel'", 11),
        ("owner=['ops']", "wrong-type", "a text for owner", 11),
        ("description=1.5", "wrong-type", "a text for description, not 1.5", 11),
        ("tags=[1]", "wrong-type", "for tags", 11),
        ("meta='ops'", "wrong-type", "for meta, not 'ops'", 11),
        ("meta={1: 2}", "wrong-type", "for meta, not a mapping", 11),
        ("{'entity': 'carrier'}", "wrong-type", "key=value", 0),
    ],
)
def test_config_refuses(config: str, code: str, words: str, column: int) -> None:
    error = refuse(f"-- a model\n{{{{ config({config}) }}}}\nselect 1", code)
    assert words in error.message
    assert error.at is not None
    assert (error.at.path, error.at.line, error.at.column) == ("models/m.sql", 2, column)


def test_config_points_at_the_key_on_a_later_line_of_the_call() -> None:
    error = refuse("{{ config(\n    entity='carrier',\n    event_tme='landed_at',\n) }}\nselect 1", "unknown-key")
    assert place(error) == "models/m.sql:3:5"
    assert error.hint == "did you mean 'event_time'?"


def test_config_hints() -> None:
    assert "'table'" in str(refuse("{{ config(materialized='tabel') }}select 1", "wrong-type").hint)
    assert "'carrier'" in str(refuse("{{ config(entity='carier', event_time='t') }}select 1", "unknown-entity").hint)
    assert "entity=" in str(refuse("{{ config(ttl='3 days') }}select 1", "bad-config").hint)


def test_config_twice_is_refused() -> None:
    error = refuse("{{ config(tags='a') }}\n{{ config(tags='b') }}\nselect 1", "bad-config")
    assert place(error) == "models/m.sql:2"
    assert "twice" in error.message


# -- ref, source, this ---------------------------------------------------------------------------------------------


def test_ref_and_source_are_written_and_noted_once_in_order() -> None:
    rendered = render(
        "select * from {{ ref('landings') }} join {{ source('nyc', 'planes') }} join {{ ref('Order') }}\n"
        "join {{ ref('landings') }} join {{ source('nyc', 'flights') }} join {{ source('nyc', 'planes') }}"
        " join {{ source('raw', 'odd.name') }}, {{ this }}"
    )
    assert rendered.sql == (
        'select * from landings join "nyc.planes" join "Order"\n'
        'join landings join "nyc.flights" join "nyc.planes" join "raw.odd.name", m'
    )
    assert rendered.refs == ("landings", "Order")
    assert rendered.sources == (("nyc", "planes"), ("nyc", "flights"), ("raw", "odd.name"))


def test_a_ref_that_is_not_rendered_into_the_text_still_counts() -> None:
    assert render("{% set x = ref('landings') %}select 1").refs == ("landings",)
    assert render("{% if false %}{{ ref('landings') }}{% endif %}select 1").refs == ()


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("landings", "landings"),
        ("_x1", "_x1"),
        ("Landings", '"Landings"'),
        ("order", '"order"'),
        ("2nd", '"2nd"'),
        ("two words", '"two words"'),
        ('say "hi"', '"say ""hi"""'),
        ("ünïcode", '"ünïcode"'),
        ("", '""'),
    ],
)
def test_names_are_quoted_where_they_must_be(name: str, written: str) -> None:
    assert quote_name(name) == written


def test_no_keyword_of_the_engine_stays_bare_where_it_breaks_a_query() -> None:
    words = {word for (word,) in duckdb.sql("select keyword_name from duckdb_keywords()").fetchall()}
    words |= {word.lower() for word in DuckDB.Tokenizer.KEYWORDS}
    assert len(words) > 500
    for word in words:
        name = quote_name(word)
        sql = f"with {name} as (select 1 as {name}) select {name}, max({name}) over (partition by {name}) from {name}"
        assert duckdb.sql(sql).fetchall() == [(1, 1)], sql
        parsed = sqlglot.parse_one(sql, read="duckdb")
        assert duckdb.sql(parsed.sql("duckdb")).fetchall() == [(1, 1)], sql


@pytest.mark.parametrize(
    ("expression", "code", "words", "hint", "column"),
    [
        ("ref('landing')", "unknown-model", "no model 'landing'", "did you mean 'landings'?", 9),
        ("ref('m')", "cycle", "'m' refers to itself", None, 9),
        ("ref()", "wrong-type", "ref() takes", "write ref('model')", 0),
        ("ref('a', 'b')", "wrong-type", "ref() takes", "write ref('model')", 0),
        ("ref(3)", "wrong-type", "ref() takes", "write ref('model')", 0),
        ("ref(name='landings')", "wrong-type", "ref() takes", "write ref('model')", 0),
        ("source('nyc', 'flihgts')", "unknown-source", "'nyc' has no table 'flihgts'", "did you mean 'flights'?", 19),
        ("source('nyk', 'flights')", "unknown-source", "no source 'nyk'", "did you mean 'nyc'?", 12),
        ("source('nyc')", "wrong-type", "source() takes", "write source('source', 'table')", 0),
    ],
)
def test_ref_and_source_refuse(expression: str, code: str, words: str, hint: str | None, column: int) -> None:
    error = refuse(f"{{{{ {expression} }}}}", code)
    assert words in error.message
    assert error.hint == hint
    assert place(error) == ("models/m.sql:1" if not column else f"models/m.sql:1:{column}")


def test_text_that_is_no_model_of_the_project_may_ref_a_model_of_its_name() -> None:
    project = make_project({"m": "select 1"})
    spine = dataclasses.replace(project.models["m"], text="select * from {{ ref('m') }}")
    assert Renderer(project).render_model(spine).refs == ("m",)


# -- var, env_var, raise -------------------------------------------------------------------------------------------


def test_variables() -> None:
    assert render("{{ var('days') }} {{ var('xs') | join(',') }}", days=3, xs=[1, 2]).sql == "3 1,2"
    assert render("{{ var('days', 7) }}").sql == "7"
    assert render("{{ 'no' if var('x', none) is none }}").sql == "no"
    assert render("{{ var('x', none) }}1", x=0).sql == "01"


def test_a_missing_variable_says_what_there_is() -> None:
    error = refuse("select\n  {{ var('dais') }}", "undefined", days=3)
    assert place(error) == "models/m.sql:2:11"
    assert "did you mean 'days'?" in str(error.hint)
    assert "[tool.asknown.vars]" in str(error.hint)
    assert "there are no variables" in str(refuse("{{ var('dais') }}", "undefined").hint)


def test_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASKNOWN_TEST_SCHEMA", "raw")
    monkeypatch.delenv("ASKNOWN_TEST_NONE", raising=False)
    assert render("{{ env_var('ASKNOWN_TEST_SCHEMA') }} {{ env_var('ASKNOWN_TEST_NONE', 'x') }}").sql == "raw x"
    error = refuse("{{ env_var('ASKNOWN_TEST_NONE') }}", "missing-env")
    assert "ASKNOWN_TEST_NONE" in error.message
    assert "export ASKNOWN_TEST_NONE=" in str(error.hint)
    assert place(error) == "models/m.sql:1:13"


def test_raise_ends_the_rendering_with_its_message() -> None:
    error = refuse("select 1\n{% if 1 > 0 %}\n{{ raise('no such luck') }}{% endif %}", "template")
    assert error.message == "no such luck"
    assert place(error) == "models/m.sql:3"


# -- macros --------------------------------------------------------------------------------------------------------


def test_macros_find_each_other_across_files_in_any_order() -> None:
    macros = {
        "b.sql": "{% macro outer(x) %}[{{ inner(x) }}]{% endmacro %}\n",
        "a.sql": "{# first #}\n{% macro inner(x) %}<{{ _deep() }}{{ x }}>{% endmacro %}",
        "c.sql": "{% macro _deep() %}!{% endmacro %}",
    }
    assert render("{{ outer(1) }}", macros).sql == "[<!1>]"


def test_macros_see_the_model_that_renders() -> None:
    macros = {
        "a.sql": "{% macro landed() %}{{ config(entity='shop', event_time='At') }}{{ ref('landings') }} "
        "{{ source('nyc', 'planes') }} {{ this }} {{ var('v') }} {{ view.keys | join(';') }} {{ view.event_time }}"
        "{% endmacro %}"
    }
    rendered = render("\nselect {{ landed() }}", macros, v=9)
    assert rendered.sql == 'select landings "nyc.planes" m 9 "order";"Shop Id" "At"'
    assert rendered.refs == ("landings",)
    assert rendered.sources == (("nyc", "planes"),)
    assert rendered.config.entity == ("shop",)
    assert rendered.config_line == 2


def test_one_renderer_keeps_models_apart() -> None:
    macro = "{% macro keys() %}{{ view.keys | join(',') }}{% endmacro %}"
    view = "{{{{ config(entity='{}', event_time='t') }}}}{{{{ keys() }}}} {{{{ ref('{}') }}}}"
    project = make_project(
        {"a": view.format("carrier", "b"), "b": view.format("route", "a"), "c": "{{ keys() }}"}, {"k.sql": macro}
    )
    renderer = Renderer(project)
    for _ in range(2):
        first, second = (renderer.render_model(project.models[name]) for name in "ab")
        assert (first.sql, first.refs) == ("carrier b", ("b",))
        assert (second.sql, second.refs) == ("origin,dest a", ("a",))
        with pytest.raises(AsknownError, match="before it names them"):
            renderer.render_model(project.models["c"])


def test_threads_may_share_a_renderer() -> None:
    models = {f"m{n}": f"{{% for i in range(300) %}}{{{{ i * {n} }}}}\n{{% endfor %}}" for n in range(8)}
    project = make_project(models)
    renderer = Renderer(project)
    results: dict[str, str] = {}

    def work(name: str) -> None:
        results[name] = renderer.render_model(project.models[name]).sql

    threads = [threading.Thread(target=work, args=(name,)) for name in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {f"m{n}": "\n".join(str(i * n) for i in range(300)) for n in range(8)}


def test_a_macro_of_the_project_overrides_a_standard_one_everywhere() -> None:
    own = {"mine.sql": "{% macro operand(x) %}OWN{% endmacro %}"}
    assert render("{{ operand('a') }} {{ hhmm_minutes('a') }}", own).sql == "OWN ((OWN // 100) * 60 + OWN % 100)"


def test_a_model_has_macros_of_its_own() -> None:
    template = "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}{{ twice('a') }}{% call(y) each() %}{{ y }}!{% endcall %}"
    assert render(template, {"e.sql": "{% macro each() %}{{ caller(1) }}{{ caller(2) }}{% endmacro %}"}).sql == "aa1!2!"


def test_two_macros_of_one_name_are_refused_with_both_places() -> None:
    macros = {"a.sql": "{% macro f() %}{% endmacro %}", "b.sql": "{# again #}\n{% macro f() %}{% endmacro %}"}
    error = refuse("select 1", "duplicate-name", macros)
    assert "macros/a.sql:1" in error.message
    assert "macros/b.sql:2" in error.message
    assert place(error) == "macros/b.sql:2:10"
    error = refuse("select 1", "duplicate-name", {"a.sql": "{% macro f() %}{% endmacro %}\n" * 2})
    assert "macros/a.sql:1" in error.message
    assert place(error) == "macros/a.sql:2:10"


@pytest.mark.parametrize("name", ["ref", "config", "range", "view", "this"])
def test_a_macro_cannot_take_a_name_of_asknown(name: str) -> None:
    error = refuse("select 1", "duplicate-name", {"a.sql": f"\n{{% macro {name}() %}}{{% endmacro %}}"})
    assert place(error) == "macros/a.sql:2:10"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{% macro f() %}{% endmacro %}\n\n  loose text", 3),
        ("{# fine #}\n{% set x = 1 %}", 2),
        ("\n\n{{ 1 }}", 3),
        ("{% macro f() %}\n{% if %}\n{% endmacro %}", 2),
        ("{% macro f() %}\n{{ 'a' | nofilter }}\n{% endmacro %}", 2),
        ("{% macro f() %}\n", 1),
    ],
)
def test_a_broken_macro_file_is_shown_at_its_own_line(text: str, line: int) -> None:
    with pytest.raises(AsknownError) as caught:
        render("select 1", {"bad.sql": text})
    assert caught.value.code in ("template", "undefined")
    assert caught.value.at is not None
    assert (caught.value.at.path, caught.value.at.line) == ("macros/bad.sql", line)


def test_an_error_inside_a_macro_points_into_it_and_names_the_call() -> None:
    macros = {"a.sql": "{% macro f(x) %}\n  {{ g(x) }}\n{% endmacro %}", "b.sql": "{% macro g(x) %}\n\n{{ x / 0 }}{% endmacro %}"}
    error = refuse("select\n\n  {{ f(1) }}", "template", macros)
    assert place(error) == "macros/b.sql:3"
    assert error.message == "division by zero, in macro 'g', called from models/m.sql:3"
    error = refuse("select\n{{ f() }}", "template", {"a.sql": "{% macro f() %}\n{{ raise('stop') }}{% endmacro %}"})
    assert place(error) == "macros/a.sql:2"
    assert error.message == "stop, in macro 'f', called from models/m.sql:2"


def test_an_error_inside_a_standard_macro_points_at_the_users_own_line() -> None:
    error = refuse(VIEW + "select\n  x over {{ last('1 moon') }}", "bad-duration")
    assert place(error) == "models/m.sql:3:19"
    assert "in macro 'last'" in error.message
    error = refuse(VIEW + "{{ f() }}", "bad-duration", {"a.sql": "{% macro f() %}\n{{ last('1 moon') }}{% endmacro %}"})
    assert place(error) == "macros/a.sql:2:10"
    assert "called from models/m.sql:2" in error.message


def test_wrong_arguments_of_a_macro() -> None:
    error = refuse(VIEW + "{{ last('1 day', closd='left') }}", "template")
    assert error.message == "macro 'last' has no argument 'closd'"
    assert (place(error), error.hint) == ("models/m.sql:2:18", "did you mean 'closed'?")
    error = refuse(VIEW + "{{ last() }}", "undefined")
    assert "'window' was not provided" in error.message
    assert place(error) == "models/m.sql:2"
    assert "not more than 3" in refuse(VIEW + "{{ last(1, 2, 3, 4) }}", "template").message


# -- view ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "words"),
    [("", "before it names them"), ("{{ config(tags='a') }}", "is no feature view")],
)
def test_view_needs_a_feature_view(config: str, words: str) -> None:
    for use in ("{{ view.keys }}", "{{ view.event_time }}", "{{ last('1 day') }}"):
        error = refuse(f"{config}\n\n{use}", "template")
        assert words in error.message
        assert place(error) == "models/m.sql:3"
        assert "config(" in str(error.hint)


def test_view_keys_of_several_entities() -> None:
    text = "{{ config(entity=['route', 'carrier'], event_time='t') }}{{ view.keys | join(', ') }}"
    assert render(text).sql == "origin, dest, carrier"
    assert render("{{ config(entity=[], event_time='t') }}{{ view.keys | length }}").sql == "0"


# -- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "code", "words", "where", "hint"),
    [
        ("a\n{{ lsat('1 day') }}", "undefined", "'lsat' is not defined", "2:4", "did you mean 'last'?"),
        ("a\n{% if nope %}{% endif %}", "undefined", "'nope' is not defined", "2:7", "macros and functions"),
        ("{{ days }}", "undefined", "'days' is not defined", "1:4", "var('days')"),
        ("{{ landings }}", "undefined", "'landings' is not defined", "1:4", "ref('landings')"),
        ("{{ {'a': 1}.b }}", "undefined", "no attribute 'b'", "1", ""),
        ("{{ [1][4] }}", "undefined", "no element 4", "1", ""),
        ("{{ 'x' if false }}", "undefined", "no else section", "1", ""),
        ("a\n{{ 'x' | uper }}", "undefined", "no filter 'uper'", "2:10", "'upper'"),
        ("{{ 'x' | random }}", "undefined", "no filter 'random'", "1:10", "filters"),
        ("{% if 1 is evn %}{% endif %}", "undefined", "no test 'evn'", "1:12", "'even'"),
        ("a\nb {{ 1 + }}", "template", "nexpected", "2", ""),
        ("a\n{% for x in y %}\nb", "template", "endfor", "3", ""),
        ("a\n{% iff x %}", "template", "no tag 'iff'", "2:4", "'if'"),
        ("a {# never closed", "template", "comment", "1", ""),
        ("{{ 'never closed }}", "template", "unexpected char", "1", ""),
        ("a\n{% include 'x' %}", "template", "no {% include %} here", "2", ""),
        ("{% extends 'x' %}", "template", "no {% extends %} here", "1", ""),
        ("{% import 'x' as x %}", "template", "no {% import %} here", "1", ""),
        ("{% from 'x' import y %}", "template", "no {% from %} here", "1", ""),
        ("a\n{% block x %}{% endblock %}", "template", "no {% block %} here", "2", ""),
        ("{% autoescape true %}{% endautoescape %}", "template", "no {% autoescape %} here", "1", ""),
        ("{% for x in [1] %}{% break %}{% endfor %}", "template", "no tag 'break'", "1:22", ""),
        ("a\n{{ 1 / 0 }}", "template", "division by zero", "2", ""),
        ("{{ 'a' + 1 }}", "template", "concatenate", "1", ""),
        ("{{ {}['__class__'] }}", "template", "'__class__' of a dict", "1:8", ""),
        ("{{ ''.__class__.__mro__ }}", "template", "'__class__' of a str", "1:7", ""),
        ("{{ ref.__globals__ }}", "template", "'__globals__' of a method", "1:8", ""),
        ("{% set xs = [] %}\n{% do xs.append(1) %}", "template", "'append' of a list", "2:10", "xs + [x]"),
        ("{{ last }}", "template", "'last' is not called", "1:4", "last(…)"),
        ("{{ config }}", "template", "'config' is not called", "1:4", "config(…)"),
        ("{{ range }}", "template", "'range' is not called", "1:4", "range(…)"),
        ("{{ none }}", "template", "the value is none", "1", "null"),
        ("{{ namespace(a=1) }}", "template", "namespace has no text", "1", ""),
        ("{{ ['a'] | map('upper') }}", "template", "no text of its own", "1", "join"),
        ("", "template", "renders to no SQL", "1", "select"),
        ("\n{# only this #}\n  \n", "template", "renders to no SQL", "1", ""),
        ("{{ last(microseconds(3)) }}", "wrong-type", "not 3", "1", ""),
        ("{{ identifier('') }}", "wrong-type", "identifier() takes a name", "1", ""),
    ],
)
def test_what_goes_wrong_is_told_at_its_line(template: str, code: str, words: str, where: str, hint: str) -> None:
    error = refuse(template, code, days=3)
    assert words in error.message
    assert place(error) == f"models/m.sql:{where}"
    assert hint in str(error.hint)
    assert error.at is not None
    assert error.at.text == (template.split("\n") or [""])[error.at.line - 1]


def test_a_name_that_may_be_missing_can_be_asked_for() -> None:
    assert render("{{ 'a' if nope is defined else 'b' }}{{ nope | default('c') }}").sql == "bc"


def test_our_own_bugs_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    import asknown.render.renderer as module

    def broken(*_: object) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr(module, "_config_line", broken)
    with pytest.raises(TypeError, match="a bug"):
        render("select 1")


def test_values_of_the_environment_never_stand_in_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASKNOWN_TEST_SECRET", "hunter2")
    for use in ("{{ env_var('ASKNOWN_TEST_SECRET').nope }}", "{{ env_var('ASKNOWN_TEST_SECRET') + 1 }}"):
        with pytest.raises(AsknownError) as caught:
            render(use)
        assert "hunter2" not in str(caught.value)
