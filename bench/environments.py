"""Makes the virtual environments of the peers, under bench/.cache, and says what is in them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from workloads import ENVIRONMENTS, OWN

CACHE = Path(__file__).resolve().parent / ".cache"


class NotInstalledError(Exception):
    """An environment that could not be made; the message is the installer's last line."""


def python_of(name: str) -> Path:
    """The interpreter of an environment, which is made when it is missing."""
    if name == OWN:
        return Path(sys.executable)
    folder = CACHE / "environments" / name
    python, stamp = folder / "bin" / "python", folder / "made.json"
    wanted = json.dumps([sys.version, ENVIRONMENTS[name]])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"making the environment of {name}: {' '.join(ENVIRONMENTS[name])}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if uv := shutil.which("uv"):
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
        _run([uv, "pip", "install", "--quiet", "--python", str(python), *ENVIRONMENTS[name]])
    else:
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *ENVIRONMENTS[name]])
    stamp.write_text(wanted, encoding="utf-8")
    return python


def versions(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """The installed version of each package in an environment, and of Python."""
    code = (
        "import importlib.metadata as m, json, platform, sys\n"
        "print(json.dumps({'python': platform.python_version(), **{p: m.version(p) for p in sys.argv[1:]}}))"
    )
    found = subprocess.run([str(python), "-c", code, *packages], capture_output=True, text=True, check=True)
    return dict(json.loads(found.stdout))


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise NotInstalledError(lines[-1])
