"""DuckDB's errors as ours: all that was wrong and where, without its advice on calls that users do not write."""

from __future__ import annotations

import re

from asknown.errors import AsknownError
from asknown.values import key_lists

RAISED = "Invalid Input Error: asknown: "
"""How DuckDB's message begins where SQL of ours raised the error."""

_LONGEST = 160  # characters of the user's data or SQL in a message
_EXCERPT = re.compile(r"^LINE \d+: .*", re.MULTILINE | re.DOTALL)
_ADVICE = re.compile(r"\s*(?:Candidate |Did you mean|Possible |\* |See also|For more info)")
_OF_VALUES = ("Conversion Error", "Out of Range Error", "Invalid Input Error")
_CSV = re.compile(
    r"(?P<kind>[\w ]+): CSV Error on Line: (?P<line>\d+)\nOriginal Line: (?P<text>.*)\n(?P<why>(?:.+\n?)+)"
)
_OF_SYSTEM = re.compile(r'^"?(pg_|duckdb_|sqlite_|pragma_|information_schema)')
_FINER = re.compile(r"an instant must be a whole microsecond: (\S+ \S+)")
_TWICE = re.compile(
    r'error in file "(?P<file>[^"]+)", in line (?P<line>\d+):.* has duplicate key "(?P<key>[^"]*)"', re.S
)
_NO_FORM = re.compile(r'Error when sniffing file "([^"]+)"')
_CSV_FILE = re.compile(r"^  file = (.+)$", re.MULTILINE)


def translate(error: Exception) -> AsknownError:
    """DuckDB's error as one of ours: the message says what and where, its candidates become the hint."""
    text = str(error)
    message = reason(error)
    hint = None
    if found := re.search(r"(?:Candidate bindings|Did you mean|Candidate functions):?\s*(.+)", text, re.S):
        candidate = found[1].strip().splitlines()[0].strip()
        hint = None if _OF_SYSTEM.search(candidate) else f"did you mean {candidate}"
    if (of_values := _of_values(text)) is not None:
        return of_values
    if message.startswith(key_lists.RAISED):
        return key_lists.too_many(message.removeprefix(key_lists.RAISED))
    if "No files found" in text or "Could not open" in text or "Cannot open" in text:
        return AsknownError("no-data", message, hint="correct the path in the source; it is relative to the project")
    if re.search(r"Table with name .* does not exist", text):
        return AsknownError("no-data", message, hint=hint or "is it a model? then write {{ ref('…') }}")
    if "Could not set lock" in text:
        return AsknownError("engine", message, hint="another process has the database open for writing; wait for it")
    if text.startswith("Out of Memory Error"):
        return AsknownError("engine", message, hint="raise the target's memory_limit in profiles.yml, or lower threads")
    if "not utf-8 encoded" in text:
        return AsknownError("engine", message, hint="declare the file's encoding: options: {encoding: latin-1}")
    if _CSV.match(text):
        hint = "correct the line, or declare the column's data_type, or how the file is read under 'options'"
    return AsknownError("engine", message, hint=hint)


def _of_values(text: str) -> AsknownError | None:
    """The error of a file or a frame of which DuckDB says less than a user needs."""
    if found := _FINER.search(text):
        return AsknownError(
            "file-value",
            f"an instant is not a whole microsecond, and is never rounded here: {found[1]}",
            hint="in a query: make_timestamp(epoch_ns(t) // 1000); in a frame: df[column] = "
            "df[column].dt.floor('us'); in a source's Parquet file: declare the column's data_type as varchar, and "
            "shorten the text in a model",
        )
    if found := _TWICE.search(text):
        message = f"{found['file']}, line {found['line']}: an object has the key '{found['key']}' twice"
        return AsknownError("file-value", message, hint="write each key once")
    if found := _NO_FORM.search(text):
        return AsknownError(
            "file-value",
            f"{found[1]}: no delimiter and no quotes divide all of its lines",
            hint="close every quote, and end all lines alike (\\n or \\r\\n); if that is so, declare what "
            "divides them: options: {delimiter: ';'}",
        )
    return None


def reason(error: Exception) -> str:
    """All that DuckDB says was wrong, in one line: of a file also its name, the line and the column."""
    text = str(error).strip()
    if text.startswith(RAISED):
        return _EXCERPT.sub("", text.removeprefix(RAISED)).strip()
    if csv := _CSV.match(text):
        file = _CSV_FILE.search(text)
        place = f"{file[1]}, line {csv['line']}" if file else f"line {csv['line']} of a text file"
        return f"{csv['kind']}: {place}: {_one_line(csv['why']).rstrip('.')}; the line is: {_short(csv['text'])}"
    excerpt = _EXCERPT.search(text)
    said = _one_line(text[: excerpt.start()] if excerpt else text)
    where = _underlined(excerpt[0]) if excerpt and text.startswith(_OF_VALUES) else ""
    return f"{said}, in {_short(where)}" if where and where not in said else said


def _one_line(text: str) -> str:
    """The first paragraph up to DuckDB's advice, without its pictures of a line and a caret below it."""
    lines: list[str] = []
    for line in text.strip().splitlines():
        if not line.strip() or _ADVICE.match(line):
            break
        if line.strip() == "^":
            lines = lines[:-1]
        else:
            lines.append(line.strip())
    return " ".join(lines)


def _underlined(excerpt: str) -> str:
    """The part of the SQL that has carets below it; nothing where that is a single character or a reader of files."""
    lines = excerpt.splitlines()
    if len(lines) < 2 or not (carets := re.fullmatch(r" *(\^{2,})\s*", lines[1])):
        return ""
    found = lines[0][carets.start(1) : carets.end(1)]
    return "" if found.startswith("read_") else found


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
