"""Applies to one registry from many processes that are killed at any moment: no fork, nothing lost, nothing torn."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from faults.conftest import Length, Tell

PROJECTS, PROCESSES = 2, 4  # of each project
FILES = {
    "models/all.yml": "sources: [{name: raw, tables: [{name: rows, path: rows.csv}]}]\n"
    "entities: [{name: e, keys: [k]}]\n",
    "models/v.sql": "{{ config(entity='e', event_time='ts') }}\n"
    "select k, ts, n as f from {{ source('raw', 'rows') }}\n",
    "rows.csv": "k,ts,n\n1,2024-01-01,5\n",
}
# Applies `number` changes, each a new expression of its own, and tells of each when it is written.
WORKER = """
import sys
from dataclasses import replace
from asknown import AsknownError, FeatureStore
folder, name, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
number, moved = first, 0
while number < last:
    with FeatureStore(folder) as store:
        file = store.project.models["v"]
        text = file.text.replace("n as f", f"n + {number} as f, '{name}' as who")
        store.project.models["v"] = replace(file, text=text)
        try:
            done = store.registry.apply(message=f"{name}:{number}", accept=["v"])
        except AsknownError as error:
            assert error.code in ("registry-moved", "registry-write"), error
            moved += 1
            continue
    assert done is not None
    number += 1
    print(f"{name}:{number - 1}", flush=True)
print("moved", moved, flush=True)
"""


@dataclass
class Applier:
    """A process that applies, started again where it was killed. ``told`` are the applies that it said were written."""

    folder: Path
    name: str
    number: int
    told: list[str] = field(default_factory=list)
    kills: int = 0
    moved: int = 0
    process: subprocess.Popen[str] | None = None
    log: Path = Path("nothing")

    def start(self, folder: Path) -> None:
        first = len(self.told)
        arguments = [self.folder, f"{self.name}.{self.kills}", str(first), str(self.number)]
        self.log = folder / f"{self.name}.{self.kills}.log"
        with self.log.open("w") as out:
            self.process = subprocess.Popen([sys.executable, "-c", WORKER, *arguments], stdout=out)

    def end(self) -> bool:
        """Reads what the process said, once it has ended; whether all is applied."""
        assert self.process is not None
        self.process.wait()
        for line in self.log.read_text().splitlines():
            if line.startswith("moved"):
                self.moved += int(line.split()[1])
            else:
                self.told.append(line)
        return len(self.told) >= self.number


def test_applies_side_by_side_lose_nothing(tmp_path: Path, length: Length, tell: Tell) -> None:
    number = length.of(2, 200)
    lottery = random.Random(17)
    registry = tmp_path / "registry.db"
    crew = []
    for project in range(PROJECTS):
        folder = tmp_path / f"p{project}"
        write(folder, f"p{project}", registry)
        crew += [Applier(folder, f"p{project}w{n}", number) for n in range(PROCESSES)]
    started = time.perf_counter()
    for one in crew:
        one.start(tmp_path)
    running = list(crew)
    while running:
        time.sleep(lottery.uniform(0.05, 0.4))
        victim = lottery.choice(running)
        assert victim.process is not None
        done = len(victim.log.read_text().splitlines())
        if victim.process.poll() is None and done >= lottery.randint(0, number // 10) and victim.kills <= number // 10:
            victim.process.send_signal(signal.SIGKILL)
            victim.kills += 1
        for one in list(running):
            assert one.process is not None
            if one.process.poll() is not None:
                killed = one.process.returncode == -signal.SIGKILL
                assert killed or one.process.returncode == 0
                if one.end():
                    running.remove(one)
                else:
                    one.start(tmp_path)
    seconds = time.perf_counter() - started
    told = [line for one in crew for line in one.told]
    revisions = inspect(registry, told)
    kills, moved = sum(one.kills for one in crew), sum(one.moved for one in crew)
    tell(
        f"registry: {len(crew)} processes × {number} applies, {kills} kills, {moved} refused as overtaken: "
        f"{revisions} revisions, forks 0, lost 0, {seconds:.0f} s"
    )


def write(folder: Path, name: str, registry: Path) -> None:
    """A project of one view that writes to the shared registry."""
    files = FILES | {
        "pyproject.toml": f'[tool.asknown]\nname = "{name}"\n',
        "profiles.yml": f"{name}:\n  registry: {{path: {registry}}}\n  outputs: {{dev: {{type: duckdb}}}}\n",
    }
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")


def inspect(registry: Path, told: list[str]) -> int:
    """The number of revisions of a registry that is whole: chains without a fork, all that was told, all objects."""
    with sqlite3.connect(registry) as connection:
        rows = connection.execute("select project, n, parent, message, manifest from revision order by project, n")
        chains: dict[str, list[tuple[int, int, str, str]]] = {}
        for project, *rest in rows:
            chains.setdefault(project, []).append(tuple(rest))
        objects = {digest: json.loads(body) for digest, body in connection.execute("select hash, body from object")}
        heads = dict(connection.execute("select name, head from project"))
        for project, chain in chains.items():
            assert [(n, parent) for n, parent, *_ in chain] == [(n, n - 1) for n in range(1, len(chain) + 1)]
            assert heads[project] == len(chain)
            for _, _, _, manifest in chain:
                for entry in objects[manifest]["views"].values():
                    assert objects[entry["object"]]["model"] in objects
            newest = objects[chain[-1][3]]["views"]
            views = connection.execute("select name, version, hash from view where project = ?", (project,)).fetchall()
            assert views == [(name, entry["version"], entry["object"]) for name, entry in newest.items()]
            versions = connection.execute("select v from version where project = ? order by v", (project,)).fetchall()
            assert [v for (v,) in versions] == list(range(1, len(chain) + 1))
        messages = [message for chain in chains.values() for _, _, message, _ in chain]
        assert len(messages) == len(set(messages))
        assert set(told) <= set(messages)
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        assert connection.execute("pragma foreign_key_check").fetchall() == []
        connection.execute("insert into search (search) values ('integrity-check')")
    return len(messages)
