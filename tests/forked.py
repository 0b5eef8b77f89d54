"""Commands that stand for `asknown` and ``python``, and run in forks of one process that has imported asknown.

They are files, so that a test starts them as it starts the real ones, from a shell too, and are processes of their own
with the same output, exit code and signals. Tests of how a process starts and ends take the real ones.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

REAL = Path(sys.executable).parent
START = """\
#!{python} -IS
import array, marshal, os, signal, struct, sys
import _socket

name, *words = sys.argv
program, real = {program!r}, {real!r}
environment = dict(os.environ)
try:
    for number in range(3):
        os.fstat(number)
    folder = os.getcwd()
    forks = {{k: v for k, v in environment.items() if k.startswith(("PYTHON", "LC_", "LANG"))}} == {settings!r}
except OSError:  # a closed stream, or a folder that is gone
    forks = False
if not forks or (program == "python" and words[:1] != ["-c"]):
    os.execv(real, [real, *words])
umask = os.umask(0)
os.umask(umask)
connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
connection.connect({socket!r})
sent = marshal.dumps(([program, *words], folder, environment, umask))
streams = array.array("i", range(3))
connection.sendmsg([struct.pack("i", len(sent))], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
while sent:
    sent = sent[connection.send(sent):]
(pid,) = struct.unpack("i", connection.recv(4))


def pass_on(number, frame):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, pass_on)
for number in range(3):
    os.close(number)
(code,) = struct.unpack("i", connection.recv(4))
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@cache
def bin_folder() -> Path:
    """The folder of the commands; where processes cannot be forked like this, that of the real ones."""
    if sys.platform != "linux":
        return REAL
    made = tempfile.TemporaryDirectory(prefix="asknown-forks-")
    atexit.register(made.cleanup)
    folder, path = Path(made.name), Path(made.name) / "socket"
    quiet = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
    command = [sys.executable, str(Path(__file__).with_name("fork_server.py")), str(path)]
    server = subprocess.Popen(
        command, env={**os.environ, **quiet}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    atexit.register(server.communicate)
    settings = {name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "LC_", "LANG"))}
    for program in ("asknown", "python"):
        real = str(REAL / "asknown") if program == "asknown" else sys.executable
        text = START.format(python=sys.executable, program=program, real=real, settings=settings, socket=str(path))
        (folder / program).write_text(text, encoding="utf-8")
        (folder / program).chmod(0o755)
    return folder


def asknown() -> Path:
    """The command `asknown` that runs in a fork."""
    return bin_folder() / "asknown"


def python() -> Path:
    """A ``python -c`` that runs in a fork, which has imported asknown."""
    return bin_folder() / "python" if sys.platform == "linux" else Path(sys.executable)
