"""An unmodified Feast client reads from `asknown serve`. `make test-feast` installs it in an environment of its own."""

from __future__ import annotations

import json
import os
import random
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from asknown import OnlineReader
from asknown.online.nodes import OnlineService, ServicePart
from asknown.online.sqlite.writer import open_writer
from http_calls import serving
from online_tables import load, make_view

if "ASKNOWN_FEAST" not in os.environ:
    pytest.skip(
        "make test-feast runs these; the shapes on the wire are in test_http_endpoints", allow_module_level=True
    )

MOMENT = datetime(2013, 5, 1, 10)
PLACES = ("north", "süd")
TYPES = {"d": "DOUBLE", "i": "BIGINT", "s": "VARCHAR", "b": "BOOLEAN"}


def make_table(path: Path) -> None:
    some = random.Random(7)

    def values(name: str) -> dict[str, Any]:
        drawn = {
            "d": some.random() * 100,
            "i": some.randrange(2**60),
            "s": f"é{some.randrange(9)}",
            "b": some.random() < 0.5,
        }
        return {f"{name}_{kind}": None if some.random() < 0.2 else value for kind, value in drawn.items()}

    one = make_view({"id": "BIGINT", "ts": "TIMESTAMP", **{f"one_{k}": t for k, t in TYPES.items()}}, name="one")
    columns = {"id": "BIGINT", "place": "VARCHAR", "ts": "TIMESTAMP", **{f"two_{k}": t for k, t in TYPES.items()}}
    two = make_view(columns, keys=("id", "place"), name="two")
    load(path, one, [{"id": i, "ts": MOMENT, **values("one")} for i in range(50)])
    load(path, two, [{"id": i, "place": p, "ts": MOMENT, **values("two")} for i in range(50) for p in PLACES])
    both = OnlineService("both", (ServicePart("one", ("one_d", "one_s")), ServicePart("two")))
    with open_writer(path) as writer:
        writer.services([both])


def requests() -> list[dict[str, Any]]:
    """Twenty requests: by lists and by a service, one view and two, with keys that are not there."""
    some = random.Random(8)
    made: list[dict[str, Any]] = []
    for number in range(20):
        rows = [{"id": some.randrange(60), "place": some.choice(PLACES)} for _ in range(some.choice((1, 2, 30)))]
        features: Any = [["one:one_d", "one:one_i"], ["two:two_s", "one:one_b", "two:two_d"], "both"][number % 3]
        if number % 3 == 0:
            rows = [{"id": row["id"]} for row in rows]
        made.append({"features": features, "rows": rows, "full": number % 2 == 1})
    return made


def test_twenty_reads_of_feast_equal_the_readers(tmp_path: Path) -> None:
    make_table(tmp_path / "online.db")
    asked = requests()
    (tmp_path / "feast").mkdir()
    with serving("--file", "online.db", folder=tmp_path) as server:
        done = subprocess.run(
            [
                os.environ["ASKNOWN_FEAST"],
                Path(__file__).with_name("feast_reads.py"),
                f"http://127.0.0.1:{server.port}",
                tmp_path / "feast",
            ],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    assert len(answers) == 20
    values = 0
    with OnlineReader(tmp_path / "online.db") as reader:
        for request, answer in zip(asked, answers, strict=True):
            expected = reader.get_online_features(
                request["features"], request["rows"], full_feature_names=request["full"]
            ).to_dict()
            assert answer == expected
            values += sum(value is not None for column in answer.values() for value in column)
    assert values > 500
