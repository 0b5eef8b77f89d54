"""Any order of loads, pushes, landings, rebuilds, drops and failures: each backend answers what the oracle says.

After each step, every view is read at its earliest instant and at later ones, by one key and by many, windows and rows
ahead included. Values, statuses and event times are compared by equality.
"""

from __future__ import annotations

import itertools
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from asknown.errors import AsknownError
from asknown.online import tiles
from asknown.online.backend import inspect_table, open_for_pushes, open_writer
from asknown.online.nodes import OnlineService, OnlineView, Owner, ServicePart
from asknown.online.pushes import PushedRow
from asknown.online.reader import OnlineReader
from asknown.online.sqlite import tiles as sqlite_tiles
from backends import world
from backends.conftest import Backend
from backends.world import BEGIN, SOURCE, STRUCT, Row
from online_tables import make_view

EXAMPLES = max(5, settings().max_examples // 10)
OWNER = Owner("shop", "dev")
KEYS = (1, 2, 3, 4)
OFFSETS = (0, 1, 3_600_000_000, 86_400_000_000, 86_400_000_001, 2 * 86_400_000_000, 100 * 86_400_000_000)
VALUES = (0.1, 0.2, 0.7, -0.0, 0.0, 1e300, float("nan"), float("inf"), None)
PRICES = (Decimal("1.50"), Decimal("-2.00"), Decimal("10.00"), None)
NOTES = ("", "é\n", '"', "b", None)
SHAPES = (("x", "note", "price"), ("note", "x", "price"), ("x", "price"))

ROWS = st.tuples(
    st.sampled_from((1, 1, *KEYS, None)),
    st.sampled_from(OFFSETS),
    st.sampled_from((0, 1, 7_200_000_000)),
    st.sampled_from(VALUES),
    st.sampled_from(NOTES),
    st.sampled_from(PRICES),
)
MERGING = ("total", "newest", "often", "dearest")
SECONDS = {"a": "VARCHAR", "b": "INTEGER", "ts": "TIMESTAMP", "made": "TIMESTAMP", "y": "BOOLEAN", "day": "DATE"}
PAIRS = st.tuples(
    st.sampled_from(("p", "ü", "")), st.integers(-1, 1), st.sampled_from(OFFSETS), st.sampled_from((None, 0, 1)),
    st.booleans() | st.none(),
)  # fmt: skip


class CrashError(Exception):
    """The end of a writer in the middle of its work."""


class Machine(RuleBasedStateMachine):
    """A warehouse, an online table, and everything that may happen to both."""

    backend: Backend
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.address = self.backend.address()
        self.numbers = itertools.count()
        self.warehouse: list[Row] = []
        self.pairs: list[Row] = []
        self.unlanded: list[PushedRow] = []
        self.view = world.orders()
        self.second = make_view(
            SECONDS, keys=("a", "b"), name="pairs", created_at="made", ttl=None, fingerprint="pairs"
        )
        self.loaded: dict[str, tuple[OnlineView, list[Row], datetime]] = {}  # view, rows ingested, watermark
        self.pushed_at: datetime | None = None
        self.reader: OnlineReader | None = None

    def teardown(self) -> None:
        if self.reader is not None:
            self.reader.close()

    # -- the warehouse -----------------------------------------------------------------------------------------

    @rule(rows=st.lists(ROWS, min_size=1, max_size=6))
    def arrive(self, rows: list[Any]) -> None:
        self.warehouse += [row_of(row) for row in rows]

    @rule(rows=st.lists(PAIRS, min_size=1, max_size=4))
    def arrive_in_pairs(self, rows: list[Any]) -> None:
        for a, b, offset, made, y in rows:
            at = BEGIN + timedelta(microseconds=offset)
            created = None if made is None else at + timedelta(microseconds=made)
            self.pairs.append({"a": a, "b": b, "ts": at, "made": created, "y": y, "day": at.date()})

    @rule(place=st.integers(0, 50), x=st.sampled_from(VALUES))
    def correct(self, place: int, x: float | None) -> None:
        if self.warehouse:
            self.warehouse[place % len(self.warehouse)] |= {"x": x}

    @rule(place=st.integers(0, 50))
    def leave(self, place: int) -> None:
        if self.warehouse:
            del self.warehouse[place % len(self.warehouse)]

    # -- loads -------------------------------------------------------------------------------------------------

    @rule(full=st.booleans(), both=st.booleans())
    def load(self, full: bool, both: bool) -> None:
        self._load(now(), full=full, both=both)

    @rule(shape=st.sampled_from(SHAPES), ttl=st.sampled_from((5, 200, None)))
    def change(self, shape: tuple[str, ...], ttl: int | None) -> None:
        self.view = world.orders(shape, ttl=None if ttl is None else ttl * world.DAY)
        self._load(now())

    @rule()
    def load_twice(self) -> None:
        at = now()
        self._load(at)
        before = self._views()
        self._load(at)
        assert self._views() == before

    def _views(self) -> dict[str, Any]:
        """What the table says of its views; without the load where pushed rows made it write twice."""
        with closing(OnlineReader(self.address)) as reader:
            views = reader.views()
        if not self.unlanded:
            return views
        return {name: replace(view, load_id="", loaded_at=view.watermark) for name, view in views.items()}

    @precondition(lambda self: "orders" in self.loaded)
    @rule()
    def load_late(self) -> None:
        _, _, watermark = self.loaded["orders"]
        with pytest.raises(AsknownError) as caught:
            self._load(watermark - timedelta(microseconds=1))
        assert caught.value.code == "load-older"

    @precondition(lambda self: self.loaded)
    @rule(full=st.booleans(), stage=st.integers(0, 3))
    def stop_while_loading(self, full: bool, stage: int) -> None:
        with pytest.raises(CrashError):
            self._load(now(), full=full, stop_at=stage)

    @precondition(lambda self: "pairs" in self.loaded)
    @rule()
    def drop(self) -> None:
        with self._writer() as writer:
            writer.forget("pairs")
        del self.loaded["pairs"]

    def _writer(self) -> Any:
        return open_writer(self.address, owner=OWNER)

    def _load(self, at: datetime, *, full: bool = False, both: bool = True, stop_at: int | None = None) -> None:
        view, rows, pairs = self.view, [dict(row) for row in self.warehouse], [dict(row) for row in self.pairs]
        stops = Stops(stop_at)
        with self._writer() as writer:
            writer.load(view, world.newest_batches(view, rows, at), at, full_refresh=full, allow_shrink=True)
            stops.here()
            writer.load_events(view, world.event_batches(view, rows, at), at)
            stops.here()
            writer.load_ahead(view, world.ahead_batches(view, rows, at), at, oracle_ahead())
            waiting = writer.unlanded(SOURCE, STRUCT)
            assert [row.seq for row in waiting] == [row.seq for row in self.unlanded]
            unseen = [pushed_row(row) for row in waiting]
            batches = world.wide_batches(view, unseen) if unseen else []
            last = waiting[-1] if waiting else PushedRow(0, 0, {})
            stops.here()
            writer.load_pushed(view, SOURCE, batches, at=last.at, seq=last.seq)
            if both:
                writer.load(self.second, world.newest_batches(self.second, pairs, at), at, allow_shrink=True)
                writer.load_ahead(self.second, world.ahead_batches(self.second, pairs, at), at, oracle_ahead())
            service = OnlineService("everything", (ServicePart("orders"), ServicePart("pairs", ("y",), alias="p")))
            writer.services([service] if both else [])
            stops.here()
        self.loaded["orders"] = (view, rows + unseen, at)
        if both:
            self.loaded["pairs"] = (self.second, pairs, at)

    # -- pushes ------------------------------------------------------------------------------------------------

    @precondition(lambda self: "orders" in self.loaded)
    @rule(rows=st.lists(ROWS, min_size=1, max_size=4), stop=st.sampled_from((False, False, False, True)))
    def push(self, rows: list[Any], stop: bool) -> None:
        given = [row_of(row) for row in rows]
        view, held, watermark = self.loaded["orders"]
        accepted: list[PushedRow] = []
        with suppress(CrashError), closing(open_for_pushes(self.address, OWNER)) as table:  # type: ignore[arg-type]
            with table.transaction() as transaction:
                ids = [f"o{next(self.numbers)}" for _ in given]
                assert transaction.seen(SOURCE, ids) == set()
                stamp = transaction.stamp(len(given))
                accepted = [
                    PushedRow(stamp.seq + n, stamp.at + n, {name: row[name] for name in STRUCT_NAMES})
                    for n, row in enumerate(given)
                ]
                transaction.queue(SOURCE, STRUCT, accepted)
                transaction.remember(SOURCE, [(key, row.at) for key, row in zip(ids, accepted, strict=True)], before=0)
                batches = world.wide_batches(view, map(pushed_row, accepted))
                last = accepted[-1]
                outcomes = transaction.apply("orders", batches, at=last.at, seq=last.seq)
                assert set(outcomes.values()) <= {"new", "older", "late"}
                if stop:
                    raise CrashError
            with table.transaction() as transaction:
                assert transaction.seen(SOURCE, [*ids, "other"]) == set(ids)
                assert transaction.last().seq == last.seq
            self.unlanded += accepted
            self.loaded["orders"] = (view, held + [pushed_row(row) for row in accepted], watermark)
            self.pushed_at = world.arrival(last.at)

    @precondition(lambda self: self.unlanded)
    @rule(some=st.integers(1, 5), stop=st.booleans())
    def land(self, some: int, stop: bool) -> None:
        with closing(open_for_pushes(self.address, OWNER)) as table:  # type: ignore[arg-type]
            with table.transaction() as transaction:
                rows = transaction.unlanded(SOURCE, STRUCT)[:some]
                assert [row.seq for row in rows] == [row.seq for row in self.unlanded[:some]]
                noted = transaction.landing(SOURCE)
                if noted is not None:
                    rows = transaction.unlanded(SOURCE, STRUCT, upto=noted[1])
                transaction.begin_landing(SOURCE, rows[0].seq, rows[-1].seq)
            if stop:
                return
            with table.transaction() as transaction:
                assert transaction.landing(SOURCE) == (rows[0].seq, rows[-1].seq)
                transaction.end_landing(SOURCE, rows[-1].seq)
        self.unlanded = self.unlanded[len(rows) :]
        self.warehouse += [pushed_row(row) for row in rows]

    # -- reads -------------------------------------------------------------------------------------------------

    @rule()
    def reconnect(self) -> None:
        if self.reader is not None:
            self.reader.close()
            self.reader = None

    @invariant()
    def answers(self) -> None:
        if not self.loaded:
            return
        Machine.steps += 1
        if self.reader is None:
            self.reader = OnlineReader(self.address, owner=OWNER)
        assert set(self.reader.views()) == set(self.loaded)
        for name, (view, rows, watermark) in self.loaded.items():
            first = max(watermark, self.pushed_at or watermark) if name == "orders" else watermark
            for later in (0, 7_199_999_999, 86_400_000_000, 110 * world.DAY):
                self._check(view, rows, watermark, first + timedelta(microseconds=later))
            if name == "orders" and first > watermark:
                with pytest.raises(AsknownError) as caught:
                    self.reader.get_online_features(["orders:x"], [{"id": 1}], at=first - timedelta(microseconds=1))
                assert caught.value.code == "before-watermark"
        if "orders" in self.loaded:
            view, rows, watermark = self.loaded["orders"]
            response = self.reader.get_online_features(["orders"], [{"id": 1}])
            assert compared(response, 0) == world.expected(
                view, rows, (1,), response.at.replace(tzinfo=None), watermark
            )

    def _check(self, view: OnlineView, rows: list[Row], watermark: datetime, at: datetime) -> None:
        assert self.reader is not None
        if view.name == "orders":
            keys: list[dict[str, Any]] = [{"id": key} for key in (1, 3, None, 2, 99, 1)]
        else:
            keys = [{"a": "ü", "b": 0}, {"a": "", "b": None}, {"a": "p", "b": -1}, {"a": "p", "b": 7}]
        wanted = [world.expected(view, rows, tuple(key.values()), at, watermark) for key in keys]
        many = self.reader.get_online_features([view.name], keys, at=at)
        assert [compared(many, place) for place in range(len(keys))] == wanted
        one = self.reader.get_online_features([view.name], keys[:1], at=at)
        assert compared(one, 0) == wanted[0]
        if view.name == "orders":  # of these alone tiles have states
            merging = self.reader.get_online_features([f"orders:{name}" for name in MERGING], keys, at=at)
            for place, row in enumerate(wanted):
                assert compared(merging, place) == {name: row[name] for name in MERGING}


class Stops:
    """Ends a load at one of its stages."""

    def __init__(self, at: int | None) -> None:
        self._left = at

    def here(self) -> None:
        if self._left == 0:
            raise CrashError
        if self._left is not None:
            self._left -= 1


STRUCT_NAMES = ("id", "ts", "x", "note", "price")


def oracle_ahead() -> int:
    """How far ahead loads keep rows, in microseconds: further than any read goes."""
    return 400 * world.DAY


def row_of(drawn: Any) -> Row:
    """A row of the warehouse."""
    key, offset, known, x, note, price = drawn
    at = BEGIN + timedelta(microseconds=offset)
    return {"id": key, "ts": at, "k": at + timedelta(microseconds=known), "x": x, "note": note, "price": price}


def pushed_row(row: PushedRow) -> Row:
    """A pushed row as views see it: it was known when it arrived."""
    return {**row.values, "k": world.arrival(row.at)}


def now() -> datetime:
    """This instant, naive, in UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def compared(response: Any, place: int) -> dict[str, tuple[Any, str, datetime | None]]:
    """For each feature of a row its value, status and event time, as the oracle gives them."""
    statuses, moments = response.statuses(), response.event_timestamps()
    row = response.rows()[place]
    return {name: (world.exactly(row[name]), statuses[name][place], moments[name][place]) for name in statuses}


def test_any_order_of_steps_answers_as_the_oracle(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "LENGTH", 2)  # so that few events make several tiles
    monkeypatch.setattr(sqlite_tiles, "FEWEST", 2)
    machine = type("Here", (Machine,), {"backend": backend})
    Machine.steps = 0
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    print(f"{backend.kind}: {Machine.steps} states read, 0 differences")


def test_doctor_finds_the_content_as_written(backend: Backend) -> None:
    machine = type("Here", (Machine,), {"backend": backend})()
    machine.arrive([(key, 0, 0, 0.5, "a", None) for key in KEYS])
    machine.load(full=False, both=True)
    machine.push([(1, 3_600_000_000, 0, 1.5, "b", None), (2, 100 * 86_400_000_000, 0, 2.5, "c", None)], stop=False)
    found = inspect_table(machine.address, {"orders": machine.view, "pairs": machine.second}, owner=OWNER)
    assert [check for check in found.checks if check.state == "act"] == []
    machine.teardown()
