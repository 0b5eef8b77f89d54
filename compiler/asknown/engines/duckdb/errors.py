"""DuckDB's errors as ours."""

from __future__ import annotations

import re

from asknown.errors import AsknownError

RAISED = "Invalid Input Error: asknown: "
"""How DuckDB's message begins where SQL of ours raised the error."""


def translate(error: Exception) -> AsknownError:
    """DuckDB's error as one of ours: the first lines say what, the candidates become the hint."""
    text = str(error)
    message = first_line(error).removeprefix(RAISED)
    hint = None
    if found := re.search(r"(?:Candidate bindings|Did you mean|Candidate functions):?\s*(.+)", text, re.S):
        hint = "did you mean " + found[1].strip().splitlines()[0].strip()
    if "No files found" in text or "Could not open" in text or "Cannot open" in text:
        return AsknownError("no-data", message, hint="correct the path in the source; it is relative to the project")
    if re.search(r"Table with name .* does not exist", text):
        return AsknownError("no-data", message, hint=hint or "is it a model? then write {{ ref('…') }}")
    if "Could not set lock" in text:
        return AsknownError("engine", message, hint="another process has the database open for writing; wait for it")
    return AsknownError("engine", message, hint=hint)


def first_line(error: Exception) -> str:
    """The first line of the error's message."""
    return str(error).strip().splitlines()[0]
