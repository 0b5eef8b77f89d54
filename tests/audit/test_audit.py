"""``asknown audit`` finds hindsight by training on changed sources, and calls nothing else a leak (rule 11)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from asknown import FeatureStore
from asknown.checks.audit import AuditReport, choose_cuts
from asknown.checks.compare import differing
from asknown.cli.group import main
from asknown.emit.altered import Alteration, KnownBy, Poisoned
from asknown.emit.compile import compile_training
from asknown.emit.statement import write
from asknown.store.altered import ctes_of_altered_views
from asknown.store.training import plan_request
from lint.leaks import CORPUS, view, write_project
from stores import open_without_refusals

SPINE = "select j % 20 as k, timestamp '2024-01-02' + j * interval '11 minutes' as event_timestamp from range(800) r(j)"
LEAKS = (
    *("no_known", "known_const", "lead", "lead_up", "unbounded", "unbounded_up", "group_all", "scalar_sub"),
    *("selfjoin_future", "daily_agg", "latest_row", "ntile_up"),
)
# Rows of the spine that change, by the cut: 5 January compares 393 rows, 9 January all 800. Future, then poison (high).
CHANGED = {
    "clean": ((0, 0), (0, 0)),
    "no_known": ((4, 0), (4, 0)),
    "known_const": ((4, 0), (4, 0)),
    "lead": ((8, 0), (8, 0)),
    "lead_up": ((8, 0), (8, 0)),
    "unbounded": ((334, 800), (393, 800)),
    "unbounded_up": ((99, 0), (393, 799)),
    "group_all": ((334, 800), (393, 800)),
    "scalar_sub": ((0, 0), (393, 799)),
    "selfjoin_future": ((72, 0), (119, 2)),
    "daily_agg": ((83, 7), (83, 7)),
    "latest_row": ((8, 0), (0, 0)),
    "ntile_up": ((1, 0), (296, 568)),
    "dim_current": ((0, 0), (0, 0)),
    "label_in": ((0, 0), (0, 0)),
}
CUTS = (datetime(2024, 1, 5), datetime(2024, 1, 9))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FeatureStore]:
    """The corpus, in which every view may train."""
    folder = tmp_path_factory.mktemp("audited") / "project"
    named = {leak.name: leak for leak in CORPUS}
    views = {name: view(named[name].sql, named[name].config) for name in (*CHANGED, "rnd", "limit_nord")}
    views["lag_late"] = views_of_late_rows(view(named["lag_up"].sql, named["lag_up"].config))
    with open_without_refusals(write_project(folder, views)) as opened:
        yield opened


def views_of_late_rows(text: str) -> str:
    """A view over the source in which rows of a key arrive out of order."""
    return text.replace("'ev'", "'ev_late'")


@pytest.fixture(scope="module")
def report(store: FeatureStore) -> AuditReport:
    return store.checks.audit([*CHANGED, "rnd", "limit_nord", "lag_late"], SPINE, cuts=4)


def test_the_leaks_are_found(report: AuditReport) -> None:
    verdicts = {feature.view: feature.verdict for feature in report.features}
    assert {name for name, verdict in verdicts.items() if verdict == "leaks"} == {*LEAKS, "lag_late"}
    assert verdicts["clean"] == "clean"
    assert verdicts["rnd"] == verdicts["limit_nord"] == "unstable"
    assert verdicts["dim_current"] == "untested"
    assert report.failures == ()
    clean = next(feature for feature in report.features if feature.view == "clean")
    assert clean.probes > 1000


def test_a_leak_names_the_row_that_did_it(report: AuditReport) -> None:
    (lead,) = (feature for feature in report.features if feature.view == "lead")
    change = lead.change
    assert change is not None and change.cause is not None and change.cut is not None
    assert change.probe == "future" and change.changed is None
    cause = change.cause
    assert cause.relation == "raw.ev" and cause.moment == cause.row["loaded_at"] > change.cut
    assert cause.row["x"] == change.full and cause.row["k"] == change.row["k"]


@pytest.mark.parametrize("name", CHANGED)
def test_the_rows_that_change(store: FeatureStore, name: str) -> None:
    future = tuple(changed_rows(store, name, cut, KnownBy(cut)) for cut in CUTS)
    poison = tuple(changed_rows(store, name, cut, Poisoned(cut, high=True)) for cut in CUTS)
    near = 2 if name == "ntile_up" else 0  # its order has ties, which fall to the order of rows
    for found, expected in zip((*future, *poison), (*CHANGED[name][0], *CHANGED[name][1]), strict=True):
        assert abs(found - expected) <= near, (future, poison)


def changed_rows(store: FeatureStore, name: str, cut: datetime, alteration: Alteration) -> int:
    """The rows of the spine at or before the cut whose feature another training set has otherwise."""
    catalog = store._typed
    planned = plan_request(catalog, SPINE, name, full_names=False, timestamp=None)
    tables = []
    for change in (None, alteration):
        ctes = ctes_of_altered_views(catalog, planned.views, change)
        statement = compile_training(planned.plan, ctes, catalog.reserved_names(), catalog.engine.dialect)
        tables.append(catalog.engine.stream(write(statement, catalog.engine.dialect)).read_all())
    full, other = tables
    before = [place for place, when in enumerate(full.column("event_timestamp").to_pylist()) if when <= cut]
    feature = full.schema.names[-1]
    return len(differing(full.column(feature).take(before), other.column(feature).take(before)))


def test_cuts_lie_inside_the_spine() -> None:
    instants = [datetime(2024, 1, 1, hour) for hour in range(24)]
    cuts = choose_cuts(instants, 7, seed=3)
    assert len(cuts) == 14 and min(cuts) > instants[0] and max(cuts) < instants[-1]
    assert cuts == choose_cuts(list(reversed(instants)), 7, seed=3) != choose_cuts(instants, 7, seed=4)
    assert choose_cuts(instants[:1] * 5, 7, seed=0) == ()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project whose source is static or not dated, or says when each of its columns was known."""
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n')
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "shop.yml").write_text(
        "sources:\n- name: shop\n  tables:\n"
        "  - {name: trips, path: trips.parquet, unique: [[id]], columns: [{name: fare, known_at: ended_at}]}\n"
        "  - {name: zones, path: zones.csv, static: true}\n"
        "entities: [{name: zone, keys: [zone]}]\n"
    )
    times = "event_time='started_at'"
    (tmp_path / "models" / "early.sql").write_text(
        "{{ config(entity='zone', event_time='started_at', ttl='1 day') }}\n"
        "select zone, started_at, fare from {{ source('shop', 'trips') }}"
    )
    (tmp_path / "models" / "late.sql").write_text(
        "{{ config(entity='zone', event_time='started_at', known_at='ended_at') }}\n"
        "select zone, started_at, ended_at, fare, 2 * fare as twice from {{ source('shop', 'trips') }}"
    )
    (tmp_path / "models" / "places.sql").write_text(
        "{{ config(entity='zone', " + times + ") }}\n"
        "select zone, timestamp '2020-01-01' as started_at, borough from {{ source('shop', 'zones') }}"
    )
    (tmp_path / "models" / "paid.sql").write_text(
        "{{ config(inputs={'tip': 'double'}) }}\nselect fare + tip as total from {{ request('early:fare') }}"
    )
    duckdb.sql(
        "select i as id, i % 3 as zone, timestamp '2024-01-01' + i * interval '1 hour' as started_at, "
        "started_at + interval '90 minutes' as ended_at, i * 1.5::double as fare from range(200) r(i)"
    ).write_parquet(str(tmp_path / "trips.parquet"))
    (tmp_path / "zones.csv").write_text("zone,borough\n0,Queens\n1,Bronx\n2,Bronx\n")
    return tmp_path


