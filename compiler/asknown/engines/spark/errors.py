"""Spark's errors as asknown's."""

from __future__ import annotations

import re

from asknown.errors import AsknownError

_NO_PATH = ("PATH_NOT_FOUND", "FAILED_READ_FILE.FILE_NOT_EXIST", "UNABLE_TO_INFER_SCHEMA")
_NO_TABLE = ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "CATALOG_NOT_FOUND")
REMOTE = "REMOTE"
"""The condition of an error by which a server does not answer. Spark has none of this name."""
_RAISED = re.compile(r"\[USER_RAISED_EXCEPTION\] (.*?)(?: SQLSTATE: \w+)?$", re.MULTILINE)
_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_.]+)\]\s*(.*)")
_SQL = re.compile(r"^== SQL.*==\n(?P<sql>.*)\n(?P<before> *)(?P<carets>\^+)$", re.MULTILINE)
_TAIL = re.compile(r"\s*SQLSTATE: \w{5}.*$")


def translate(error: Exception) -> AsknownError:
    """Spark's message, with the cause of a file that cannot be read and the SQL that failed; its advice is the hint."""
    text = str(error)
    if raised := _RAISED.search(text):  # raise_error(…): the words are ours
        return AsknownError("engine", raised[1].strip())
    condition, message = _read(text)
    if condition.startswith(_NO_PATH):
        return AsknownError(
            "no-data", message, hint="correct the path in the source; each executor must be able to read it"
        )
    if condition.startswith(_NO_TABLE):
        return AsknownError("no-data", message.partition(" Verify")[0], hint="is it a model? then write {{ ref('…') }}")
    message, _, proposal = message.partition(" Did you mean one of the following? ")
    hint = f"did you mean {proposal.strip('[].')}" if proposal else None
    if condition.startswith("FAILED_READ_FILE") and (causes := _causes(text)):
        message = f"{message.rstrip('.')}: {causes[-1]}"
    elif found := _SQL.search(text):
        message = f"{message}, in {_short(found)}"
    if condition == REMOTE or condition.startswith("INVALID_HANDLE.SESSION"):
        hint = "try again: that connects anew; asknown doctor --target NAME checks the connection"
        return AsknownError("lost-connection", message, hint=hint)
    return AsknownError("engine", message, hint=hint)


def _short(excerpt: re.Match[str]) -> str:
    """The part of the query that Spark underlines."""
    start = len(excerpt["before"])
    return _plain(excerpt["sql"][start : start + len(excerpt["carets"])])


def _causes(text: str) -> list[str]:
    """The messages of the error's causes, the innermost last."""
    lines = [line.strip() for line in text.splitlines()]
    told = [line for line in lines if line.startswith("Caused by: ") and "awaitResult" not in line]
    return [_plain(re.sub(r"^Caused by: [\w.$]+: ", "", line)) for line in told]


def first_line(error: Exception) -> str:
    """The error's message, without its class, its code and its place in Spark."""
    return _read(str(error))[1]


def _read(text: str) -> tuple[str, str]:
    """The error's condition and message; of an error in a task, those of its cause."""
    for line in text.splitlines():
        if found := _CONDITION.search(line):
            if found[1] in ("TASK_FAILED", "CONNECT", "FAILED_EXECUTE_UDF"):
                continue
            return found[1], _plain(found[2])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by: ") and "awaitResult" not in line]
    if "StatusCode.UNAVAILABLE" in text:
        return REMOTE, "Spark Connect does not answer"
    told = causes[-1] if causes else (lines[0] if lines else "Spark gave an error without a message")
    return "", _plain(re.sub(r"^(Caused by: |: )?[\w.$]+(Exception|Error): ", "", told))


def _plain(message: str) -> str:
    return _TAIL.sub("", message).replace("`", '"').strip()
