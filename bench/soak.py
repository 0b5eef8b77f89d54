"""Reads, pushes and loads one table over HTTP for minutes, and checks what each of them saw.

`python bench/soak.py --minutes 10` starts `asknown serve --push` on a project of its own. Readers ask for counts of
events, pushers add events, and a loader materializes again and again. No answer may be 5xx or fail, no count that a
reader sees may be smaller than one that it saw before, and at the end every acknowledged event must count once, online
and in the training query. Prints one line of JSON; exits with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import push as shop
from asknown import FeatureStore

ASKNOWN = Path(sys.executable).with_name("asknown")
KEYS = 50


class Caller:
    """One connection to the server, opened again when it was closed."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, path: str, body: Any) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        text = json.dumps(body, default=str)
        self._connection.request("POST", path, text, {"content-type": "application/json"})
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())


class Soak:
    """Everything that runs at the same time, and what it saw."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.stop = threading.Event()
        self.acknowledged: Counter[int] = Counter()
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    def read(self) -> None:
        """Reads counts, which may only grow."""
        caller, last = Caller(self.port), Counter[int]()
        pick = random.Random()
        while not self.stop.is_set():
            keys = [pick.randrange(KEYS) for _ in range(10)]
            status, body = caller.ask("/v1/features", {"features": ["totals:spent"], "columns": {"customer_id": keys}})
            if status != 200:
                self._note("read", f"{status}: {body}")
                continue
            for key, spent in zip(keys, body["columns"]["spent"], strict=True):
                if (spent or 0) < last[key]:
                    self._note("backwards", f"customer {key}: {last[key]}, then {spent}")
                last[key] = spent or 0
            self.seen["reads"] += 1

    def push(self, number: int) -> None:
        """Pushes events of 1, each with an id of its own."""
        caller, made = Caller(self.port), 0
        pick = random.Random(number)
        while not self.stop.is_set():
            rows = []
            for _ in range(pick.choice([1, 1, 5, 50])):
                made += 1
                at = datetime.now(UTC).isoformat()
                key = pick.randrange(KEYS)
                rows.append({"order_id": f"s{number}-{made}", "customer_id": key, "ordered_at": at, "amount": 1.0})
            status, body = caller.ask("/v1/push/orders", {"rows": rows})
            if status == 200 and body["new"] + body["older"] == len(rows):
                with self._lock:
                    self.acknowledged.update(row["customer_id"] for row in rows)
                self.seen["pushed"] += len(rows)
            else:
                self._note("push", f"{status}: {body}")
            time.sleep(pick.uniform(0, 0.05))

    def load(self) -> None:
        """Loads again and again, by another process."""
        while not self.stop.wait(3):
            done = subprocess.run(
                [ASKNOWN, "materialize"], cwd=self.folder, capture_output=True, text=True, check=False
            )
            self.seen["loads"] += 1
            if done.returncode:
                self._note("load", done.stderr)

    def _note(self, what: str, text: str) -> None:
        self.seen[f"wrong {what}"] += 1
        if len(self.wrong) < 20:
            self.wrong.append(f"{what}: {text}")

    def run(self, seconds: float) -> None:
        """Runs readers, pushers and the loader for so long."""
        work = [self.read] * 3 + [lambda: self.push(1), lambda: self.push(2)] + [self.load]
        threads = [threading.Thread(target=self._guarded, args=(one,)) for one in work]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.stop.set()
        for thread in threads:
            thread.join()

    def _guarded(self, work: Any) -> None:
        try:
            work()
        except Exception as error:
            self._note("died", repr(error))

    def compare(self) -> None:
        """Compares what was acknowledged with the online answer and the training query, as of one instant."""
        keys = [{"customer_id": key} for key in range(KEYS)]
        with FeatureStore(self.folder) as store:
            response = store.get_online_features("totals:spent", keys)
            online = dict(zip(range(KEYS), response.to_dict()["spent"], strict=True))
            at = response.at.replace(tzinfo=None).isoformat(" ")
            spine = "VALUES " + ", ".join(f"({key}, TIMESTAMP '{at}')" for key in range(KEYS))
            sql = f"SELECT * FROM ({spine}) AS s(customer_id, asked_at)"
            trained = store.get_historical_features(sql, "totals:spent").to_arrow().to_pydict()
            offline = dict(zip(trained["customer_id"], trained["spent"], strict=True))
        for key in range(KEYS):
            counts = (self.acknowledged[key], online[key] or 0, offline[key] or 0)
            if len(set(counts)) > 1:
                self._note("count", f"customer {key}: acknowledged, online, offline: {counts}")


def main() -> int:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as scratch:
        folder = Path(scratch)
        for name, text in shop.PROJECT.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        with FeatureStore(folder) as store:
            store.push("orders", [{**shop.order(), "customer_id": KEYS}])
            store.materialize()
        command = [ASKNOWN, "serve", "--push", "--port", "0", "--drain", "0 seconds"]
        with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            port = None
            while port is None:
                port = re.search(r"http://127\.0\.0\.1:(\d+)", server.stderr.readline())
            soak = Soak(folder, int(port[1]))
            try:
                soak.run(60 * minutes)
            finally:
                server.send_signal(signal.SIGTERM)
                server.stderr.read()
        soak.compare()
        size = (folder / "online.db").stat().st_size
    print(json.dumps({"minutes": minutes, **soak.seen, "bytes": size, "wrong": soak.wrong}))
    return 1 if soak.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
