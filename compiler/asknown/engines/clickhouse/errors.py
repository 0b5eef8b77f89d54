"""ClickHouse's errors as ours."""

from __future__ import annotations

import re

from asknown.errors import AsknownError

_LONGEST = 1_000  # characters of a message: it may hold a value of the user's data
_LOST = re.compile(r"refused|timed out|reset by peer|Connection|connection closed", re.IGNORECASE)
_NO_DATA = ("UNKNOWN_TABLE", "UNKNOWN_DATABASE", "FILE_DOESNT_EXIST", "CANNOT_STAT", "CANNOT_EXTRACT_TABLE_STRUCTURE")


def translate(text: str) -> AsknownError:
    """ClickHouse's error as one of ours: what it says, without the query it says it of; its guesses as the hint."""
    found = re.search(r"Code: \d+\. DB::\w*: (.*)", text, re.S)
    said = (found[1] if found else text).strip()
    named = re.findall(r"\(([A-Z][A-Z0-9_]{3,})\)", said)
    said = re.split(r"[.:,]? ?(?:In scope |[Ww]hile executing|\(version |\([A-Z][A-Z0-9_]{3,}\))", said)[0]
    guess = re.search(r"Maybe you meant: \[([^\]]*)\]", said)
    said = " ".join(said.split("Maybe you meant")[0].split())[:_LONGEST].rstrip(". :")
    hint = f"did you mean {guess[1].replace(chr(39), chr(96))}" if guess else None
    if named and named[-1] in _NO_DATA:
        if named[-1] == "UNKNOWN_TABLE":
            hint = hint or "is it a model? then write {{ ref('…') }}"
        return AsknownError(
            "no-data", said, hint=hint or "correct the path in the source; the server must be able to read it"
        )
    if not found and _LOST.search(said):
        return AsknownError("lost-connection", f"the server does not answer: {said}", hint="try again")
    return AsknownError("engine", said, hint=hint)