ASKED = (
    "select i % 3 as zone, timestamp '2024-01-02' + i * interval '40 minutes' as event_timestamp, 1.0::double as tip "
    "from range(150) r(i)"
)


def test_columns_that_are_known_later_than_their_row(shop: Path) -> None:
    with FeatureStore(shop) as store:
        found = {f.name: f for f in store.checks.audit(["early", "late", "places", "paid"], ASKED, cuts=3).features}
    assert {name: feature.verdict for name, feature in found.items()} == {
        "early:fare": "leaks",
        "late:fare": "clean",
        "late:twice": "clean",
        "places:borough": "static",
        "paid:total": "leaks",
    }
    cause = found["early:fare"].change.cause  # type: ignore[union-attr]
    assert cause is not None and cause.relation == "shop.trips" and cause.row["ended_at"] == cause.moment


def test_the_command(shop: Path) -> None:
    project = ["--project", str(shop)]
    done = CliRunner().invoke(main, ["audit", "early", "--spine", ASKED, "--cuts", "2", *project])
    assert done.exit_code == 1
    assert "early:fare  leaks" in done.stdout
    assert "changed by a row of shop.trips that was known from" in done.stdout
    clean = CliRunner().invoke(main, ["audit", "late", "--spine", ASKED, "--format", "json", *project])
    assert clean.exit_code == 0
    assert [row["verdict"] for row in json.loads(clean.stdout)] == ["clean", "clean"]
    wrong = CliRunner().invoke(main, ["audit", "late", "--spine", ASKED, "--only", "futur", *project])
    assert wrong.exit_code == 2 and "none of future, poison, order, rerun" in wrong.stderr


