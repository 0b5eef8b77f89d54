"""Every command that the README and docs/cli.md print works as it is printed, in the order in which it is printed."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import confluent_kafka
import duckdb
import pytest

import forked
from asknown import OnlineReader
from asknown.errors import Where
from asknown.online.resolve import resolve
from asknown.project.nodes import ServiceLog
from asknown.serve import Application
from asknown.serve.log import ServiceWriter
from cli.typed import succeed
from http_calls import call

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
FLIGHTS = ("pyproject.toml", "profiles.yml", "models", "macros", "data")


def typed(command: str, folder: Path) -> str:
    """What a shell prints for the command; it must succeed."""
    environment = {**os.environ, "PATH": f"{forked.bin_folder()}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
    return done.stdout


def typed_here(command: str, folder: Path) -> None:
    """Runs a command that needs no shell in this process, which has imported everything; it must succeed."""
    if set(command) & set("|<>$;&*"):
        typed(command, folder)
        return
    with chdir(folder):
        succeed(*shlex.split(command)[1:])


def serves(command: str, folder: Path) -> None:
    """Starts a command that goes on until it is stopped; it must say where it serves, and end well on SIGTERM."""
    words = [str(BIN / "asknown"), *shlex.split(command)[1:], "--drain", "0 seconds"]
    process = subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr as stderr:
        assert "serving " in (line := stderr.readline()), f"$ {command}\n{line}{stderr.read()}"
        process.terminate()
        assert process.wait(timeout=60) == 0, stderr.read()


def reads_topic(command: str, folder: Path) -> None:
    """Starts a command that pushes a topic's messages, with a broker of the test's own, and stops it."""
    broker = confluent_kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 0})
    (found,) = broker.list_topics(timeout=10).brokers.values()
    broker.produce("orders", b'{"order_id": "o2", "ordered_at": "2024-01-01T00:00:00Z"}')
    assert broker.flush(10) == 0
    words = shlex.split(command.replace("localhost:9092", f"{found.host}:{found.port}"))[1:]
    process = subprocess.Popen([forked.asknown(), *words], cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr as stderr:
        assert "pushing the messages of orders" in (line := stderr.readline()), f"$ {command}\n{line}{stderr.read()}"
        process.terminate()
        assert process.wait(timeout=60) == 0, stderr.read()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_first_feature_of_the_readme(tmp_path: Path) -> None:
    (section,) = re.findall(r"^## Your first feature\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    files = re.findall(r"^\*\*`([^`]+)`\*\*.*?^```\w+\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(files) == 5
    for name, text in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    install, first, init = blocks(section, "bash")
    assert install == "pip install asknown\n"  # tests/test_wheel.py does that
    commands = first.splitlines()
    assert [command.split()[1] for command in commands] == ["train", "compile", "materialize", "get"]
    shown = [typed(command, tmp_path) for command in commands]
    assert "180.0" in shown[-1]
    amounts = typed("asknown train customer_orders:last_amount --spine decisions --format csv", tmp_path)
    assert [line.split(",")[-1] for line in amounts.splitlines()[1:]] == ["20.0", "180.0"]  # as the README says
    (program,) = blocks(section, "python")
    assert "{'customer_id': [42], 'last_amount': [180.0]}" in typed(
        f"{sys.executable} - <<'END'\n{program}END", tmp_path
    )
    typed(init, tmp_path)


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository's own project, with the flights of the first week of July and the last of the year."""
    folder = tmp_path_factory.mktemp("flights")
    for name in FLIGHTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name)
        else:
            shutil.copy(ROOT / name, folder / name)
    data = folder / "data" / "nycflights13" / "flights.parquet"
    weeks = "(month = 7 and day <= 7) or (month = 12 and day >= 25)"
    flights = duckdb.read_parquet(str(ROOT / data.relative_to(folder))).filter(weeks).to_arrow_table()
    data.unlink()
    duckdb.from_arrow(flights).write_parquet(str(data))
    return folder


ORDERS = """
sources:
  - name: shop
    tables:
      - name: orders
        path: data/orders/*.parquet
        push: {id: order_id, event_time: ordered_at, known_at: _arrived, land: data/orders/}
        columns:
          - {name: order_id, data_type: varchar}
          - {name: ordered_at, data_type: timestamp}
"""


def pushes(command: str, folder: Path) -> None:
    """Runs a command that pushes, while the project has a source that takes pushes."""
    source = folder / "models" / "orders.yml"
    source.write_text(ORDERS, encoding="utf-8")
    (folder / "orders.jsonl").write_text('{"order_id": "o1", "ordered_at": "2024-01-01T00:00:00Z"}\n', encoding="utf-8")
    (reads_topic if "kafka://" in command else typed_here)(command, folder)
    source.unlink()


def logs(folder: Path, service: str) -> None:
    """Writes a log of one request to a feature service, as `asknown serve` does where the service says log:."""
    how = ServiceLog(to=folder / "logs", sample=1.0, omit=(), hash=(), keep=None, at=Where("models/flights.yml"))
    app = Application(folder / "online.db", logs={service: ServiceWriter(service, how, folder / "logs")})
    with OnlineReader(folder / "online.db") as reader:
        names = resolve([service], reader.views(), reader.services(), reader.on_demand(), full_names=False).keys()
    body = {"service": service, "rows": [dict.fromkeys(names)]}
    assert call(app, "POST", "/v1/features", body).status == 200
    asyncio.run(app.shutdown())


def test_the_examples_of_the_commands(flights: Path) -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"<!-- help: ([^>]+) -->(.*?)<!-- end -->", page, re.DOTALL))
    overview = sections.pop("asknown")
    ran: set[str] = set()
    for text in (*sections.values(), overview):
        for command in re.findall(r"^ {4}(asknown .*)$", text, re.MULTILINE):
            if command in ran:
                continue
            if command.startswith("asknown drift"):
                shutil.copy(flights / "train.parquet", flights / "served.parquet")
            if "--log logs/" in command and not (flights / "logs").exists():
                logs(flights, "flight_delay_v1")
            if "--since 1" in command:
                typed_here("asknown apply --yes", flights)
            if command.startswith("asknown serve") and "--new-token" not in command:
                serves(command, flights)
            elif command.startswith("asknown push"):
                pushes(command, flights)
            else:
                typed_here(command, flights)
            ran.add(command)
            if command.startswith("asknown init"):
                shutil.rmtree(flights / command.split()[2])
    assert len(ran) > 20
