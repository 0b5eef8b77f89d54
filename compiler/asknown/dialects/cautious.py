"""The translation for engines that we compile for and never run. It accepts only SQL that surely gives the same result.

It accepts a function where the vendors' references and DuckDB's describe it alike. It refuses all others, with a hint.
"""

from __future__ import annotations

_TESTED = "asknown has not tested it on this engine: "
_KEPT = _TESTED + "compute it in the source's table"


def _choose(sign: str) -> str:
    """SQL for one of two values, of which a NULL is left out: some engines give NULL then."""
    return f"CASE WHEN :a1 IS NULL OR :this {sign} :a1 THEN :this ELSE :a1 END"


def calendar(weekday: str, days: str) -> dict[str, str]:
    """Rewrites of the day of the week and of the days between two, where engines have names of their own for them.

    ``weekday`` counts from Monday as 1, of ``:x``; ``days`` are those from the date ``:a`` to ``:b``.
    """
    between = days.replace(":a", "CAST(:expression AS DATE)").replace(":b", "CAST(:this AS DATE)")
    iso, sunday = weekday, f"MOD({weekday}, 7)"
    return {
        "extract.isodow": iso.replace(":x", ":expression"),
        "extract.dow": sunday.replace(":x", ":expression"),
        "dayofweek": sunday.replace(":x", ":this"),
        "dayofweekiso": iso.replace(":x", ":this"),
        "datediff.day": between,
    }


def shifts(timestamp: str, timestamptz: str | None = None) -> dict[str, str]:
    """Rewrites of an instant ``:a1`` moved by ``:a2`` units; ``UNIT`` in a template stands for the unit."""
    kinds = {"timestamp": timestamp, "timestamptz": timestamptz}
    return {
        f"shifted_{unit}.{kind}.integer": text.replace("UNIT", unit.upper())
        for kind, text in kinds.items()
        for unit in ("second", "minute", "hour", "day")
        if text is not None
    }


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
    # A divisor that is not 0: by 0, some engines stop, and others give an infinity.
    "div.plain": "CAST(:this AS DOUBLE PRECISION) / CAST(:expression AS DOUBLE PRECISION)",
    # All round halves of decimals away from zero, as DuckDB does. Their casts are of what has been rounded.
    "cast.decimal.decimal": ":cast ROUND(:this, :scale)",
    "cast.decimal.integer": ":cast ROUND(:this, 0)",
    "round.decimal": "ROUND(:this, 0)",
    "round.decimal.decimals": ":same",
    "round.integer": ":this",
    **{f"greatest.{kind}.a1": _choose(">=") for kind in ("integer", "decimal", "date", "timestamp")},
    **{f"least.{kind}.a1": _choose("<=") for kind in ("integer", "decimal", "date", "timestamp")},
    **{unit: f"EXTRACT({unit.upper()} FROM :this)" for unit in ("hour", "minute", "quarter")},
    "extract.quarter": ":same",
    "avg.float": ":same",
    # Some engines' AVG of whole numbers is a whole number, or has six places.
    "avg": "CAST(SUM(:this) AS DOUBLE PRECISION) / NULLIF(COUNT(:this), 0)",
    "literal.float": "CAST(:this AS DOUBLE PRECISION)",
    "trim.expression": ":same",
    "cast.plain": ":same",
    "like.plain": ":same",
    "substring.plain.part": ":same",  # in characters, counted from 1
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
    **dict.fromkeys(("add", "sub", "mul"), "the types of both sides are unknown, or not numbers: cast them"),
    **{
        f"mul.{pair}": "not every engine multiplies intervals: compute the instant in the source's table"
        for kind in ("integer", "decimal", "float", "unknown")
        for pair in (f"{kind}.interval", f"interval.{kind}")
    },
    **dict.fromkeys(
        ("shifted_second", "shifted_minute", "shifted_hour", "shifted_day"),
        "the instant's type is unknown, or is not moved by a number: cast it to timestamp",
    ),
    "substring": _TESTED + "write a number from 1 on as the start, and a number as the length",
    "div": "engines differ in division by zero: write x / nullif(y, 0)",
    **dict.fromkeys(
        ("bitwiseand", "bitwiseor", "bitwisexor", "bitwisenot", "bitwiseleftshift", "bitwiserightshift"),
        "engines differ in operations on bits: " + _KEPT,
    ),
    **dict.fromkeys(("regexplike", "regexpilike", "similarto"), "engines read patterns differently: write like"),
    **{
        f"{key}.{pair}": "engines differ in comparing values of different types: cast one side"
        for key in ("eq", "neq", "lt", "lte", "gt", "gte", "is", "nullsafeeq", "nullsafeneq", "between", "in")
        for one in ("text", "boolean")
        for other in ("integer", "decimal", "float")
        for pair in (f"{one}.{other}", f"{other}.{one}")
    },
    "round.integer.decimals": "engines differ in rounding to tens: write floor((x + 5) / 10) * 10",
    **{
        f"{key}.{pair}": "engines differ in comparing NaN, and values of different types: cast both sides to one type"
        for key in ("greatest", "least")
        for one in ("float", "unknown", "text", "boolean", "timestamptz")
        for other in ("integer", "decimal", "float", "date", "timestamp", "unknown", "text", "boolean", "timestamptz")
        for pair in (f"{one}.{other}", f"{other}.{one}")
    },
    **{
        f"{key}.{pair}": "engines differ in comparing dates with instants: cast both sides to timestamp"
        for key in ("greatest", "least")
        for pair in ("date.timestamp", "timestamp.date")
    },
    "trim": "some engines also trim white space other than the space: write trim(s, ' ')",
    "windowspec.range": "not every engine has such a frame: write rows between …",
    "windowspec.groups": "not every engine has such a frame: write rows between …",
    "windowspec.exclude": "not every engine has EXCLUDE",
    "lastvalue": "its default frame differs between engines: write first_value(x) over (order by … desc)",
    **{f"cast.as.{name}": "not every engine has 32-bit floats: cast to double" for name in ("float",)},
    **{
        f"cast.as.{name}": "not every engine has this integer type: cast to bigint"
        for name in ("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint")
    },
    "limitoptions": "not every engine has a LIMIT in percent",
    "interval.integer": "not every engine has intervals of a variable length: " + _KEPT,
    "intdiv": _TESTED + "// needs integers: cast both sides",
    "attimezone": "it is unknown whether the value has a time zone: cast it to timestamp or timestamptz",
    "mod": _TESTED + "cast both sides to integers",
    "cast": "engines differ in how they round, truncate and write values: " + _KEPT,
    "trycast": _KEPT,
    "round": "engines differ in rounding halves: write floor(x + 0.5)",
    "interval": "a month has no fixed length, and engines write intervals of several units differently: write days",
    "timestamptrunc": "the first day of a week is a setting: truncate to days",
    "datetrunc": "the first day of a week is a setting: truncate to days",
    "extract": _TESTED + "write year, month, day, hour or minute",
    "like": "engines read a backslash in a pattern differently: write a pattern without one",
    "ilike": "write lower(s) like '…'",
    "dpipe": "engines write values differently: join texts only",
    "upper": "engines differ in the capitals of some letters: write lower(s)",
    **dict.fromkeys(("rand", "uuid"), "it returns different values each time it is read"),
    **dict.fromkeys(("bracket", "array", "struct", "map", "explode", "unnest", "lateral"), _KEPT),
    "collate": "collations differ between engines: write lower(s)",
    "glob": "write like",
    "ignorenulls": _KEPT,
    "join.method": "as-of joins differ between engines: declare a feature view, which asknown joins as of each instant",
    "tablesample": "a sample differs each time it is read",
    "columns": "write the columns",
    "star.except_": "write the columns",
    "star.replace": "write the columns",
    "group.all": "write the columns",
    "union.by_name": "list the columns in the same order on both sides",
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
    "a sum of floats depends on the order of rows on this engine, a sum of decimals does not: "
    "store x as a decimal in the source's table"
)
"""The hint for a sum or an average of floats."""

