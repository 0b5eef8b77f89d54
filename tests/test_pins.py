"""Views of other projects: pinned by asknown.lock, compiled without the other project, and known to its plan."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from asknown import AsknownError, FeatureStore
from asknown.cli.group import main

FLIGHTS = {
    "pyproject.toml": '[tool.asknown]\nname = "flights"\n',
    "profiles.yml": "flights:\n  outputs: {dev: {type: duckdb}}\n  registry: {type: sqlite, path: ../registry.db}\n",
    "models/f.yml": """sources:
  - {name: nyc, tables: [{name: flights, path: FOLDER/flights.csv}]}
entities:
  - {name: carrier, keys: [carrier]}
models:
  - name: carrier_delays
    access: public
    columns: [{name: late, description: Whether the newest flight was late.}]
  - {name: against_usual, access: public}
feature_services:
  - {name: delay_v1, owner: ops, features: [carrier_delays]}
""",
    # A CTE has the name of a table, and an alias the name of a model: only what stands for the source is renamed.
    "models/stg.sql": "with flights as (select * from {{ source('nyc', 'flights') }})\n"
    "select flights.carrier, flights.dep_at, flights.delay, stg.carrier as other\n"
    "from flights left join {{ source('nyc', 'flights') }} stg\n"
    "  on stg.carrier = flights.carrier and stg.dep_at = flights.dep_at\n",
    "models/carrier_delays.sql": "{{ config(entity='carrier', event_time='dep_at', owner='flight-ops') }}\n"
    "select stg.carrier, dep_at, delay as last_delay, {{ is_late('delay') }} as late,\n"
    "    avg(delay) over {{ last('7 days') }} as avg_delay_7d\nfrom {{ ref('stg') }}\n",
    "models/hidden.sql": "{{ config(entity='carrier', event_time='dep_at', owner='flight-ops') }}\n"
    "select carrier, dep_at, delay * 2 as twice from {{ ref('stg') }}\n",
    "models/against_usual.sql": "{{ config(inputs={'minutes': 'double'}) }}\n"
    "select minutes - last_delay as above from {{ request('carrier_delays:last_delay') }}\n",
    "macros/late.sql": "{% macro is_late(x) %}{{ x }} > 15{% endmacro %}\n",
    "flights.csv": "carrier,dep_at,delay\nUA,2024-01-01 00:00,5.5\nUA,2024-01-02 00:00,20\nAA,2024-01-02 00:00,9.5\n",
}
PRICING = {
    "pyproject.toml": '[tool.asknown]\nname = "pricing"\n',
    "profiles.yml": "pricing:\n  outputs: {dev: {type: duckdb}}\n  registry: {type: sqlite, path: ../registry.db}\n",
    "models/p.yml": """sources:
  - {name: nyc, tables: [{name: flights, path: fares.csv}]}
entities:
  - {name: carrier, keys: [carrier]}
feature_services:
  - name: route_risk
    owner: pricing-ml
    features: [fares, "flights.carrier_delays@v1:late", "flights.carrier_delays@v1:avg_delay_7d"]
""",
    "models/stg.sql": "select * from {{ source('nyc', 'flights') }}\n",
    "models/fares.sql": "{{ config(entity='carrier', event_time='since', owner='pricing-ml') }}\n"
    "select carrier, since, fare as last_fare from {{ ref('stg') }}\n",
    "fares.csv": "carrier,since,fare\nUA,2024-01-01 00:00,100\nAA,2024-01-02 00:00,90\n",
    "spine.csv": "carrier,event_timestamp\nUA,2024-01-03 00:00\nAA,2024-01-03 00:00\nUA,2024-01-01 12:00\n",
}
USES = 'features: [fares, "flights.carrier_delays@v1:late", "flights.carrier_delays@v1:avg_delay_7d"]'


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two projects with one registry; flights is applied, and pricing is the current folder."""
    for project, files in (("flights", FLIGHTS), ("pricing", PRICING)):
        for name, text in files.items():
            path = tmp_path / project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("FOLDER", str(tmp_path / "flights")), encoding="utf-8")
    run("apply", "--yes", "--project", str(tmp_path / "flights"))
    monkeypatch.chdir(tmp_path / "pricing")
    return tmp_path


def run(*arguments: str, code: int = 0) -> str:
    """What a command prints and says; it must end with this exit code."""
    done = CliRunner().invoke(main, arguments, prog_name="asknown")
    assert done.exit_code == code, f"{arguments}: {done.output}"
    assert "Traceback" not in done.output
    return done.stdout if "csv" in arguments or "json" in arguments else done.output


