"""The flights' training set by pandas and numpy, from the raw files: none of asknown, and none of the models' SQL.

A landing is found another way than the models find it: from the actual departure, the time in the air and the
destination's clock, where the models add the delay to the scheduled landing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

DATA = Path(__file__).parents[1] / "data" / "nycflights13"
ATLANTIC = {"BQN": "America/Puerto_Rico", "PSE": "America/Puerto_Rico", "SJU": "America/Puerto_Rico",
            "STT": "America/St_Thomas"}  # fmt: skip
NEVER = np.iinfo(np.int64).max
HOUR = pd.Timedelta("1h")
DAY = pd.Timedelta("1D")

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class View:
    """The rows of a feature view. ``event`` and ``known`` are microseconds, ``NEVER`` where the instant is NULL."""

    keys: tuple[str, ...]
    key_columns: pd.DataFrame
    event: Integers
    known: Integers | None
    ttl: int | None
    features: pa.Table


def microseconds(instants: pd.Series) -> Integers:
    """Microseconds since 1970; ``NEVER`` for a missing instant, which no spine reaches."""
    naive = instants.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]")
    return np.where(naive.isna(), NEVER, naive.astype("int64"))


def minutes_of_day(hhmm: pd.Series) -> pd.Series:
    """Minutes since midnight of a clock reading such as 1745; 2400 is the next midnight."""
    return (hhmm // 100) * 60 + hhmm % 100


def due(departure: pd.Series, hhmm: pd.Series, zone: str) -> pd.Series:
    """The first instant from ``departure`` on at which the clock of ``zone`` shows ``hhmm``.

    Raises where the clock shows it twice or never that night; no scheduled landing of 2013 is such a one.
    """
    there = departure.dt.tz_convert(zone).dt.tz_localize(None)
    clock = there.dt.normalize() + pd.to_timedelta(minutes_of_day(hhmm), unit="min")
    clock = clock.where(clock >= there, clock + DAY)
    instants: pd.Series = clock.dt.tz_localize(zone, ambiguous="raise", nonexistent="raise").dt.tz_convert("UTC")
    return instants


def landed(departed: pd.Series, air_time: pd.Series, hhmm: pd.Series, zone: str) -> pd.Series:
    """The first instant after the time in the air at which the clock of ``zone`` shows ``hhmm``."""
    earliest = departed + pd.to_timedelta(air_time, unit="min")
    there = earliest.dt.tz_convert(zone)
    taxi = (minutes_of_day(hhmm) - there.dt.hour * 60 - there.dt.minute) % (24 * 60)
    instants: pd.Series = earliest + pd.to_timedelta(taxi, unit="min")
    return instants


def read_flights() -> pd.DataFrame:
    """Every flight with ``scheduled``, ``departed``, ``due`` and ``landed`` as instants (NaT: never)."""
    flights = pq.read_table(DATA / "flights.parquet").to_pandas()
    airports = pq.read_table(DATA / "airports.parquet", columns=["faa", "tzone"]).to_pandas()
    zones = dict(zip(airports["faa"], airports["tzone"], strict=True)) | ATLANTIC
    flights["scheduled"] = flights["time_hour"].dt.tz_convert("UTC") + pd.to_timedelta(flights["minute"], unit="min")
    flights["departed"] = flights["scheduled"] + pd.to_timedelta(flights["dep_delay"], unit="min")
    parts = []
    for zone, rows in flights.groupby(flights["dest"].map(zones), dropna=False):
        parts.append(
            rows.assign(
                due=due(rows["scheduled"], rows["sched_arr_time"], str(zone)),
                landed=landed(rows["departed"], rows["air_time"], rows["arr_time"], str(zone)),
            )
        )
    together: pd.DataFrame = pd.concat(parts).sort_index()
    return together


def spine(flights: pd.DataFrame) -> pd.DataFrame:
    """The flights in the spine's order: by scheduled departure, carrier, flight and origin."""
    return flights.sort_values(["scheduled", "carrier", "flight", "origin"], ignore_index=True)


def spine_columns(ordered: pd.DataFrame) -> pa.Table:
    """The columns of the spine as the training set must give them back, from :func:`spine`."""
    delay = pa.array(ordered["arr_delay"], pa.int64(), from_pandas=True)
    columns = {
        name: pa.array(ordered[name], pa.int64() if name == "flight" else pa.string(), from_pandas=True)
        for name in ("carrier", "flight", "tailnum", "origin", "dest")
    }
    columns["event_timestamp"] = instants_column(ordered["scheduled"])
    columns["arrived_late"] = pc.greater(delay, 15)
    return pa.table(columns)


