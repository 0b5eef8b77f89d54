"""Expressions that people write in models, and what becomes of each on an engine.

``translated/expressions.sql`` lists them, in DuckDB's SQL, over one table of hostile rows; ``translated/<engine>.sql``
has more, that this engine is asked, as are those that ``AS`` names. ``translated/<engine>.tsv`` lists those that an
engine does not run: ``refused`` when the model is translated, with the place and what to write instead; ``stops``, an
error when the query runs; or ``stop both``, on DuckDB too. All others give what DuckDB gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

LISTS = Path(__file__).parent / "translated"
AS = {"clickhouse": "postgres"}
"""Engines that are asked what another is."""

_TIMES = (
    "2024-02-29 23:59:59.999999",
    "1969-12-31 23:59:59.999999",
    "2024-12-30 00:00:00",
    "2023-03-26 02:30:00",
    None,
    "1900-01-01 12:34:56.000001",
    "9998-12-31 00:00:00",
    "2020-06-15 12:00:00.5",
)
_AT = [None if text is None else datetime.fromisoformat(text) for text in _TIMES]
COLUMNS: dict[str, tuple[pa.DataType, tuple[Any, ...]]] = {
    "id": (pa.int32(), (1, 2, 3, 4, 5, 6, 7, 8)),
    "i": (pa.int64(), (7, -7, 7, 0, None, 2**53 + 1, -1, 12)),
    "j": (pa.int32(), (2, 2, -2, 0, 5, 3, 3, 5)),
    "x": (pa.float64(), (2.5, -2.5, 0.5, 3.5, None, 1e17, -0.5, 1.005)),
    "y": (pa.float64(), (0.5, 3.0, 0.0, 1e300, None, 7.0, -3.5, 2.675)),
    "s": (pa.string(), ("Hello, World", "éàÜß ÄÖ", "", "  pad ", None, "%a_b", "ABC", "12")),
    "u": (pa.string(), ("a-b-c", "x--y", "", "no", None, "A%", "abc", "1.5")),
    "b": (pa.bool_(), (True, False, True, None, None, False, True, False)),
    "t": (pa.timestamp("us"), tuple(_AT)),
    "d": (pa.date32(), tuple(None if at is None else date(at.year, at.month, at.day) for at in _AT)),
    "tz": (pa.timestamp("us", "UTC"), tuple(None if at is None else at.replace(tzinfo=UTC) for at in _AT)),
    "n": (
        pa.decimal128(10, 2),
        tuple(map(Decimal, ("2.50", "-2.50", "0.10", "0.00", "5.25", "99999999.99", "1.15", "-0.05"))),
    ),
}
"""The table ``hostile``: its columns, their types and values."""

NEARLY = (
    *("avg(", "sum(x", "stddev", "var_", "corr", "covar", "median(x", "quantile_cont(x"),
    *("sin(", "ln(", "log10(", "cbrt(", "exp("),
)
"""What is the engine's own floating-point arithmetic: it agrees to 1e-12."""

DEFINED = {
    "round(y,2)": "case when isinf(y * 1e2) then y else round(y * 1e2) / 1e2 end",
    "round(sum(n) / count(*), 2)": "round(sum(n) / count(*) * 1e2) / 1e2",
}
"""What the translations mean where versions of DuckDB differ: `round(x, n)` of floats is rounded in doubles."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of an expression: ``same``, ``refused``, ``stops``, ``stop both`` or ``differs``; and why."""

    word: str
    reason: str = ""


def hostile() -> pa.Table:
    """The table of hostile rows."""
    return pa.table({name: pa.array(values, kind) for name, (kind, values) in COLUMNS.items()})


def expressions(engine: str | None = None) -> dict[str, list[str]]:
    """The expressions, by what they are about; of an engine, with those that it alone is asked."""
    found: dict[str, list[str]] = {}
    for name in ("expressions", AS.get(engine or "", engine)):
        path = LISTS / f"{name}.sql"
        if path.exists():
            _read(path, found)
    return found


def _read(path: Path, found: dict[str, list[str]]) -> None:
    room: list[str] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("-- ") and not before:
            room = found.setdefault(line.removeprefix("-- "), [])
        elif line and not line.startswith("--"):
            room.append(line)


def listed(engine: str) -> dict[str, Verdict]:
    """The expressions that do not give on the engine what they give on DuckDB."""
    path = LISTS / f"{engine}.tsv"
    if not path.exists():
        return {}
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return {expression: Verdict(word, reason) for word, expression, reason in rows}


def write_list(engine: str, verdicts: dict[str, Verdict]) -> None:
    """Keeps the verdicts on an engine, but for what differs: that is never right."""
    rows = [
        (v.word, expression, v.reason)
        for expression, v in verdicts.items()
        if v.word in ("refused", "stops", "stop both")
    ]
    (LISTS / f"{engine}.tsv").write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


def model_of(room: str, some: list[str]) -> str:
    """A model of these expressions of a room, as the columns z0, z1, … of rows with an ``id`` and an instant ``ts``."""
    ts = "timestamp '2000-01-01 00:00:00' as ts"
    if room == "queries":
        (query,) = some
        return f"select id, {ts}, z as z0 from ({query.replace('hostile', HOSTILE)}) as q"
    columns = ", ".join(f"{each.replace('from hostile', f'from {HOSTILE}')} as z{n}" for n, each in enumerate(some))
    identity = "1 as id" if room == "aggregates" else "id"
    return f"select {identity}, {ts}, {columns} from {HOSTILE}"


HOSTILE = "{{ ref('hostile') }}"