def edit(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def train(*features: str, project: str = ".") -> str:
    spine = str(Path(project) / "spine.csv") if project == "." else str(Path("spine.csv").absolute())
    return run("train", *features, "--spine", spine, "--format", "csv", "--project", project)


def test_a_service_trains_and_serves_without_the_other_project_and_without_a_registry(both: Path) -> None:
    wanted = train("carrier_delays", project=str(both / "flights"))
    assert "asknown pin flights.carrier_delays@v1" in run("compile", "route_risk", code=1)
    assert "flights.carrier_delays@v1  new" in run("pin")
    edit(both / "flights" / "macros" / "late.sql", ("15", "100"))
    run("apply", "--yes", "--project", str(both / "flights"))
    for gone in ("flights/models", "flights/macros", "registry.db"):
        (both / gone).rename(both / "gone")
        shutil.rmtree(both / "gone") if gone != "registry.db" else (both / "gone").unlink()

    assert train("flights.carrier_delays") == wanted  # the pinned version, bit for bit
    assert train("flights.carrier_delays@v1") == wanted
    both_views = train("route_risk").splitlines()
    assert both_views[0] == "carrier,event_timestamp,last_fare,late,avg_delay_7d"
    assert both_views[1].startswith("UA,2024-01-03 00:00:00,100,true,")
    run("materialize")
    read = json.loads(run("get", "route_risk", "carrier=UA", "--format", "json"))
    assert (read["late"], read["last_fare"]) == (True, 100) if isinstance(read, dict) else read
    assert "late" in run("show", "flights.carrier_delays")
    assert "flights.carrier_delays@v1" in run("ls")
    run("check")
    run("docs", "-o", "site")


def test_a_model_reads_a_pinned_view_and_names_may_clash(both: Path) -> None:
    (both / "pricing/models/moments.sql").write_text(
        "select carrier, dep_at as event_timestamp, last_delay from {{ ref('flights', 'hidden_twice', v=1) }}\n"
    )
    assert "has no version of 'hidden_twice'" in run("pin", code=1)
    edit(both / "pricing/models/moments.sql", ("hidden_twice", "plain_delays"))
    (both / "flights/models/plain_delays.sql").write_text(
        "{{ config(entity='carrier', event_time='dep_at') }}\n"
        "select carrier, dep_at, delay as last_delay from {{ ref('stg') }}\n"
    )
    edit(
        both / "flights/models/f.yml",
        ("  - {name: against_usual", "  - {name: plain_delays, access: public}\n  - {name: against_usual"),
    )
    run("apply", "--yes", "--project", str(both / "flights"))
    run("pin")
    with FeatureStore(".") as store:
        rows = store.preview("moments", None).to_pylist()
    assert sorted(row["last_delay"] for row in rows) == [5.5, 9.5, 20.0]
    run("apply", "--yes")  # its own version holds the other project's closure
    assert "pricing.moments at v1" in plan_after_an_edit(both)


def plan_after_an_edit(both: Path) -> str:
    edit(both / "flights/models/plain_delays.sql", ("delay as last_delay", "delay + 1 as last_delay"))
    return run("plan", "--project", str(both / "flights"))


def test_an_on_demand_view_brings_what_it_asks_for(both: Path) -> None:
    edit(both / "pricing/models/p.yml", (USES, 'features: [fares, "flights.against_usual@v1"]'))
    run("pin")
    shutil.rmtree(both / "flights/models")
    edit(both / "pricing/spine.csv", ("carrier,", "minutes,carrier,"), ("UA", "30,UA"), ("AA", "30,AA"))
    assert train("route_risk").splitlines()[1] == "30,UA,2024-01-03 00:00:00,100,10.0"
    run("materialize")
    assert "10.0" in run("get", "route_risk", "carrier=UA", "minutes=30")


def test_the_producers_plan_names_who_pins_and_a_removal_is_refused(both: Path) -> None:
    run("pin")
    run("apply", "--yes")
    flights = str(both / "flights")
    edit(both / "flights/macros/late.sql", ("15", "20"))
    planned = run("plan", "--project", flights)
    assert "stays as it is for pricing.route_risk (owner pricing-ml) at v1" in planned
    assert "breaks: pricing" not in planned
    records = json.loads(run("plan", "--project", flights, "--format", "json"))
    pins = [one for record in records for one in record.get("consumers", ()) if "version" in one]
    assert pins[0] == {
        "kind": "service",
        "name": "pricing.route_risk",
        "owner": "pricing-ml",
        "effect": "pinned",
        "version": 1,
    }
    run("apply", "--yes", "--project", flights)  # another version breaks nobody
    for gone in ("models/carrier_delays.sql", "models/against_usual.sql"):
        (both / "flights" / gone).unlink()
    (both / "flights/models/f.yml").write_text(
        f"sources: [{{name: nyc, tables: [{{name: flights, path: {both}/flights/flights.csv}}]}}]\n"
        "entities: [{name: carrier, keys: [carrier]}]\n"
    )
    refused = run("apply", "--yes", "--project", flights, code=1)
    assert "breaks: delay_v1 (owner ops), pricing.route_risk (owner pricing-ml) pins v1" in refused
    assert "pricing.route_risk (owner pricing-ml) pins carrier_delays@v1" in refused
    accept = [word for ref in ("carrier_delays", "against_usual", "delay_v1") for word in ("--accept", ref)]
    run("apply", "--yes", *accept, "--project", flights)
    assert run("plan").count("flights") == 0  # the consumer still has its version
    # Without the pin the producer is free, as soon as the consumer has applied.
    edit(both / "pricing/models/p.yml", (USES, "features: [fares]"))
    run("pin", "--prune")
    assert "pins: flights.carrier_delays@v1" in run("plan")
    run("apply", "--yes", "--accept", "route_risk")


def test_names_without_a_version_follow_the_lock(both: Path) -> None:
    edit(both / "pricing/models/p.yml", (USES, 'features: [fares, "flights.carrier_delays:late"]'))
    run("pin")
    before = train("route_risk")
    edit(both / "flights/macros/late.sql", ("15", "100"))
    run("apply", "--yes", "--project", str(both / "flights"))
    assert "kept" in run("pin") and train("route_risk") == before
    assert "flights.carrier_delays@v2  new" in run("pin", "--update")
    assert train("route_risk") != before
    assert "flights.carrier_delays@v1  new" in run("pin", "flights.carrier_delays@v1")
    assert train("route_risk") == before
    # Two versions side by side, each with the models of its own time.
    edit(both / "pricing/models/p.yml", ("flights.carrier_delays:late", "flights.carrier_delays@v1:late"))
    run("pin", "flights.carrier_delays@v2")
    edit(both / "pricing/models/p.yml", ('@v1:late"]', '@v1:late", {view: flights.carrier_delays@v2, alias: now}]'))
    with FeatureStore(".") as store:
        table = store.get_historical_features("spine.csv", ["route_risk"], True).to_arrow()
    assert table["flights.carrier_delays@v1__late"].to_pylist() == [True, False, False]
    assert table["now__late"].to_pylist() == [False, False, False]
    edit(both / "pricing/models/p.yml", ("@v1:late", ":late"))
    assert "is pinned in 2 versions" in run("compile", "route_risk", code=1)


def test_a_project_keeps_an_old_version_of_its_own(both: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(both / "flights")
    shutil.copy(both / "pricing/spine.csv", "spine.csv")
    edit(Path("models/f.yml"), ("features: [carrier_delays]", 'features: ["carrier_delays@v1"]'))
    assert "asknown pin" in run("check", code=1)
    run("pin")
    run("materialize")
    before = run("get", "delay_v1", "carrier=UA")
    edit(Path("macros/late.sql"), ("15", "100"))
    planned = run("apply", "--yes")
    assert "stays as it is for delay_v1 (owner ops) at v1" in planned
    run("materialize", "--prune")
    assert run("get", "delay_v1", "carrier=UA") == before  # the version has a table of its own
    assert run("get", "carrier_delays", "carrier=UA") != before
    run("rollback", "1", "--yes")
    assert run("get", "delay_v1", "carrier=UA") == before
    edit(Path("models/f.yml"), ('"carrier_delays@v1"', "carrier_delays"))
    run("pin", "--prune")
    run("materialize", "--prune")
    assert "flights.carrier_delays@v1" not in run("ls")


def test_only_public_views_can_be_pinned(both: Path) -> None:
    edit(both / "pricing/models/p.yml", (USES, 'features: [fares, "flights.hidden@v1"]'))
    refused = run("pin", code=1)
    assert "error[private-view]: 'flights.hidden@v1' is protected" in refused and "ask flight-ops" in refused
    assert not Path("asknown.lock").exists()


def test_deprecation_is_said_and_does_not_stop_a_pin(both: Path) -> None:
    run("pin")
    edit(both / "flights/models/f.yml", ("access: public\n", "access: public\n    deprecation_date: 2020-01-31\n"))
    assert "metadata" in run("apply", "--yes", "--project", str(both / "flights"))
    assert "warning: flights.carrier_delays@v1 is deprecated from 2020-01-31 on" in run("plan")
    assert "2020-01-31" in run("pin", "flights.carrier_delays@v1")  # takes the newest words of the version
    done = run("train", "route_risk", "--spine", "spine.csv")
    assert "warning: 'flights.carrier_delays@v1' is deprecated from 2020-01-31 on" in done
    assert "deprecated" in run("check")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("flihgts.carrier_delays",), "did you mean 'flights'"),
        (("flights.carrier_delay",), "did you mean 'carrier_delays'"),
        (("flights.carrier_delays@v7",), "its versions: carrier_delays@v1"),
        (("carrier_delays",), "write project.view"),
        (("flights.carrier_delays:late",), "write project.view"),
        (("pricing.fares",), "is a view of this project"),
        (("flights.",), "write project.view"),
    ],
)
def test_mistakes_in_what_to_pin(both: Path, arguments: tuple[str, ...], message: str) -> None:
    assert message in run("pin", *arguments, code=1)
    assert not Path("asknown.lock").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("flights.carrier_delays@v9:late", "pinned: flights.carrier_delays@v1"),
        ("flights.carier_delays:late", "did you mean 'flights.carrier_delays@v1'"),
        ("flihgts.carrier_delays@v1:late", "asknown pin flihgts.carrier_delays@v1"),
        ("flights.carrier_delays@v1:lat", "did you mean 'late'"),
        ("pricing.fares", "write fares"),
    ],
)
def test_mistakes_in_a_request(both: Path, name: str, message: str) -> None:
    run("pin")
    assert message in run("train", name, "--spine", "spine.csv", code=1)


