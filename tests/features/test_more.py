"""More features, each against its loop: in training, online after a load, and later without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asknown import FeatureStore
from features.data import CARDS, UNSEEN, as_table
from features.more import MORE
from features.test_features import AFTER, ROWS, WATERMARKS, expected, instants, same, write_project


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FeatureStore]:
    folder: Path = tmp_path_factory.mktemp("more") / "shop"
    write_project(folder, MORE)
    pq.write_table(as_table(ROWS), folder / "payments.parquet")
    with FeatureStore(folder) as opened:
        yield opened


def test_training_gives_what_the_loops_give(store: FeatureStore) -> None:
    asked = [(card, t) for card in (*CARDS, UNSEEN) for t in instants()]
    spine = pa.table({
        "card": [card for card, _ in asked], "event_timestamp": pa.array([t for _, t in asked], pa.timestamp("us")),
    })  # fmt: skip
    found = store.get_historical_features(spine, [f"v{f.number}:{f.name}" for f in MORE]).to_arrow()
    wrong = [
        (f.number, card, t, value, expected(f, ROWS, card, t))
        for f in MORE
        for (card, t), value in zip(asked, found[f.name].to_pylist(), strict=True)
        if not same(f, value, expected(f, ROWS, card, t))
    ]
    assert not wrong, "\n".join(map(str, wrong[:20]))


def test_serving_gives_what_the_loops_give(store: FeatureStore) -> None:
    cards = (*CARDS, UNSEEN)
    store.materialize(WATERMARKS[0])
    wrong = []
    for t in (WATERMARKS[0] + after for after in AFTER):
        names = [f"v{f.number}:{f.name}" for f in MORE]
        answer = store.get_online_features(names, [{"card": card} for card in cards], at=t).to_dict()
        wrong += [
            (f.number, card, t, value, expected(f, ROWS, card, t))
            for f in MORE
            for card, value in zip(cards, answer[f.name], strict=True)
            if not same(f, value, expected(f, ROWS, card, t))
        ]
    assert not wrong, "\n".join(map(str, wrong[:20]))
