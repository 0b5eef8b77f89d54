"""Each feature of the catalogue against its loop: in training, online after a load, and after late rows and edits.

``pytest tests/features --update-cases`` writes docs/cookbook.md anew.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asknown import AsknownError, FeatureStore
from features.catalogue import AMOUNT, FEATURES, GAPS, MERCHANT, REFUSED, Feature
from features.data import CARDS, START, UNSEEN, Row, as_table, edit, make_rows

ROWS = make_rows()
LATER = edit(ROWS)
COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook.md"
WATERMARKS = (START + timedelta(days=20, hours=3), START + timedelta(days=45))
AFTER = (timedelta(0), timedelta(minutes=40), timedelta(days=3), timedelta(days=25), timedelta(days=40))


def view_of(feature: Feature) -> dict[str, str]:
    """The models of a feature: its view, and for an on-demand one the feature view that it reads."""
    entity = "['card', 'merchant']" if feature.merchant else "'card'"
    config = f"entity={entity}, event_time='ts'{', known_at=' + repr('known') if feature.known else ''}"
    columns = f"card, {'merchant, ' if feature.merchant else ''}ts{', known' if feature.known else ''}"
    source = "{{ source('shop', 'payments') }}" if feature.below is None else "payments"
    begin = "" if feature.below is None else f"with payments as ({feature.below})\n"
    if feature.stack:
        begin = f"with {_spell(feature.stack)}\n"
        source = f"{{{{ stack({', '.join(map(repr, feature.stack))}) }}}}"
    item = f"{feature.sql} as {feature.name}" if feature.base is None else feature.base
    text = f"{{{{ config({config}) }}}}\n{begin}select {columns}, {item}\nfrom {source}"
    if feature.base is None:
        return {f"v{feature.number}": text}
    base = f"base{feature.number}"
    asked = f"{{{{ config(inputs={feature.inputs!r}) }}}}\nselect {feature.sql} as {feature.name}\n"
    if feature.looked_up is None:
        return {base: text, f"v{feature.number}": f"{asked}from {{{{ request('{base}', '{base}:ts') }}}}"}
    call, name, items = feature.looked_up
    other = "{{ config(entity='merchant', event_time='ts') }}\nselect merchant, ts, " + items + f"\nfrom {source}"
    return {base: text, name: other, f"v{feature.number}": f"{asked}from {{{{ request('{base}', {call}) }}}}"}


def _spell(ctes: dict[str, str]) -> str:
    return ",\n".join(f"{name} as ({query})" for name, query in ctes.items())


def write_project(folder: Path, features: Sequence[Feature]) -> None:
    (folder / "models").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n', encoding="utf-8")
    profile = {"shop": {"target": "dev", "outputs": {"dev": {"type": "duckdb"}}}}
    (folder / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    properties = {
        "sources": [{"name": "shop", "tables": [{"name": "payments", "path": "payments.parquet"}]}],
        "entities": [
            {"name": "card", "keys": [{"name": "card"}]},
            {"name": "merchant", "keys": [{"name": "merchant"}]},
        ],
    }
    (folder / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
    for name, text in (pair for feature in features for pair in view_of(feature).items()):
        (folder / "models" / f"{name}.sql").write_text(text + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("features")
    write_project(folder / "shop", FEATURES)
    return folder / "shop"


@pytest.fixture
def store(project: Path) -> Iterator[FeatureStore]:
    with FeatureStore(project) as opened:
        yield opened


def expected(feature: Feature, rows: list[Row], card: int, t: datetime) -> Any:
    """What the loop says of a card at an instant."""
    if feature.over is not None:
        return feature.over(rows, card, t)
    seen = [
        row for row in (made for row in rows for made in feature.rows(row))
        if row["card"] == card and row["ts"] <= t and (not feature.known or row["known"] <= t)
        and (not feature.merchant or row["merchant"] == MERCHANT)
    ]  # fmt: skip
    return feature.loop(seen, t)


def same(feature: Feature, found: Any, wanted: Any) -> bool:
    if feature.nearly and isinstance(found, float) and isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(found, float) and isinstance(wanted, float):
        return found.hex() == wanted.hex()
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)


def instants() -> list[datetime]:
    """Before the data, at events, at the edges of frames, between events and after all."""
    at = sorted(row["ts"] for row in ROWS if row["card"] == 1)
    return [
        START - timedelta(days=1), at[0], at[10], at[10] + timedelta(hours=1), at[20] + timedelta(days=7),
        at[30] + timedelta(days=30), at[40] + timedelta(minutes=30), at[60] - timedelta(microseconds=1),
        at[-1] + timedelta(days=3), at[-1] + timedelta(days=40),
    ]  # fmt: skip


def test_training_gives_what_the_loops_give(store: FeatureStore, project: Path) -> None:
    pq.write_table(as_table(ROWS), project / "payments.parquet")
    asked = [(card, t) for card in (*CARDS, UNSEEN) for t in instants()]
    spine = pa.table({
        "card": [card for card, _ in asked], "merchant": [MERCHANT] * len(asked), "amount": [AMOUNT] * len(asked),
        "event_timestamp": pa.array([t for _, t in asked], pa.timestamp("us")),
    })  # fmt: skip
    found = store.get_historical_features(spine, [f"v{f.number}:{f.name}" for f in FEATURES]).to_arrow()
    wrong = [
        (f.number, card, t, value, expected(f, ROWS, card, t))
        for f in FEATURES
        for (card, t), value in zip(asked, found[f.name].to_pylist(), strict=True)
        if not same(f, value, expected(f, ROWS, card, t))
    ]
    assert not wrong, "\n".join(map(str, wrong[:20]))


def test_serving_gives_what_the_loops_give_after_late_rows_and_edits(store: FeatureStore, project: Path) -> None:
    keys = [{"card": card, "merchant": MERCHANT, "amount": AMOUNT} for card in (*CARDS, UNSEEN)]
    wrong = []
    for rows, watermark in ((ROWS, WATERMARKS[0]), (ROWS, WATERMARKS[1]), (LATER, WATERMARKS[1])):
        pq.write_table(as_table(rows), project / "payments.parquet")
        store.materialize(watermark, allow_shrink=True)
        for t in (watermark + after for after in AFTER):
            # Rows that become visible later are kept apart, and read from their instant on.
            for f in FEATURES:
                needs = {"card", *(["merchant"] if f.merchant else []), *f.inputs}
                entities = [{name: value for name, value in row.items() if name in needs} for row in keys]
                answer = store.get_online_features([f"v{f.number}:{f.name}"], entities, at=t).to_dict()[f.name]
                wrong += [
                    (f.number, row["card"], watermark, t, value, expected(f, rows, row["card"], t))
                    for row, value in zip(keys, answer, strict=True)
                    if not same(f, value, expected(f, rows, row["card"], t))
                ]
    assert not wrong, f"{len(wrong)} wrong\n" + "\n".join(map(str, wrong[:20]))
    assert not store.doctor().findings


@pytest.mark.parametrize("number", sorted(REFUSED))
def test_what_is_refused_says_why(number: int, tmp_path: Path) -> None:
    sql, word = REFUSED[number]
    write_project(tmp_path / "shop", [Feature(number, "", sql, lambda r, t: None, "")])
    if sql.startswith("{{ config("):
        (tmp_path / "shop" / "models" / f"v{number}.sql").write_text(sql, encoding="utf-8")
    pq.write_table(as_table(ROWS), tmp_path / "shop" / "payments.parquet")
    with FeatureStore(tmp_path / "shop") as opened, pytest.raises(AsknownError) as refused:
        opened.materialize(WATERMARKS[1])
    assert word in f"{refused.value.message} {refused.value.hint}", str(refused.value)
    assert refused.value.hint


def test_every_feature_of_the_list_is_accounted_for() -> None:
    listed = [*(f.number for f in FEATURES), *REFUSED, *GAPS]
    assert sorted(n for n in listed if n <= 70) == list(range(1, 71))
    assert len(listed) == len(set(listed))


def test_the_cookbook_has_every_recipe(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--update-cases"):
        COOKBOOK.write_text(cookbook(), encoding="utf-8")
    assert COOKBOOK.read_text(encoding="utf-8") == cookbook()


def cookbook() -> str:
    """The page of recipes, by domain."""
    parts = [BEGINNING]
    for domain in dict.fromkeys(feature.domain for feature in FEATURES):
        parts.append(f"## {domain}\n")
        for f in (f for f in FEATURES if f.domain == domain):
            lines = [f"**{f.title}**{_where(f)}\n", "```sql"]
            lines += [f"-- in a CTE: {f.below}"] if f.below is not None and " over (" in f.below else []
            if f.looked_up is not None:
                lines += [f"-- in a feature view of merchants, {f.looked_up[1]}: {f.looked_up[2]}"]
                lines += [f"-- in a feature view of cards, cards: {f.base}", f"select {f.sql}"]
                lines += [f"from {{{{ request('cards', {f.looked_up[0]}) }}}}", "```\n"]
                parts.append("\n".join(lines))
                continue
            if f.stack:
                lines += [f"with {_spell(f.stack)}", f"select {f.sql}"]
                lines += [f"from {{{{ stack({', '.join(map(repr, f.stack))}) }}}}", "```\n"]
                parts.append("\n".join(lines))
                continue
            lines += [f"-- in a feature view: {f.base}"] if f.base is not None else []
            parts.append("\n".join([*lines, f.sql, "```\n"]))
    return "\n".join(parts)


def _where(f: Feature) -> str:
    notes = [
        *(["by card and merchant"] if f.merchant else []),
        *(["in a view with `known_at`"] if f.known else []),
        *(["on demand"] if f.base is not None else []),
        *(["agrees to 1e-12"] if f.nearly else []),
    ]
    return f" ({', '.join(notes)})" if notes else ""


BEGINNING = (
    "# Cookbook\n\n"
    "Features that people write, by domain, over payments of cards: `card`, `ts`, `amount`, `cents`, `merchant`, "
    "`category`, `declined`, `kind`, `balance`, `clicked`, `body`. A test computes every recipe in training and in "
    "serving, after late rows and edits, and compares it with a plain loop. Where nothing else is said, a recipe is an "
    "item of a feature view with the entity `card` and the event time `ts`; *on demand* is an item of an "
    "[on-demand view](on-demand.md).\n\n"
    "The macros are those of [the library](macros.md). A view whose windows are all `last('ever')` "
    "[keeps no events online](semantics.md#how-the-online-table-keeps-windows) where their states are enough.\n"
)
