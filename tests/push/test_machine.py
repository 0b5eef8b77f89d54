"""Any order of pushes, repeats, late rows, landings, crashes, loads, corrections, rebuilds and reads: parity (rule 9).

After each step, every view that follows pushes answers at its last push and at later instants what the training query
says over all rows that have arrived, by equality, windows included; no row that was accepted is missing in the files or
there twice; and the file's hashes are those of its content.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from shop import (
    FOLLOWERS,
    VIEWS,
    abandon,
    copy_of,
    edit_files,
    now,
    offline_ids,
    online,
    order,
    trained,
    write_file,
    write_shop,
)

from asknown import AsknownError, FeatureStore
from asknown.online.backend import inspect_table
from asknown.store import landing

EXAMPLES = max(6, settings().max_examples // 12)
CUSTOMERS = (1, 2, 3, None)
SECONDS = (0.0, 0.0, 0.0, 1.0, 59.0, 60.0, 3599.0, 7200.0, 6.9 * 86400, 8 * 86400.0, 30 * 86400.0)
AMOUNTS = (0.1, 0.2, 0.7, 1.5, 7.0, -0.0, 0.0, 1e15, float("nan"), None)
ORDERS = st.tuples(
    st.sampled_from(CUSTOMERS), st.sampled_from(SECONDS), st.sampled_from(AMOUNTS), st.sampled_from(("a", "b", None))
)


class StopError(Exception):
    """The end of a process, in the middle of a landing."""


class Pushes(RuleBasedStateMachine):
    """A shop, its online table, and everything that may happen to both."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.base = tempfile.TemporaryDirectory()
        self.folder = write_shop(Path(self.base.name) / "shop")
        self.numbers = itertools.count()
        self.accepted: dict[str, dict[str, Any]] = {}
        self.store = FeatureStore(self.folder)
        self.views = dict(VIEWS)

    def teardown(self) -> None:
        abandon(self.store, self.patch)
        self.base.cleanup()

    @initialize(rows=st.lists(ORDERS, max_size=40))
    def begin(self, rows: list[Any]) -> None:
        given = [order(next(self.numbers), c, ago=ago + 1, amount=a, note=n) for c, ago, a, n in rows]
        write_file(self.folder, "history.parquet", [row | {"_arrived": row["ordered_at"]} for row in given])
        self.accepted |= {row["order_id"]: row for row in given}
        self.store.materialize()

    @rule(rows=st.lists(ORDERS, min_size=1, max_size=4))
    def push(self, rows: list[Any]) -> None:
        given = [order(next(self.numbers), c, ago=ago, amount=a, note=n) for c, ago, a, n in rows]
        answer = self.store.push("orders", given)
        assert answer.rows == len(given) == answer.new + answer.older + answer.late + answer.skipped
        assert answer.duplicates == 0 and answer.views == tuple(sorted(FOLLOWERS))
        self.accepted |= {row["order_id"]: row for row in given}
        self.check()

    @rule(seed=st.integers(0, 1_000), many=st.integers(30, 80))
    def push_many(self, seed: int, many: int) -> None:
        pick = random.Random(seed)
        given = [
            order(next(self.numbers), 1, ago=pick.uniform(0, 9 * 86400), amount=pick.choice(AMOUNTS))
            for _ in range(many)
        ]
        self.store.push("orders", given)
        self.accepted |= {row["order_id"]: row for row in given}
        self.check()

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        row = order(next(self.numbers), 1, amount=3.0)
        self.store.push("orders", [row])
        again = row | {"amount": 999.0}
        answer = self.store.push("orders", [again, order(next(self.numbers), 2, amount=None), again])
        assert answer.duplicates == 2
        self.accepted[row["order_id"]] = row
        self.accepted[f"o{next(self.numbers) - 1}"] = row
        self.check()

    @rule()
    def land(self) -> None:
        landing.try_landing(self.store.project)
        self.check()

    @rule(late=st.booleans())
    def stop_while_landing(self, late: bool) -> None:
        write = landing._write

        def stopped(*given: Any) -> None:
            if late:
                write(*given)
            raise StopError

        with self.patch.context() as patched:
            patched.setattr(landing, "_write", stopped)
            with contextlib.suppress(StopError):
                landing.try_landing(self.store.project)
        self.check()

    @rule()
    def crash(self) -> None:
        abandon(self.store, self.patch)
        self.store = FeatureStore(self.folder)
        self.check()

    @rule(back=st.sampled_from((0.0, 0.0, 5.0)))
    def load(self, back: float) -> None:
        try:
            self.store.materialize(until=None if not back else now() - timedelta(seconds=back), allow_shrink=True)
        except AsknownError as error:
            assert error.code == "load-older" and back
        self.check()

    @rule(rows=st.lists(ORDERS, min_size=1, max_size=3))
    def load_other_files(self, rows: list[Any]) -> None:
        number = next(self.numbers)
        given = [order(next(self.numbers), c, ago=ago + 1, amount=a, note=n) for c, ago, a, n in rows]
        write_file(self.folder, f"more-{number}.parquet", [row | {"_arrived": row["ordered_at"]} for row in given])
        self.accepted |= {row["order_id"]: row for row in given}
        self.store.materialize(allow_shrink=True)
        self.check()

    @rule(amount=st.sampled_from((0.3, None)))
    def correct(self, amount: float | None) -> None:
        landing.try_landing(self.store.project)
        written = "null" if amount is None else amount
        edit_files(self.folder, f"update t set amount = {written} where customer_id = 1")
        self.store.materialize(allow_shrink=True)
        self.check()

    @rule(factor=st.integers(2, 5), window=st.sampled_from(("7 days", "2 days")))
    def redefine(self, factor: int, window: str) -> None:
        self.views["newest"] = VIEWS["newest"].replace("* 2", f"* {factor}")
        self.views["totals"] = VIEWS["totals"].replace("last('7 days')", f"last('{window}')")
        write_shop(self.folder, views=self.views)
        abandon(self.store, self.patch)
        self.store = FeatureStore(self.folder)
        self.store.materialize(allow_shrink=True)
        self.check()

    def check(self) -> None:
        """Asserts parity at some instants, and that nothing is lost or twice."""
        pushed = [stored.pushes.at for stored in self.stored().values() if stored.pushes is not None]
        assert len(pushed) == len(FOLLOWERS)
        watermark = max(stored.watermark.replace(tzinfo=None) for stored in self.stored().values())
        first = max(watermark, *(landing.from_microseconds(at) for at in pushed))
        instants = [first, max(first, now()), first + timedelta(minutes=61), first + timedelta(hours=3)]
        answers = [row for at in instants for row in online(self.store, CUSTOMERS, at, FOLLOWERS)]
        copy = copy_of(self.folder, Path(self.base.name) / "copy")
        assert answers == trained(copy, CUSTOMERS, instants, FOLLOWERS)
        assert offline_ids(copy) == sorted(self.accepted)
        found = inspect_table(self.folder / "online.db").findings
        problems = [finding for finding in found if finding.check in ("content", "integrity")]
        assert not problems, problems

    def stored(self) -> Any:
        self.store.get_online_features(["newest"], [{"customer_id": 1}])
        assert self.store._reader is not None
        return self.store._reader.views()


Pushes.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=8)
test_machine = Pushes.TestCase
