"""The translation for engines that we compile for and never run. It accepts only SQL that surely means the same.

It accepts a function if the vendors' references and DuckDB's describe it alike, over values for which they do. It
refuses all others, with a hint what to write instead.
"""

from __future__ import annotations

_TESTED = "asknown has not tested it on this engine: "
_KEPT = _TESTED + "compute it in the table that the source reads"

REWRITES: dict[str, str] = {
    # sqlglot's own translation, if the kinds of the operands leave no doubt.
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
    "avg.float": ":same",
    # Some engines' AVG of whole numbers is a whole number, or has six places.
    "avg": "CAST(SUM(:this) AS DOUBLE PRECISION) / NULLIF(COUNT(:this), 0)",
    "literal.float": "CAST(:this AS DOUBLE PRECISION)",
    "trim.expression": ":same",
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
    **{
        f"mul.{pair}": "not every engine multiplies intervals: compute the instant in the table that the source reads"
        for kind in ("integer", "decimal", "float", "unknown")
        for pair in (f"{kind}.interval", f"interval.{kind}")
    },
    "div": "engines divide in their own ways: " + _KEPT,
    **dict.fromkeys(
        ("bitwiseand", "bitwiseor", "bitwisexor", "bitwisenot", "bitwiseleftshift", "bitwiserightshift"),
        "engines count bits in their own ways: " + _KEPT,
    ),
    **dict.fromkeys(("regexplike", "regexpilike", "similarto"), "patterns mean other things: write like"),
    **{
        f"{key}.{pair}": "engines compare values of different kinds in their own ways: cast one side"
        for key in ("eq", "neq", "lt", "lte", "gt", "gte", "is", "nullsafeeq", "nullsafeneq", "between", "in")
        for one in ("text", "boolean")
        for other in ("integer", "decimal", "float")
        for pair in (f"{one}.{other}", f"{other}.{one}")
    },
    **{
        f"{key}.timestamptz": "some engines take the time of the zone that the value is in: write timezone('UTC', t)"
        for key in ("extract", "timestamptrunc", "datetrunc")
    },
    "trim": "some engines cut other blanks than the space: write trim(s, ' ')",
    "windowspec.range": "not every engine has such a frame: write rows between …",
    "windowspec.groups": "not every engine has such a frame: write rows between …",
    "windowspec.exclude": "not every engine leaves rows of a frame out",
    "lastvalue": "its frame is another one on some engines: write first_value(x) over (order by … desc)",
    **{f"cast.as.{name}": "not every engine has 32-bit floats: cast to double" for name in ("float",)},
    **{
        f"cast.as.{name}": "not every engine has such integers: cast to bigint"
        for name in ("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint")
    },
    "limitoptions": "not every engine limits by percent",
    "interval.integer": "not every engine has intervals of a variable length: " + _KEPT,
    "intdiv": _TESTED + "// is written between integers alone: cast both sides",
    "attimezone": "whether its value has a zone is not known here: cast it to timestamp or timestamptz",
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
        *("and", "or", "case", "if", "coalesce", "nullif", "cast", "exists"),
        *("abs", "ceil", "floor", "length", "lower", "trim"),
        *("extract", "timestamptrunc", "datetrunc", "year", "month", "day"),
        *("avg", "count", "countif", "max", "min", "sum"),
        *("rownumber", "rank", "denserank", "percentrank", "cumedist", "ntile", "lag", "lead", "firstvalue"),
    )
)
"""The functions that may be written without a rewrite, by sqlglot's keys."""

FLOATS = (
    "a sum of floats depends on their order here, a sum of decimals does not: "
    "keep x as a decimal in the table that the source reads"
)
"""The hint for a sum or an average of floats."""

UNDOCUMENTED = dict.fromkeys(
    ("var_pop", "var_samp", "stddev_pop", "stddev_samp"),
    "by which steps it is taken is not documented: keep sum(x), sum(x * x) of decimals and count(x)",
)
"""The hints for aggregates that rule 5 promises to 1e-12."""