def test_a_feature_that_no_probe_reaches_is_untested(shop: Path) -> None:
    spine = "select 0 as zone, timestamp '2023-01-01' + i * interval '1 hour' as event_timestamp from range(9) r(i)"
    project = ["--project", str(shop)]
    arguments = ["audit", "places", "--spine", spine, *project]
    assert CliRunner().invoke(main, [*arguments, "--require-tested"]).exit_code == 0  # static is not untested
    text = (shop / "models" / "shop.yml").read_text().replace(", static: true", "")
    (shop / "models" / "shop.yml").write_text(text)
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0 and "shop.zones does not say when its rows were known" in done.stdout
    assert CliRunner().invoke(main, [*arguments, "--require-tested"]).exit_code == 1


def test_sums_in_another_order_are_no_leak(tmp_path: Path) -> None:
    """A float sum in a model below a view follows the order of rows: that is float-order, and no leak."""
    sql = (
        "select k, day + interval '1 day' as ts, day + interval '1 day' as loaded_at, s from (select k, "
        "date_trunc('day', ts) as day, sum(x / 7) as s from {{ source('raw', 'ev') }} "
        "where loaded_at < date_trunc('day', ts) + interval '1 day' group by 1, 2)"
    )
    with FeatureStore(write_project(tmp_path / "p", {"daily": view(sql, "entity='k', event_time='ts'")})) as store:
        (found,) = store.checks.audit("daily:s", SPINE, cuts=3).features
    assert found.verdict == "clean"


def test_a_probe_that_cannot_run_shows_nothing(shop: Path) -> None:
    """A query that stops is said, and what it would have shown is untested, not clean."""
    (shop / "models" / "late.sql").write_text(
        "{{ config(entity='zone', event_time='started_at', known_at='ended_at') }}\n"
        "select zone, started_at, ended_at, case when fare > 1000 then error('far too much') else fare end as fare "
        "from {{ source('shop', 'trips') }}"
    )
    with FeatureStore(shop) as store:
        report = store.checks.audit("late", ASKED, cuts=1, probes=["poison"])
    (feature,) = report.features
    assert feature.verdict == "untested" and feature.probes == 0
    assert report.failures and "far too much" in report.failures[0]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("unique: [[idd]]", "no column 'idd', which unique names"),
        ("unique: [[id]], loaded_at_field: endd_at", "no column 'endd_at', which loaded_at_field names"),
        ("unique: [[id]], columns: [{name: fare, known_at: endd_at}]", "no column 'endd_at', which known_at of 'fare'"),
    ],
)
def test_properties_that_name_a_column_that_is_not_there(shop: Path, wrong: str, said: str) -> None:
    path = shop / "models" / "shop.yml"
    right = "unique: [[id]], columns: [{name: fare, known_at: ended_at}]"
    assert right in path.read_text()
    path.write_text(path.read_text().replace(right, wrong))
    for command in (["check"], ["audit", "late", "--spine", ASKED], ["train", "late", "--spine", ASKED]):
        done = CliRunner().invoke(main, [*command, "--project", str(shop)])
        assert done.exit_code == 1
        assert said in done.stdout + done.stderr and "did you mean" in done.stdout + done.stderr
