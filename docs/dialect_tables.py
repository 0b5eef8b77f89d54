"""The generated tables of docs/dialects.md: from the dialects' values, and from what the tests of the engines list."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from asknown.dialects import registry
from asknown.dialects.dialect import Dialect

TESTS = Path(__file__).resolve().parent.parent / "tests"
CODE = Path(__file__).resolve().parent.parent / "compiler" / "asknown" / "dialects"
PAGES = (
    (
        "bigquery",
        "cloud.google.com/bigquery/docs/reference/standard-sql/",
        ("query-syntax", "timestamp_functions", "mathematical_functions", "aggregate_functions", "numbering_functions"),
    ),
    (
        "databricks",
        "docs.databricks.com/sql/language-manual/",
        ("parameters/ansi_mode.html", "functions/div.html", "functions/row_number.html"),
    ),
    (
        "redshift",
        "docs.aws.amazon.com/redshift/latest/dg/",
        ("r_QUALIFY_clause.html", "c_Window_functions.html", "r_DATEDIFF_function.html"),
    ),
    (
        "snowflake",
        "docs.snowflake.com/en/sql-reference/",
        (
            *("constructs/asof-join", "constructs/qualify", "constructs/with", "functions-window-syntax"),
            *("functions/convert_timezone", "functions/array_agg", "reserved-keywords"),
        ),
    ),
    (
        "trino",
        "trino.io/docs/current/",
        ("functions/datetime.html", "functions/aggregate.html", "functions/array.html", "sql/select.html"),
    ),
)
"""By dialect: where its reference is, and the pages there."""
NAMES = {
    "bigquery": "BigQuery",
    "clickhouse": "ClickHouse",
    "databricks": "Databricks",
    "postgres": "Postgres",
    "redshift": "Redshift",
    "snowflake": "Snowflake",
    "spark": "Spark",
    "trino": "Trino",
}
DIALECTS = {name: registry.find_dialect(name) for name in registry.NAMES}
RUN = [name for name, dialect in DIALECTS.items() if dialect.executed and name != "duckdb"]
WRITTEN = [name for name, dialect in DIALECTS.items() if not dialect.executed]
AGGREGATES = (
    *(
        "sum",
        "avg",
        "min",
        "max",
        "first",
        "last",
        "arg_min",
        "arg_max",
        "list",
        "list_distinct",
        "mode",
        "histogram",
        "entropy",
        "string_agg",
    ),
    *("median", "quantile_cont", "quantile_disc", "var_samp", "stddev_samp"),
)


def make_table(name: str) -> str:
    """The table of this name: ``cases``, ``expressions``, ``refused``, ``written``, ``pages`` or ``sizes``."""
    tables = {
        "cases": cases,
        "expressions": expressions,
        "refused": refused,
        "written": written,
        "pages": pages,
        "sizes": sizes,
    }
    return tables[name]()


def cases() -> str:
    """How many of the case directories hold on each engine, and why the others do not."""
    listed = _of_tests("gaps")
    count = len(listed.cases_with_rows())
    rows = []
    for engine in RUN:
        gaps = {case: reason for (name, case), reason in listed.GAPS.items() if name == engine}
        others = [reason for _, reason in listed.REFUSALS.get(engine, ())]
        reasons = dict.fromkeys([*gaps.values(), *others])
        rows.append((NAMES[engine], f"{count - len(gaps)} of {count}", ", ".join(map(_code, gaps)), "; ".join(reasons)))
    return _table(("engine", "cases that hold", "gaps", "why"), rows)


def expressions() -> str:
    """What becomes of the listed expressions on each engine."""
    listed = _of_tests("expressions")
    asked = [each for some in listed.expressions().values() for each in some]  # those that every engine is asked
    rows = []
    for engine in _with_lists(listed):
        words = [verdict.word for each, verdict in listed.listed(engine).items() if each in asked]
        counts = [words.count(word) for word in ("refused", "stops", "stop both")]
        rows.append((NAMES[engine], len(asked) - sum(counts), *counts))
    return _table(("engine", "as on DuckDB", "refused", "stop where DuckDB does not", "stop there too"), rows)


def refused() -> str:
    """What is refused on each engine, and what to write instead."""
    listed = _of_tests("expressions")
    parts = []
    for engine in _with_lists(listed):
        by_reason: dict[str, list[str]] = {}
        for expression, verdict in listed.listed(engine).items():
            if verdict.word == "refused":
                by_reason.setdefault(verdict.reason, []).append(expression)
        rows = [(", ".join(map(_code, _some(some))), reason) for reason, some in by_reason.items()]
        parts.append(f"### Refused on {NAMES[engine]}\n\n{_table(('such as', 'why, and what to write'), rows)}")
    return "\n\n".join(parts)


def written() -> str:
    """What is written for the engines that asknown never runs, and what cannot be said exactly there."""
    listed = _of_tests("expressions")
    count = sum(map(len, listed.expressions().values()))
    rows = []
    for name in WRITTEN:
        dialect = DIALECTS[name]
        said = f"{count - len(listed.listed(name))} of {count}"
        rows.append((NAMES[name], _match(dialect), ", ".join(dialect.plans.window_forms), said, _inexact(dialect)))
    return _table(
        ("target", "as-of", "windows", "expressions written", "refused in windows, and what is nearest"), rows
    )


def pages() -> str:
    """The vendors' pages that the forms rest on."""
    rows = [(NAMES[name], ", ".join(f"[{page}](https://{root}{page})" for page in some)) for name, root, some in PAGES]
    return _table(("target", "pages of its reference"), rows)


def sizes() -> str:
    """How many lines a dialect takes."""
    rows = []
    for name in DIALECTS:
        one = CODE / f"{name}.py"
        files = [one] if one.exists() else sorted((CODE / name).glob("*.py"))
        lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
        rows.append((f"`{name}`", len(files), max(round(lines / 50), 1) * 50))
    return _table(("dialect", "files", "lines, to the nearest 50"), rows)


def _match(dialect: Dialect) -> str:
    if dialect.plans.matches_outside_on:
        return "`ASOF JOIN … MATCH_CONDITION`"
    return "one sort with a running maximum"


def _inexact(dialect: Dialect) -> str:
    """The aggregates that the dialect does not say over all that they take, by what is nearest."""
    rules = dialect.aggregates
    nearest = {name: text for name, text in rules.nearest.items() if name not in rules.templates}
    by_text: dict[str, list[str]] = {}
    for name, text in nearest.items():
        aggregate, _, kind = name.partition(".")
        by_text.setdefault(text, []).append(f"`{aggregate}`" + (f" of {kind}s" if kind else ""))
    said = [f"{', '.join(names)}: {text}" for text, names in by_text.items()]
    said += [f"features that are {kind}s: {why}" for kind, why in dialect.relations.unkept.items()]
    return "; ".join(said) or "–"


def _with_lists(listed: object) -> list[str]:
    folder: Path = listed.LISTS  # type: ignore[attr-defined]
    return [engine for engine in RUN if (folder / f"{engine}.tsv").exists()]


def _some(expressions: Sequence[str]) -> list[str]:
    """The shortest few."""
    return sorted(expressions, key=lambda each: (len(each), each))[:3]


def _of_tests(name: str) -> object:
    """A module of tests/engines."""
    sys.path.insert(0, str(TESTS))
    try:
        return __import__(f"engines.{name}", fromlist=[name])
    finally:
        sys.path.remove(str(TESTS))


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(re.sub(chr(10), ' ', str(cell)) for cell in line)} |" for line in lines)