_EACH = "write count_if(x = 'a') over … for each value that matters"
COUNTS = {
    **dict.fromkeys(
        ("last_k", "first_k"), "slices of lists are not translated: write list(x) over …, and cut it after training"
    ),
    **dict.fromkeys(("max_k", "min_k"), "lists are not cut here: write max(x) or min(x) over … for the first of them"),
    **dict.fromkeys(
        ("arg_max_k", "arg_min_k"), "lists are not cut here: write arg_max(x, y) or arg_min(x, y) over … for the first"
    ),
    "top_k": f"this engine returns no sorted list of values and counts: {_EACH}",
    "histogram": f"this engine returns no sorted list of values and counts: {_EACH}",
    "entropy": f"logarithms round differently on this engine: {_EACH}, and compute it from the counts",
    **dict.fromkeys(
        ("regr_slope", "regr_intercept", "corr", "covar_pop", "covar_samp", "skewness", "kurtosis", "kurtosis_pop"),
        "this engine adds raw powers, which cancel: compute it from sum(x), sum(x * x) of decimals, and count(x)",
    ),
    **dict.fromkeys(("median.decimal", "quantile_cont.decimal"), "it rounds as DuckDB alone does: cast x to double"),
}
MODES = {"mode": f"which of several equally frequent values it returns is not documented: {_EACH}", **COUNTS}
"""The hints for aggregates that need every value, or each value's count."""
UNDOCUMENTED = dict.fromkeys(
    ("var_pop", "var_samp", "stddev_pop", "stddev_samp"),
    "how it is computed is not documented: select sum(x), sum(x * x) of decimals and count(x)",
)
"""The hints for aggregates that rule 5 promises to 1e-12."""
