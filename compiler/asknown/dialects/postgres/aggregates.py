"""The aggregates of trailing windows on Postgres, with their finalizers."""

from __future__ import annotations

from asknown.dialects.postgres.sums import EXACT, FITS, ODD

# A zero without its sign, so that equal values are the same value.
_UNSIGNED = "CASE WHEN :x = 0 THEN 0 ELSE :x END"
# A variance need not be exact for floats that an exact sum refuses: their shortest digits are close enough.
_NUMERIC = (
    f"CASE WHEN {ODD} THEN CAST('NaN' AS NUMERIC) WHEN {FITS} THEN {EXACT} ELSE CAST(CAST(:x AS TEXT) AS NUMERIC) END"
)
_PLACE = "(CARDINALITY(l) - 1) * CAST(:share AS DOUBLE PRECISION)"
_LOW = f"CAST(l[CAST(FLOOR({_PLACE}) AS INT) + 1] AS DOUBLE PRECISION)"
_HIGH = f"CAST(l[CAST(CEIL({_PLACE}) AS INT) + 1] AS DOUBLE PRECISION)"


def _exactly(value: str) -> str:
    return f"(SELECT {EXACT.replace(':x', 'x')} FROM (SELECT {value} AS x) AS one)"


# The point between two numbers as a processor fuses it: low * (1 - share) + (high * share, rounded), rounded once.
_BETWEEN = (
    "(SELECT CASE WHEN part = 0 THEN low + 0 "
    f"WHEN ({FITS.replace(':x', 'low')}) AND ({FITS.replace(':x', 'right_')}) "
    f"THEN CAST({_exactly('low')} * {_exactly('1 - part')} + {_exactly('right_')} AS DOUBLE PRECISION) "
    "ELSE low * (1 - part) + right_ END "
    "FROM (SELECT low, part, high * part AS right_ "
    f"FROM (SELECT {_LOW} AS low, {_HIGH} AS high, {_PLACE} - FLOOR({_PLACE}) AS part "
    "FROM (SELECT :value AS l) AS listed) AS ends) AS shares)"
)
_MEDIAN = (  # halves are exact, so nothing need be fused
    "(SELECT CAST(l[(CARDINALITY(l) + 1) / 2] AS DOUBLE PRECISION) * 0.5 "
    "+ CAST(l[CARDINALITY(l) / 2 + 1] AS DOUBLE PRECISION) * 0.5 FROM (SELECT :value AS l) AS listed)"
)
_DISCRETE = (
    "(SELECT l[GREATEST(1, CAST(CEIL(CAST(:share AS NUMERIC) * CARDINALITY(l)) AS INT))] "
    "FROM (SELECT :value AS l) AS listed)"
)
BINARY = ':x COLLATE "C"'
_LISTED = "ARRAY_AGG(:x ORDER BY :x)"
_LISTED_TEXT = 'ARRAY_AGG(:x ORDER BY :x COLLATE "C")'
_LISTED_FLOATS = f"ARRAY_AGG({_UNSIGNED} ORDER BY {_UNSIGNED})"

AGGREGATES = {
    "count": "COUNT(:x)",
    "count_distinct": "COUNT(DISTINCT :x)",
    "sum": "SUM(:x)",
    "sum.integer": "SUM(CAST(:x AS NUMERIC))",
    "sum.boolean": "SUM(CAST(CAST(:x AS INT) AS NUMERIC))",
    "min": "MIN(:x)",
    "max": "MAX(:x)",
    "min.float": f"MIN({_UNSIGNED})",
    "max.float": f"MAX({_UNSIGNED})",
    "min.text": f"MIN({BINARY})",
    "max.text": f"MAX({BINARY})",
    "min.boolean": "BOOL_AND(:x)",
    "max.boolean": "BOOL_OR(:x)",
    # There is no MIN of these before Postgres 18.
    **{f"min.{kind}": "PERCENTILE_DISC(0) WITHIN GROUP (ORDER BY :x)" for kind in ("uuid", "blob")},
    **{f"max.{kind}": "PERCENTILE_DISC(1) WITHIN GROUP (ORDER BY :x)" for kind in ("uuid", "blob")},
    "bool_and": "BOOL_AND(:x)",
    "bool_or": "BOOL_OR(:x)",
    "first": "ARRAY_AGG(:x ORDER BY :order)",
    "last": "ARRAY_AGG(:x ORDER BY :order)",
    "list": "ARRAY_AGG(:x ORDER BY :order)",
    "list_distinct": "ARRAY_AGG(DISTINCT :x ORDER BY :x)",
    "list_distinct.text": f"ARRAY_AGG(DISTINCT {BINARY} ORDER BY {BINARY})",
    "list_distinct.float": f"ARRAY_AGG(DISTINCT {_UNSIGNED} ORDER BY {_UNSIGNED})",
    "mode": "MODE() WITHIN GROUP (ORDER BY :x)",  # of equally frequent ones the first in order
    "mode.text": f"MODE() WITHIN GROUP (ORDER BY {BINARY})",
    "mode.float": f"MODE() WITHIN GROUP (ORDER BY {_UNSIGNED})",
    "string_agg.text": "STRING_AGG(:x, :separator ORDER BY :order)",
    # These need the condition that :x is not NULL, as first, last and list have it.
    **dict.fromkeys(("median.integer", "quantile_cont.integer", "quantile_disc"), _LISTED),
    **{f"{name}.text": _LISTED_TEXT for name in ("median", "quantile_disc")},
    **{f"{name}.float": _LISTED_FLOATS for name in ("median", "quantile_cont", "quantile_disc")},
    **{
        f"{name}{kind}": f"{aggregate}({value})"
        for name, aggregate in (
            ("var_pop", "VAR_POP"),
            ("var_samp", "VAR_SAMP"),
            ("stddev_pop", "VAR_POP"),
            ("stddev_samp", "VAR_SAMP"),
        )
        for kind, value in (("", "CAST(:x AS NUMERIC)"), (".float", _NUMERIC))
    },
}
FINALIZERS = {
    "first": "(:value)[1]",
    "last": "(:value)[CARDINALITY(:value)]",
    "median.integer": _MEDIAN,
    "median.float": _MEDIAN,
    "median.text": "(SELECT l[(CARDINALITY(l) + 1) / 2] FROM (SELECT :value AS l) AS listed)",
    "quantile_cont.integer": _BETWEEN,
    "quantile_cont.float": _BETWEEN,
    "quantile_disc": _DISCRETE,
    "quantile_disc.float": _DISCRETE,
    "quantile_disc.text": _DISCRETE,
    **{
        f"var_{which}{kind}": "CAST(:value AS DOUBLE PRECISION)" for which in ("pop", "samp") for kind in ("", ".float")
    },
    **{
        f"stddev_{which}{kind}": "SQRT(CAST(:value AS DOUBLE PRECISION))"
        for which in ("pop", "samp")
        for kind in ("", ".float")
    },
}
ORDER = {
    "text": (BINARY,),
    # -0.0 equals 0.0, and is not the same value.
    "float": (":x", "CASE WHEN :x = 0 THEN CAST(:x AS TEXT) <> '-0' ELSE TRUE END"),
    "list": (":x", 'CAST(:x AS TEXT) COLLATE "C"'),
}
