"""Translation for engines that we write for and never run: only what surely means the same.

The functions are those that the vendors' references and DuckDB's describe alike, over values for which they do; all
others are refused, with what to write instead.
"""

from __future__ import annotations

_TESTED = "asknown has not tested it on this engine: "
_KEPT = _TESTED + "compute it in the table that the source reads"

REWRITES: dict[str, str] = {
    # sqlglot's own, where the kinds of the operands leave no doubt.
    **{
        f"{key}.{left}.{right}": ":same"
        for key in ("add", "sub", "mul")
        for left in ("integer", "decimal", "float")
        for right in ("integer", "decimal", "float")
    },
    "add.date.integer": ":same",
    "sub.date.integer": ":same",
    **{f"add.{kind}.interval": ":same" for kind in ("timestamp", "timestamptz")},
    **{f"sub.{kind}.interval": ":same" for kind in ("timestamp", "timestamptz")},
    **{
        f"interval.{unit}{ending}": ":same"
        for unit in ("second", "minute", "hour", "day", "week")
        for ending in ("", "s")
    },
    **{
        f"{key}.{unit}": ":same"
        for key in ("timestamptrunc", "datetrunc")
        for unit in ("second", "minute", "hour", "day", "month", "year")
    },
    **{f"extract.{unit}": ":same" for unit in ("year", "month", "day", "hour", "minute")},
    "mod.integer.integer": ":same",
    "cast.plain": ":same",
    "like.plain": ":same",
    "dpipe.text.text": ":same",
    **{
        f"cast.{one}.{other}": ":same"
        for one, other in (
            ("integer", "integer"),
            ("integer", "float"),
            ("integer", "decimal"),
            ("integer", "text"),
            ("decimal", "float"),
            ("float", "float"),
            ("text", "text"),
            ("boolean", "boolean"),
            ("boolean", "integer"),
            ("date", "date"),
            ("date", "timestamp"),
            ("date", "text"),
            ("timestamp", "timestamp"),
            ("timestamp", "date"),
            ("timestamptz", "timestamptz"),
        )
    },
    **{
        f"cast.null.{kind}": ":same" for kind in ("boolean", "integer", "float", "decimal", "text", "date", "timestamp")
    },
    **{f"{key}.{kind}": ":same" for key in ("floor", "ceil", "abs") for kind in ("integer", "float", "decimal")},
}

REFUSED: dict[str, str] = {
    **dict.fromkeys(("add", "sub", "mul"), "the types of both sides are not known here, or are no numbers: cast them"),
    "div": "engines divide in their own ways: " + _KEPT,
    "intdiv": _TESTED + "write floor(cast(a as double) / b) where both are small",
    "mod": _TESTED + "cast both sides to integers",
    "cast": "engines round, cut and spell values in their own ways: " + _KEPT,
    "trycast": _KEPT,
    "round": "engines round halves in their own ways: write floor(x + 0.5)",
    "interval": "a month has no fixed length, and an interval of several units is spelled in many ways: write days",
    "timestamptrunc": "where a week begins is a setting: truncate to days",
    "datetrunc": "where a week begins is a setting: truncate to days",
    "extract": _TESTED + "take year, month, day, hour or minute",
    "like": "a backslash in a pattern means other things: write a pattern without it",
    "ilike": "write lower(s) like '…'",
    "dpipe": "engines spell values in their own ways: join texts",
    "upper": "engines have other capitals for some letters: write lower(s)",
    **dict.fromkeys(("rand", "uuid"), "its values change from one reading to the next"),
    **dict.fromkeys(("bracket", "array", "struct", "map", "explode", "unnest", "lateral"), _KEPT),
    "collate": "collations are the engine's own: write lower(s)",
    "glob": "write like",
    "ignorenulls": _KEPT,
    "join.method": "engines have other as-of joins: declare a feature view, which is joined as of each moment",
    "tablesample": "a sample changes from one reading to the next",
    "columns": "write the columns",
    "star.except_": "write the columns",
    "star.replace": "write the columns",
    "group.all": "write the columns",
    "union.by_name": "write the columns in one order",
}

FUNCTIONS = frozenset(
    (
        "abs",
        "avg",
        "cast",
        "ceil",
        "ceiling",
        "coalesce",
        "count",
        "count_if",
        "countif",
        "cume_dist",
        "date_trunc",
        "datetime_trunc",
        "dense_rank",
        "exists",
        "extract",
        "first_value",
        "floor",
        "if",
        "iff",
        "lag",
        "last_value",
        "lead",
        "length",
        "lower",
        "ltrim",
        "max",
        "min",
        "mod",
        "ntile",
        "nullif",
        "percent_rank",
        "rank",
        "row_number",
        "rtrim",
        "sum",
        "timestamp_trunc",
        "trim",
    )
)
"""What may be written without a rewrite."""

UNDOCUMENTED = dict.fromkeys(
    ("var_pop", "var_samp", "stddev_pop", "stddev_samp"),
    "by which steps it is taken is not documented: keep sum(x), sum(x * x) of decimals and count(x)",
)
"""What stands nearest to aggregates that asknown promises to 1e-12."""
