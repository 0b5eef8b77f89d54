"""Compares the rows of two systems, whatever their order: `python bench/checking.py RIGHT OTHER TOLERANCE`.

Prints one line of JSON: rows in both, and for each column how many values differ and an example.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def compare(right: str, other: str, tolerance: float) -> dict[str, Any]:
    """How the rows of one Parquet file differ from those of another. Rows are told apart by ``row_id``.

    Floats may differ by the relative ``tolerance``; 0 asks for the same value.
    """
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        wanted = dict(connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE FROM '{right}')").fetchall())
        found = dict(connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE FROM '{other}')").fetchall())
        missing = [name for name in wanted if name not in found]
        names = [name for name in wanted if name in found and name != "row_id"]
        tests = {name: _differ(name, tolerance if wanted[name] in ("DOUBLE", "FLOAT") else 0.0) for name in names}
        counts = ", ".join(f'count(*) FILTER ({test}) AS "{name}"' for name, test in tests.items())
        pairs = f"'{right}' a FULL JOIN '{other}' b USING (row_id)"
        totals = "count(a.row_id), count(b.row_id), count(*)"
        (rows,) = connection.execute(f"SELECT {totals}, {counts} FROM {pairs}").fetchall()
        differ = {name: count for name, count in zip(names, rows[3:], strict=True) if count}
        examples = {}
        for name in list(differ)[:3]:
            sample = f'SELECT row_id, a."{name}", b."{name}" FROM {pairs} WHERE {tests[name]} ORDER BY row_id LIMIT 1'
            examples[name] = [str(value) for value in connection.execute(sample).fetchall()[0]]
    lost = [f"{rows[2] - rows[1]} rows missing"] if rows[2] > rows[1] else []
    lost += [f"{rows[2] - rows[0]} rows too many"] if rows[2] > rows[0] else []
    lost += [f"no column {name}" for name in missing]
    return {"rows": rows[2], "differ": differ, "examples": examples, "lost": lost}


def _differ(name: str, tolerance: float) -> str:
    a, b = f'a."{name}"', f'b."{name}"'
    if not tolerance:
        return f"{a} IS DISTINCT FROM {b}"
    apart = f"abs({a} - {b}) > {tolerance!r} * greatest(abs({a}), abs({b}))"
    return f"({a} IS NULL) <> ({b} IS NULL) OR coalesce({apart}, FALSE)"


def main() -> None:
    """Compares the files that are named."""
    right, other, tolerance = sys.argv[1:]
    print(json.dumps(compare(right, other, float(tolerance))))


if __name__ == "__main__":
    main()