def test_mistakes_in_a_template(both: Path) -> None:
    run("pin")
    for call, message in (
        ("ref('flights', 'carrier_delays', v='1')", "ref('project', 'view', v=3)"),
        ("ref('flights', 'carrier_delays', w=1)", "ref('project', 'view', v=3)"),
        ("ref('flights', 'carrier_delays', v=4)", "pinned: flights.carrier_delays@v1"),
        ("ref('fligths', 'carrier_delays')", "asknown pin fligths.carrier_delays"),
    ):
        Path("models/extra.sql").write_text(f"select * from {{{{ {call} }}}}\n")
        refused = run("compile", "extra", code=1)
        assert message in refused and "models/extra.sql:1" in refused


def test_a_damaged_or_stale_lock_says_what_to_do(both: Path) -> None:
    run("pin")
    lock = Path("asknown.lock")
    sound = lock.read_text()
    for text, message in (
        ("<<<<<<< HEAD\n" + sound, "git has left a conflict"),
        (sound + "=", "it is not TOML"),
        (sound.replace("version = 1", 'version = "1"'), "its entry 1 lacks one of"),
        (sound + sound, "asknown.lock"),
        (sound.replace('hash = "', 'hash = "x'), "the hash of its entry 1"),
        (sound + "[other]\n", "more than [[view]]"),
    ):
        lock.write_text(text)
        refused = run("compile", "route_risk", code=1)
        assert "error[bad-lock]" in refused and message in refused
    # Another version by hand, whose closure is not there.
    lock.write_text(sound.replace("version = 1", "version = 2"))
    assert "not-pinned" in run("compile", "route_risk", code=1)
    lock.write_text(sound)
    objects = sorted(Path(".asknown/objects").iterdir())
    objects[0].write_text(objects[0].read_text().replace("15", "16") + " ")
    assert "is not what asknown.lock pins" in run("compile", "route_risk", code=1)
    objects[1].unlink()
    run("pin")
    train("route_risk")
    assert lock.read_text() == sound
    (both / "registry.db").unlink()
    assert "no registry" in run("pin", code=1)
    train("route_risk")


def test_paths_relative_to_the_other_project_do_not_travel(both: Path) -> None:
    edit(both / "flights/models/f.yml", (f"{both}/flights/flights.csv", "flights.csv"))
    run("apply", "--yes", "--project", str(both / "flights"))
    edit(both / "pricing/models/p.yml", ("@v1", "@v2"))
    assert "a path in the folder of project flights" in run("pin", code=1)


def test_lock_errors_reach_the_library_as_asknown_errors(both: Path) -> None:
    with pytest.raises(AsknownError, match=r"not in asknown\.lock"):
        FeatureStore(".")
