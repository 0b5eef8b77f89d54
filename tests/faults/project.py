"""A small project, and its command line run in a process of its own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.workers import Crew, Parent, as_nobody

FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "small"\n',
    "profiles.yml": "small:\n  target: dev\n  outputs: {dev: {type: duckdb}}\n"
    "  online: {type: sqlite, path: online.db}\n",
    "models/models.yml": "entities:\n  - {name: buyer, keys: [id]}\n",
    "models/orders.sql": """{{ config(entity='buyer', event_time='ts') }}
select * from (values
    (1::bigint, timestamp '2013-05-01 10:00:00', 1.5::double, 'one'),
    (2::bigint, timestamp '2013-05-01 11:00:00', 2.5::double, 'two')
) as t(id, ts, amount, label)
""",
}
GET = ("get", "orders", "id=2", "--format", "json")
TRACEBACK = 70  # the code that stands for one
MATERIALIZE = ("materialize", "--until", "2013-05-02")


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


def write_project(folder: Path, files: dict[str, str] | None = None) -> Path:
    """Writes the project; gives the path of its online table."""
    for name, text in (files or FILES).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return folder / "online.db"


def asknown(
    crew: Crew, folder: Path, *words: str, stdin: str = "", nobody: bool = False, largest: int | None = None
) -> Said:
    """Runs ``asknown WORDS`` in a folder; by a user without rights, or where files end at ``largest``, if asked."""
    arguments: dict[str, Any] = {"words": words, "folder": str(folder), "stdin": stdin}
    if not nobody:
        return Said(*crew.run(run_command, largest=largest, **arguments))
    with tempfile.TemporaryDirectory() as elsewhere:  # nobody may not read the library: what it imports, it must have
        shutil.copytree(folder, elsewhere, dirs_exist_ok=True)
        return Said(*crew.run(run_command_as_nobody, elsewhere=elsewhere, **arguments))


def run_command(
    parent: Parent, *, words: list[str], folder: str, stdin: str, largest: int | None = None, watch: str = ""
) -> tuple[int, str, str]:
    """The job: the command's exit code, its output, and what it said. It says ``watch`` as soon as stderr has it."""
    if largest is not None:
        limit_files(largest)
    return _run_main(words, folder, stdin, on_stderr=(watch, parent.say) if watch else None)


def run_command_as_nobody(
    _: Parent, *, words: list[str], folder: str, stdin: str, elsewhere: str
) -> tuple[int, str, str]:
    """The job, by a user without rights; ``elsewhere`` is a copy of the folder."""
    _run_main(words, elsewhere, stdin)
    as_nobody()
    return _run_main(words, folder, stdin)


def _run_main(
    words: list[str], folder: str, stdin: str, *, on_stderr: tuple[str, Callable[[str], None]] | None = None
) -> tuple[int, str, str]:
    from asknown.cli.group import main

    os.chdir(folder)
    files = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115 (they last as long as the process)
    files[0].write(stdin.encode("utf-8", "surrogatepass"))
    files[0].seek(0)
    for number, file in enumerate(files):
        os.dup2(file.fileno(), number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8", closefd=False) for number, mode in enumerate("rww")
    )
    if on_stderr is not None:
        threading.Thread(target=_watch, args=(files[2].fileno(), *on_stderr), daemon=True).start()
    code: Any = 0
    try:
        main(words)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = TRACEBACK
    sys.stdout.flush()
    sys.stderr.flush()
    texts = []
    for file in files[1:]:
        file.seek(0)
        texts.append(file.read().decode("utf-8", "surrogatepass"))
    return code or 0, texts[0], texts[1]


def _watch(file: int, text: str, tell: Callable[[str], None]) -> None:
    """Tells ``text`` as soon as the file has it."""
    while text.encode() not in os.pread(file, 65536, 0):
        time.sleep(0.01)
    tell(text)


def limit_files(largest: int) -> None:
    """From here on no file of this process can grow beyond ``largest`` bytes, as on a disk that is full."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