def instants_column(instants: pd.Series) -> pa.Array:
    """Naive UTC timestamps in microseconds, as Arrow."""
    values = microseconds(instants)
    return pa.array(values, pa.timestamp("us"), mask=values == NEVER)


def views(flights: pd.DataFrame) -> dict[str, View]:
    """The five feature views, with the features of the service ``flight_delay_v1`` in select order.

    Features that the service leaves out are left out here too: in this data they settle no tie.
    """
    raw = pq.read_table(DATA / "flights.parquet")
    event, known = microseconds(flights["due"]), microseconds(flights["landed"])
    made_up = pc.subtract(raw["dep_delay"], raw["arr_delay"])
    days = {days: days * 86_400_000_000 for days in (3, 7)}
    return {
        "carrier_delays": View(
            ("carrier",), flights[["carrier"]], event, known, days[3],
            pa.table({"last_arr_delay": raw["arr_delay"], "last_dep_delay": raw["dep_delay"],
                      "last_minutes_made_up": made_up, "last_arrived_late": pc.greater(raw["arr_delay"], 15),
                      "last_distance": raw["distance"]}),
        ),
        "origin_weather": read_weather(),
        "aircraft_last_landing": View(
            ("tailnum",), flights[["tailnum"]], known, None, days[7],
            pa.table({"aircraft_last_landed_at": instants_column(flights["landed"]),
                      "aircraft_last_dest": raw["dest"], "aircraft_last_arr_delay": raw["arr_delay"],
                      "aircraft_last_air_time": raw["air_time"]}),
        ),
        "aircraft_facts": read_planes(),
        "route_history": View(
            ("origin", "dest"), flights[["origin", "dest"]], microseconds(flights["scheduled"]), known, days[7],
            pa.table({"route_last_carrier": raw["carrier"], "route_last_dep_delay": raw["dep_delay"],
                      "route_last_arr_delay": raw["arr_delay"], "route_last_air_time": raw["air_time"]}),
        ),
    }  # fmt: skip


def read_weather() -> View:
    """Hourly weather, known when its hour is over; the one wind that no anemometer survives is NULL."""
    raw = pq.read_table(DATA / "weather.parquet")
    hours = raw["time_hour"].to_pandas()
    wind = pc.if_else(pc.less(raw["wind_speed"], 200), raw["wind_speed"], None)
    features = raw.set_column(raw.column_names.index("wind_speed"), "wind_speed", wind)
    features = features.select(["temp", "wind_speed", "wind_gust", "precip", "pressure", "visib"])
    keys = raw.select(["origin"]).to_pandas()
    return View(("origin",), keys, microseconds(hours), microseconds(hours + HOUR), 3 * 3_600_000_000, features)


