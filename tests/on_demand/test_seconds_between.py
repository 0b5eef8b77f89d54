"""epoch(a - b) in serving is the double that DuckDB gives in training, whatever the microseconds."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import duckdb

from asknown.values.times import epoch, seconds_between

START = datetime(1970, 1, 1)


def test_lengths_of_time_are_duckdbs() -> None:
    chance = random.Random(3)
    lengths = [chance.randrange(-(10 ** chance.randrange(5, 16)), 10 ** chance.randrange(5, 16)) for _ in range(2_000)]
    with duckdb.connect() as connection:
        sql = (
            "select epoch(make_timestamp(x) - timestamp '1970-01-01'), epoch(make_timestamp(x)) from unnest(?) as t(x)"
        )
        known = connection.execute(sql, [lengths]).fetchall()
    instants = [START + timedelta(microseconds=length) for length in lengths]
    assert [(seconds_between(at, START), epoch(at)) for at in instants] == known
