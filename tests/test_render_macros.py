"""Macros: how they are found, what they see of the model that renders, and where their errors point."""

from __future__ import annotations

import threading

import pytest

from asknown.errors import AsknownError
from asknown.render import Renderer
from render_project import VIEW, make_project, place, refuse, render


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
        with pytest.raises(AsknownError, match=r"before config\(\) names them"):
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
    each = {"each.sql": "{% macro each() %}{{ caller(1) }}{{ caller(2) }}{% endmacro %}"}
    twice = "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}"
    assert render(twice + "{{ twice('a') }}{% call(y) each() %}{{ y }}!{% endcall %}", each).sql == "aa1!2!"


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
        render("select 1 {% if f %}{% endif %}", {"bad.sql": text})
    assert caught.value.code in ("template", "undefined")
    assert caught.value.at is not None
    assert (caught.value.at.path, caught.value.at.line) == ("macros/bad.sql", line)


def test_an_error_inside_a_macro_points_into_it_and_names_the_call() -> None:
    macros = {
        "a.sql": "{% macro f(x) %}\n  {{ g(x) }}\n{% endmacro %}",
        "b.sql": "{% macro g(x) %}\n\n{{ x / 0 }}{% endmacro %}",
    }
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
    [("", "before config() names them"), ("{{ config(tags='a') }}", "is not a feature view")],
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
