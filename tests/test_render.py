"""What a template may say, and what it gives: config, ref, source, var, env_var, and what goes wrong."""

from __future__ import annotations

import dataclasses

import duckdb
import pytest
import sqlglot
from sqlglot.dialects.duckdb import DuckDB

from asknown.errors import AsknownError
from asknown.render import Renderer, ViewConfig, quote_name
from render_project import make_project, place, refuse, render

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
        ("config(entity=['route', 'carrier'], event_time='t')", ViewConfig(("route", "carrier"), event_time="t")),
        ("config(entity=[], event_time='t', ttl=0)", ViewConfig((), event_time="t")),
        ("config(entity='carrier', event_time='t', ttl='0 days')", ViewConfig(("carrier",), event_time="t")),
        ("config(entity='carrier', event_time='t', known_at=none, ttl=none)", ViewConfig(("carrier",), event_time="t")),
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
        ("entity='carrier'", "bad-config", "has no event_time", 11),
        ("tags='a', event_time='t'", "bad-config", "has event_time but no entity", 21),
        ("known_at='t'", "bad-config", "has known_at but no entity", 11),
        ("created_at='t'", "bad-config", "has created_at but no entity", 11),
        ("ttl=0", "bad-config", "has ttl but no entity", 11),
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
    connection = duckdb.connect()
    words = {word for (word,) in connection.sql("select keyword_name from duckdb_keywords()").fetchall()}
    words |= {word.lower() for word in DuckDB.Tokenizer.KEYWORDS}
    assert len(words) > 500
    for word in words:
        name = quote_name(word)
        sql = f"with {name} as (select 1 as {name}) select {name}, max({name}) over (partition by {name}) from {name}"
        assert connection.sql(sql).fetchall() == [(1, 1)], sql
        assert sqlglot.parse_one(sql, read="duckdb").named_selects[0] == word, sql


@pytest.mark.parametrize(
    ("expression", "code", "words", "hint", "column"),
    [
        ("ref('landing')", "unknown-model", "no model 'landing'", "did you mean 'landings'?", 9),
        ("ref('m')", "cycle", "'m' refers to itself", None, 9),
        ("ref()", "wrong-type", "ref() takes", "write ref('model')", 0),
        ("ref('a', 'b')", "not-pinned", "'a.b' is not in asknown.lock", "asknown pin a.b", 14),
        ("ref('a', 'b', 'c')", "wrong-type", "ref() takes", "write ref('model')", 0),
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
        ("a\n{{ 'x' | uper }}", "undefined", "no filter 'uper'", "2:10", "'upper'"),
        ("{{ 'x' | random }}", "undefined", "no filter 'random'", "1:10", "filters"),
        ("{% if 1 is evn %}{% endif %}", "undefined", "no test 'evn'", "1:12", "'even'"),
        ("a\nb {{ 1 + }}", "template", "nexpected", "2", ""),
        ("a\n{% for x in y %}\nb", "template", "endfor", "2", ""),
        ("a\n{% iff x %}", "template", "no tag 'iff'", "2:4", "'if'"),
        ("a {# never closed", "template", "comment", "1", ""),
        ("{{ 'never closed }}", "template", "unexpected char", "1", ""),
        ("a\n{% include 'x' %}", "template", "{% include %} is not supported", "2", ""),
        ("{% extends 'x' %}", "template", "{% extends %} is not supported", "1", ""),
        ("{% import 'x' as x %}", "template", "{% import %} is not supported", "1", ""),
        ("{% from 'x' import y %}", "template", "{% from %} is not supported", "1", ""),
        ("a\n{% block x %}{% endblock %}", "template", "{% block %} is not supported", "2", ""),
        ("{% autoescape true %}{% endautoescape %}", "template", "{% autoescape %} is not supported", "1", ""),
        ("{% for x in [1] %}{% break %}{% endfor %}", "template", "no tag 'break'", "1:22", ""),
        ("a\n{{ 1 / 0 }}", "template", "division by zero", "2", ""),
        ("{{ 'a' + 1 }}", "template", "concatenate", "1", ""),
        ("{{ {}['__class__'] }}", "template", "'__class__' of a dict", "1:8", ""),
        ("{{ ''.__class__.__mro__ }}", "template", "'__class__' of a str", "1:7", ""),
        ("{{ ref.__globals__ }}", "template", "'__globals__' of a method", "1:8", ""),
        ("{% set xs = [] %}\n{% do xs.append(1) %}", "template", "'append' of a list", "2:10", "xs + [x]"),
        ("{{ last }}", "template", "'last' is a function that is not called", "1:4", "last(…)"),
        ("{{ config }}", "template", "'config' is a function that is not called", "1:4", "config(…)"),
        ("{{ range }}", "template", "'range' is a function that is not called", "1:4", "range(…)"),
        ("{{ none }}", "template", "the value is none", "1", "null"),
        ("{{ namespace(a=1) }}", "template", "namespace cannot be written as text", "1", ""),
        ("{{ ['a'] | map('upper') }}", "template", "cannot be written as text", "1", "join"),
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
    assert render("1{{ 'x' if false }}{{ ('y' if false) ~ 2 }}").sql == "12"


def test_our_own_bugs_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asknown.render.renderer.ViewConfig", None)
    with pytest.raises(TypeError, match="not callable"):
        render("select 1")


def test_values_of_the_environment_never_stand_in_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASKNOWN_TEST_SECRET", "hunter2")
    for use in ("{{ env_var('ASKNOWN_TEST_SECRET').nope }}", "{{ env_var('ASKNOWN_TEST_SECRET') + 1 }}"):
        with pytest.raises(AsknownError) as caught:
            render(use)
        assert "hunter2" not in str(caught.value)