def read_planes() -> View:
    """The registry's facts, known since the year began."""
    raw = pq.read_table(DATA / "planes.parquet")
    since = np.full(raw.num_rows, pd.Timestamp("2013-01-01").value // 1000)
    features = raw.select(["manufacturer", "seats", "year"]).rename_columns(["manufacturer", "seats", "year_built"])
    return View(("tailnum",), raw.select(["tailnum"]).to_pandas(), since, None, None, features)


def total_order(view: View) -> Integers:
    """Each row's place in the order that decides between visible rows: event, known, then features, NULLs lowest."""
    columns = {"event": pd.Series(view.event)}
    if view.known is not None:
        columns["known"] = pd.Series(view.known)
    for name in view.features.column_names:
        columns[f"feature {name}"] = pd.Series(view.features[name].combine_chunks(), dtype=None)
    frame = pd.DataFrame({name: _codes(column) for name, column in columns.items()})
    order = np.lexsort([frame[name] for name in reversed(frame.columns)])
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place


def _codes(column: pd.Series) -> Integers:
    codes, _ = pd.factorize(column, sort=True)  # NULL gets -1: lowest
    return codes


def winners(view: View, ordered: pd.DataFrame) -> Integers:
    """For each row of the spine the view's row that was newest among the visible ones, or -1."""
    seen_from = view.event if view.known is None else np.maximum(view.event, view.known)
    place = total_order(view)
    row_at = np.argsort(place)
    instants = microseconds(ordered["scheduled"])
    rows_of = view.key_columns.groupby(list(view.keys)).indices
    found: Integers = np.full(len(ordered), -1)
    for key, moments in ordered.groupby(list(view.keys)).indices.items():
        rows: Integers = np.asarray(rows_of.get(key, ()), np.int64)
        if not len(rows):
            continue
        rows = rows[np.argsort(seen_from[rows], kind="stable")]
        best = np.maximum.accumulate(place[rows])
        last = np.searchsorted(seen_from[rows], instants[moments], side="right") - 1
        found[moments] = np.where(last >= 0, row_at[best[np.maximum(last, 0)]], -1)
    if view.ttl is None:
        return found
    return np.where(instants - view.event[found] <= view.ttl, found, -1)


def events(view: View, key: tuple[object, ...], t: int, length: int) -> Integers:
    """The rows of a key whose event lies within ``length`` before ``t`` and which were known by then."""
    rows = np.asarray(_rows_of(view).get(key if len(key) > 1 else key[0], ()), np.int64)
    seen = (view.event[rows] <= t) & (view.event[rows] >= t - length)
    if view.known is not None:
        seen &= view.known[rows] <= t
    found: Integers = rows[seen]
    return found


def _rows_of(view: View) -> dict[object, Integers]:
    if id(view) not in _ROWS:
        _ROWS[id(view)] = view.key_columns.groupby(list(view.keys)).indices
    return _ROWS[id(view)]


_ROWS: dict[int, dict[object, Integers]] = {}


def features(view: View, found: Integers) -> pa.Table:
    """The view's features at the rows found; NULL where there is none."""
    return view.features.take(pa.array(found, mask=found < 0))


def winners_by_loops(view: View, ordered: pd.DataFrame, numbers: Sequence[int]) -> Iterator[int]:
    """The same as :func:`winners` for some rows of the spine, as the rule reads: slow, to check the fast one."""
    rows_of = view.key_columns.groupby(list(view.keys)).indices
    place = total_order(view)
    instants = microseconds(ordered["scheduled"])
    for number in numbers:
        t, best = instants[number], -1
        key = tuple(ordered[name].iat[number] for name in view.keys)
        for row in rows_of.get(key if len(key) > 1 else key[0], ()):
            if view.event[row] > t or (view.known is not None and view.known[row] > t):
                continue
            if view.ttl is not None and view.event[row] + view.ttl < t:
                continue
            if best < 0 or place[row] > place[best]:
                best = int(row)
        yield best


Window = Callable[[View, tuple[object, ...], int], object]


def _over(column: str, length: int, aggregate: Callable[[list[Any]], object]) -> Window:
    """An aggregate of a column's values over the events of the last ``length`` microseconds."""

    def compute(view: View, key: tuple[object, ...], t: int) -> object:
        rows = events(view, key, t, length)
        values = view.features[column].take(pa.array(rows)).to_pylist()
        return aggregate(values)

    return compute


def _mean(values: list[Any]) -> float | None:
    given = [value for value in values if value is not None]
    return float(Fraction(sum(given), len(given))) if given else None


def _most(values: list[Any]) -> object:
    return max((value for value in values if value is not None), default=None)


def _total(values: list[Any]) -> float | None:
    given = [value for value in values if value is not None]
    return math.fsum(given) if given else None


def _late(values: list[Any]) -> int:
    return sum(value is not None and value > 15 for value in values)


def _late_share(values: list[Any]) -> float | None:
    return _late(values) / len(values) if values else None


def _mean_change(view: View, key: tuple[object, ...], t: int) -> object:
    day, week = (_over("last_arr_delay", days * _DAY, _mean)(view, key, t) for days in (1, 7))
    return None if day is None or week is None else day - week  # type: ignore[operator]


_HOUR, _DAY = 3_600_000_000, 86_400_000_000
WINDOWS: dict[str, Window] = {
    "landings_1h": _over("last_arr_delay", _HOUR, len),
    "avg_arr_delay_1h": _over("last_arr_delay", _HOUR, _mean),
    "max_arr_delay_1h": _over("last_arr_delay", _HOUR, _most),
    "avg_arr_delay_24h": _over("last_arr_delay", _DAY, _mean),
    "max_arr_delay_24h": _over("last_arr_delay", _DAY, _most),
    "late_share_24h": _over("last_arr_delay", _DAY, _late_share),
    "late_flights_7d": _over("last_arr_delay", 7 * _DAY, _late),
    "arr_delay_change": _mean_change,
    "precip_24h": _over("precip", _DAY, _total),
    "max_wind_24h": _over("wind_speed", _DAY, _most),
    "aircraft_landings_24h": _over("aircraft_last_arr_delay", _DAY, len),
    "aircraft_avg_arr_delay_7d": _over("aircraft_last_arr_delay", 7 * _DAY, _mean),
    "route_flights_24h": _over("route_last_arr_delay", _DAY, len),
    "route_avg_arr_delay_7d": _over("route_last_arr_delay", 7 * _DAY, _mean),
    "route_late_share_7d": _over("route_last_arr_delay", 7 * _DAY, _late_share),
    "route_carriers_7d": _over("route_last_carrier", 7 * _DAY, lambda values: len(set(values))),
}
"""The window features, each by a plain aggregate over the events that :func:`events` finds."""
