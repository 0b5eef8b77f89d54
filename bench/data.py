"""Makes the tables of the benchmarks: Parquet files that are the same on every run, from hashes of row numbers.

`python bench/data.py S [TABLE …]` writes the tables of one size under bench/.cache; the runner calls it when they are
missing.
Rows lie in the files in the order in which they came in, so late and restated rows lie behind newer ones.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent / "systems"))
from sizes import CLICKS

CACHE = Path(__file__).resolve().parent / ".cache"

START = "TIMESTAMP '2024-01-01'"
HOURS = 2016  # 84 days
HOUR = 3_600_000_000
FIRST_ASKED = 31 * 24  # hours: the longest window lies before it
FLATNESS = 10  # of the zipf law: the probability of rank r goes as 1 / (r + 10)


@dataclass(frozen=True)
class Size:
    """How many rows there are. Keys follow from them, so ten times the rows have ten times the keys."""

    spine: int
    rows: int
    files: int

    @property
    def users(self) -> int:
        return self.rows // 100

    @property
    def accounts(self) -> int:
        return self.rows // 10

    @property
    def merchants(self) -> int:
        return -(-self.rows // HOURS)


SIZES = {
    "XS": Size(1_000, 50_000, 2),  # for the bench's own checks
    "S": Size(10_000, 1_000_000, 2),
    "M": Size(100_000, 10_000_000, 8),
    "L": Size(1_000_000, 50_000_000, 16),
}

# Uniform in [0, 1), one for each row number and salt.
RANDOM = "CREATE MACRO u(i, salt) AS CAST(hash(i * 1009 + salt) >> 11 AS DOUBLE) / 9007199254740992.0"
INSTANT = f"CREATE MACRO instant(micros) AS make_timestamp(epoch_us({START}) + CAST(micros AS BIGINT))"

# How users are drawn, from a uniform number: the skew of transactions and spines.
SKEWS = {
    "zipf": "CAST(FLOOR({flat} * POW(({users} + {flat}) / {flat}, {u})) - {flat} AS BIGINT)",
    "even": "CAST(FLOOR({users} * {u}) AS BIGINT)",
    "hot": "CASE WHEN {u} < 0.1 THEN 0 ELSE CAST(FLOOR({users} * ({u} - 0.1) / 0.9) AS BIGINT) END",
}


def _users(skew: str, size: Size, u: str) -> str:
    return SKEWS[skew].format(flat=float(FLATNESS), users=size.users, u=u)


def _spine(size: Size, skew: str) -> str:
    """Decisions in random order; 1 in 20 on the full hour, 1 in 500 of a user nobody has heard of."""
    asked = f"{FIRST_ASKED * HOUR} + u(i, 3) * {(HOURS - FIRST_ASKED) * HOUR}"
    return f"""
        SELECT i AS row_id,
            CASE WHEN u(i, 5) < 0.002 THEN -1 ELSE {_users(skew, size, "u(i, 1)")} END AS user_id,
            CAST(FLOOR(u(i, 2) * {size.merchants}) AS BIGINT) AS merchant_id,
            CASE WHEN u(i, 4) < 0.05 THEN date_trunc('hour', instant({asked})) ELSE instant({asked}) END
                AS event_timestamp,
            CAST(u(i, 6) < 0.1 AS INTEGER) AS label
        FROM range({{low}}, {{high}}) r(i)"""


def _transactions(size: Size, skew: str) -> str:
    """Payments in the order in which they became known: 1 in 20 late, by half a day in the mean."""
    step = HOURS * HOUR / size.rows
    late = f"CASE WHEN u(i, 12) < 0.05 THEN -LN(1 - u(i, 13)) * {12 * HOUR} ELSE u(i, 13) * 60000000 END"
    return f"""
        SELECT {_users(skew, size, "u(i, 11)")} AS user_id,
            date_trunc('second', instant(i * {step!r} - {late})) AS ts,
            instant(i * {step!r}) AS known_at,
            CASE WHEN u(i, 14) >= 0.01 THEN ROUND(EXP(1 + 4 * u(i, 15) * u(i, 16)), 2) END AS amount,
            CAST(1 + FLOOR(9 * u(i, 17)) AS INTEGER) AS units,
            CAST(FLOOR(u(i, 18) * {size.merchants}) AS BIGINT) AS merchant_id
        FROM range({{low}}, {{high}}) r(i)"""


def _merchant_stats(size: Size) -> str:
    """A snapshot of each merchant at each hour; 1 in 20 missing, 1 in 200 stated again two hours later."""
    row = """
        SELECT i % {merchants} AS merchant_id,
            instant((i // {merchants}) * {hour}) AS event_time,
            instant((i // {merchants}) * {hour} + {delay}) AS created,
            ROUND(u(i, {salt}) * 5, 1) AS rating,
            CAST(FLOOR(u(i, {salt} + 1) * 200) AS INTEGER) AS orders,
            ROUND(u(i, {salt} + 2) * 9000, 2) AS revenue,
            CASE WHEN u(i, {salt} + 3) >= 0.02 THEN u(i, {salt} + 4) END AS refund_rate,
            u(i, {salt} + 5) < 0.7 AS is_open
        FROM range({{low}}, {{high}}) r(i) WHERE u(i, 21) >= 0.05"""
    first = row.format(merchants=size.merchants, hour=HOUR, delay=300_000_000, salt=22)
    again = row.format(merchants=size.merchants, hour=HOUR, delay=2 * HOUR, salt=32)
    return f"{first} UNION ALL {again} AND u(i, 31) < 0.005"


def _profiles(size: Size) -> str:
    """What is known of a user: one to three rows in most of a year, none of a few users."""
    return """
        SELECT i // 3 AS user_id,
            instant((u(i, 41) * 280 - 200) * 24 * 3600000000) AS changed_at,
            ['DE', 'FR', 'IT', 'ES', 'PL', 'NL'][1 + CAST(FLOOR(u(i, 43) * 6) AS INTEGER)] AS country,
            ['basic', 'plus', 'gold'][1 + CAST(FLOOR(u(i, 44) * 3) AS INTEGER)] AS tier,
            CAST(18 + FLOOR(u(i, 45) * 60) AS INTEGER) AS age,
            ROUND(u(i, 46) * 10000, 0) AS credit_limit,
            u(i, 47) < 0.8 AS is_verified
        FROM range({low}, {high}) r(i) WHERE u(i, 42) < 0.6"""


def _wide(size: Size) -> str:
    """A hundred features of each merchant, every ten hours."""
    features = ", ".join(f"CAST(u(i, {100 + n}) * 1000 AS SMALLINT) AS f{n:02}" for n in range(100))
    return f"""
        SELECT i % {size.merchants} AS merchant_id,
            instant((i // {size.merchants}) * {10 * HOUR}) AS event_time, {features}
        FROM range({{low}}, {{high}}) r(i)"""


def _accounts(salt: int, *, changed: bool = False) -> str:
    """The newest row of each account, ten features; ``changed``: as later, when 1 in 100 has a newer one."""
    newer = "u(i, 50) < 0.01" if changed else "FALSE"
    x = f"i + CASE WHEN {newer} THEN 1000000007 ELSE 0 END"
    floats = ", ".join(f"u({x}, {salt + n}) * 1000 AS x{salt + n}" for n in range(5))
    whole = ", ".join(f"CAST(u({x}, {salt + n}) * 1000 AS INTEGER) AS x{salt + n}" for n in range(5, 8))
    texts = ", ".join(f"printf('%08x', hash({x}) % 4294967296 + {n}) AS x{salt + n}" for n in range(8, 10))
    return f"""
        SELECT i AS account_id, instant(({HOURS - 24} + CASE WHEN {newer} THEN 20 ELSE u(i, 51) * 12 END) * {HOUR})
            AS updated_at, {floats}, {whole}, {texts}
        FROM range({{low}}, {{high}}) r(i)"""


def _clicks() -> str:
    """Keys with so many events, which they are called by, in the thirty days before the end, evenly."""
    parts = " UNION ALL ".join(
        f"""SELECT {number} AS clicker_id, instant({HOURS * HOUR} - (i + u(i, 61)) * {30 * 24 * HOUR / number!r}) AS ts,
            ROUND(u(i, 62) * 100, 2) AS price FROM range({number}) r(i)"""
        for number in CLICKS
    )
    return f"SELECT * FROM ({parts}) ORDER BY ts"


def tables(size: Size) -> dict[str, tuple[str, int]]:
    """Each table's query, with places for the first row number and the one after the last, and how many there are."""
    found = {
        "merchant_stats": (_merchant_stats(size), size.merchants * HOURS),
        "profiles": (_profiles(size), size.users * 3),
        "wide": (_wide(size), size.merchants * (HOURS // 10)),
        "accounts_0": (_accounts(0), size.accounts),
        "accounts_10": (_accounts(10), size.accounts),
        "accounts_20": (_accounts(20), size.accounts),
        "accounts_0_later": (_accounts(0, changed=True), size.accounts),
    }
    for skew in SKEWS:
        suffix = "" if skew == "zipf" else f"_{skew}"
        found[f"transactions{suffix}"] = (_transactions(size, skew), size.rows)
        found[f"spine{suffix}"] = (_spine(size, skew), size.spine)
    found["clicks"] = (_clicks(), 0)
    return found


def folder(name: str) -> Path:
    """Where the tables of a size lie."""
    return CACHE / "data" / name


def make(name: str, wanted: Sequence[str]) -> Path:
    """The folder of a size's tables, with those that are ``wanted`` (none: all) written where they are missing."""
    import duckdb

    size, place = SIZES[name], folder(name)
    place.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"preserve_insertion_order": "true"}) as connection:
        connection.execute(RANDOM)
        connection.execute(INSTANT)
        for table, (query, rows) in tables(size).items():
            if wanted and table not in wanted:
                continue
            recipe, stamp = json.dumps([query, rows, size.files]), place / f"{table}.json"
            if stamp.exists() and stamp.read_text(encoding="utf-8") == recipe:
                continue
            print(f"making {name}/{table}", file=sys.stderr, flush=True)
            shutil.rmtree(place / table, ignore_errors=True)
            (place / table).mkdir()
            for part in range(size.files if rows else 1):
                low, high = (rows * (part + end) // size.files for end in (0, 1))
                path = place / table / f"{part:02}.parquet"
                connection.execute(f"COPY ({query.format(low=low, high=high)}) TO '{path}' (FORMAT PARQUET)")
            stamp.write_text(recipe, encoding="utf-8")
    return place


def main() -> None:
    """Writes the tables of a size: all, or those that are named."""
    print(make(sys.argv[1], sys.argv[2:]))


if __name__ == "__main__":
    main()
