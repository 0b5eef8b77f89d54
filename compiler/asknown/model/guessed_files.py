"""Refuses SQL that reads a text file in types which DuckDB guesses from its first lines (rule 7).

DuckDB looks at 20,480 lines of a CSV file, and reads the rest in the types that these have: 7.9 becomes 8, and an
instant loses its time of day. A source, and a spine that is a file, are read in the types that the whole file has.
"""

from __future__ import annotations

from sqlglot import exp

from asknown.errors import AsknownError
from asknown.render.nodes import Rendered

_TEXT = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")
_PACKED = (".gz", ".zst")
_READERS = ("read_csv", "read_csv_auto", "read_json", "read_json_auto", "read_ndjson", "read_ndjson_auto")


def refuse_guessed_files(rendered: Rendered, tree: exp.Query) -> None:
    """Raises ``guessed-file`` for a text file that is read by its name, or by a function that is told no types."""
    known = {f"{source}.{table}".casefold() for source, table in rendered.sources}
    known |= {cte.alias_or_name.casefold() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        file = _guessed(table)
        if file is None or (isinstance(table.this, exp.Identifier) and file.casefold() in known):
            continue
        what = f"'{file}'" if file else "a text file"
        line = next((n for n, text in enumerate(rendered.sql.splitlines(), 1) if file and file in text), 1)
        raise AsknownError(
            "guessed-file",
            f"'{rendered.name}' reads {what} in types that DuckDB guesses from its first 20,480 lines, and changes the "
            "values that come later",
            at=rendered.where(line, max(rendered.sql.splitlines()[line - 1].find(file), 0)),
            hint="name it as the path of a source, or give a spine as the file alone; or say read_csv(…, "
            "sample_size=-1), which takes the types of the whole file, columns={…} or all_varchar=true",
        )


def _guessed(table: exp.Table) -> str | None:
    """The file that a table of the query reads by guesses, an empty text if the SQL computes its name; else None."""
    read = table.this
    if isinstance(read, exp.Identifier):
        name = read.name.casefold()
        for ending in _PACKED:
            name = name.removesuffix(ending)
        return read.name if read.quoted and not table.db and name.endswith(_TEXT) else None
    if isinstance(read, exp.ReadCSV):
        arguments = [read.this, *read.expressions]
    elif isinstance(read, exp.Anonymous) and read.name.casefold() in _READERS:
        arguments = read.expressions
    else:
        return None
    if any(isinstance(argument, exp.Binary) and _says_types(argument) for argument in arguments):
        return None
    first = arguments[0].find(exp.Literal) if arguments else None
    return first.name if first is not None and first.is_string else ""


def _says_types(argument: exp.Binary) -> bool:
    name, value = str(argument.this.name).casefold(), str(argument.expression.sql()).casefold()
    return name == "columns" or (name, value) in (("sample_size", "-1"), ("all_varchar", "true"))
