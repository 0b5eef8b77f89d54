"""Snowflake: compiled, read back by sqlglot, never run by us.

Instants are TIMESTAMP_NTZ(6) in UTC. Plain names are not quoted, so Snowflake folds them to upper case; a reserved word
is quoted in upper case. Pages below are those of docs.snowflake.com/en/sql-reference.

They do not say whether a float keeps the sign of a zero, and which hour CONVERT_TIMEZONE takes if a zone's clocks show
it twice.
"""

from __future__ import annotations

from asknown.dialects.cautious import FLOATS, FUNCTIONS, MODES, REFUSED, REWRITES, UNDOCUMENTED, calendar, shifts
from asknown.dialects.dialect import AggregateRules, Dialect, NameRules, PlanRules, RelationRules, Translation

_NAIVE = "CAST(:x AS TIMESTAMPNTZ(6))"
_LISTED = "ARRAY_AGG(:x) WITHIN GROUP (ORDER BY :order)"  # functions/array_agg: leaves NULLs out
# operators-arithmetic: "/" of whole numbers has six places and rounds, so only a multiple is divided.
_DIVIDED = "CAST(({x} - MOD({x}, {y})) / {y} AS DECIMAL(38, 0))"
_TOO_LARGE = "'asknown: a sum is too large for an exact average'"
_RESERVED = frozenset(  # reserved-keywords
    (
        *("account", "all", "alter", "and", "any", "as", "between", "by", "case", "cast", "check", "column"),
        *("connect", "connection", "constraint", "create", "cross", "current", "current_date", "current_time"),
        *(
            "current_timestamp",
            "current_user",
            "database",
            "delete",
            "distinct",
            "drop",
            "else",
            "exists",
            "false",
        ),
        *("following", "for", "from", "full", "grant", "group", "having", "ilike", "in", "increment", "inner"),
        *("insert", "intersect", "into", "is", "issue", "join", "lateral", "left", "like", "localtime"),
        *(
            "localtimestamp",
            "match_condition",
            "asof",
            "gscluster",
            "organization",
            "schema",
            "window",
            "limit",
        ),
        *("minus", "natural", "not", "null", "of", "on", "or", "order", "qualify", "regexp", "revoke", "right"),
        *("rlike", "row", "rows", "sample", "select", "set", "some", "start", "table", "tablesample", "then"),
        *("to", "trigger", "true", "try_cast", "union", "unique", "update", "using", "values", "view", "when"),
        *("whenever", "where", "with"),
    )
)

SNOWFLAKE = Dialect(
    name="snowflake",
    sqlglot="snowflake",
    snippets={
        "instant.timestamp": _NAIVE,
        "instant.timestamptz": "CAST(CONVERT_TIMEZONE('UTC', :x) AS TIMESTAMPNTZ(6))",
        "instant.date": _NAIVE,
        "bound.timestamp": _NAIVE,
        "bound.timestamptz": "CAST(:aware AS TIMESTAMPTZ)",
        "bound.date": "CAST(CAST(:x AS TIMESTAMPNTZ(6)) AS DATE)",
        "from_zone": "CONVERT_TIMEZONE(:zone, 'UTC', :x)",  # functions/convert_timezone: of three, the last is naive
        "microseconds": "DATE_PART(EPOCH_MICROSECOND, :x)",  # functions/date_part
        "whole_division": _DIVIDED.format(x=":x", y=":y"),
        "row_number": "ROW_NUMBER() OVER (ORDER BY NULL)",
        "any_order": "NULL",  # functions/row_number: ORDER BY is obligatory
        "raise": "CASE WHEN :condition THEN CAST(CASE WHEN :condition THEN :message END AS INTEGER) > 0 ELSE TRUE END",
        "ratio": "CASE WHEN ABS(:x) < 9007199254740992 THEN CAST(:x AS DOUBLE) / NULLIF(:y, 0) "
        f"ELSE CAST(CASE WHEN NOT :x IS NULL THEN {_TOO_LARGE} END AS DOUBLE) END",
    },
    plans=PlanRules(
        # constructs/asof-join: one comparison, equalities if any, rows without a match stay.
        forms=("asof", "range", "union"),
        window_forms=("pairs", "bands"),
        matches_outside_on=True,
    ),
    aggregates=AggregateRules(
        templates={
            "count": "COUNT(:x)",
            "count_distinct": "COUNT(DISTINCT :x)",
            "sum.integer": "SUM(CAST(:x AS DECIMAL(38, 0)))",
            "sum.decimal": "SUM(:x)",
            "sum.boolean": "SUM(CAST(:x AS INT))",
            "min": "MIN(:x)",
            "max": "MAX(:x)",
            "min.float": "MIN(CASE WHEN :x = 0 THEN 0 ELSE :x END)",
            "max.float": "MAX(CASE WHEN :x = 0 THEN 0 ELSE :x END)",
            "min.boolean": "BOOLAND_AGG(:x)",
            "max.boolean": "BOOLOR_AGG(:x)",
            "bool_and": "BOOLAND_AGG(:x)",
            "bool_or": "BOOLOR_AGG(:x)",
            "first": _LISTED,
            "last": _LISTED,
            "median.integer": "MEDIAN(CAST(:x AS DOUBLE))",
            "quantile_disc": "PERCENTILE_DISC(:share) WITHIN GROUP (ORDER BY :x)",
        },
        finalizers={
            "first": "GET(:value, 0)",
            "last": "GET(:value, ARRAY_SIZE(:value) - 1)",
        },
        untyped=frozenset(("first", "last")),  # a VARIANT
        filters=False,
        nearest={
            "sum.float": FLOATS,
            "list": "a Snowflake ARRAY loses the type of its elements: write last(x) for the newest value",
            "list_distinct": "a Snowflake ARRAY loses its elements' type: write count(distinct x) for their number",
            "string_agg": "LISTAGG returns '' where there is nothing to join: write last(x) for the newest value",
            "median": "median(x) over integers; or quantile_disc(x, 0.5), which is one of the values",
            "quantile_cont": "quantile_disc(x, 0.9), which is one of the values",
            **UNDOCUMENTED,
            **MODES,
        },
        order={"float": (":x", "CASE WHEN :x = 0 THEN CAST(:x AS VARCHAR) <> '-0' ELSE TRUE END")},
    ),
    types={
        "TIMESTAMP": "TIMESTAMPNTZ(6)",
        "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ(6)",
        "HUGEINT": "DECIMAL(38, 0)",
    },
    translation=Translation(
        rewrites={
            **REWRITES,
            **shifts(*["DATEADD(UNIT, :a2, :a1)"] * 2),
            **calendar("DAYOFWEEKISO(:x)", "DATEDIFF(DAY, :a, :b)"),
            "intdiv.integer.integer": _DIVIDED.format(x=":this", y=":expression"),
            "cast.as.hugeint": "CAST(:this AS DECIMAL(38, 0))",
            "max.boolean": "BOOLOR_AGG(:this)",
            "min.boolean": "BOOLAND_AGG(:this)",
            "is.boolean.boolean": "(:this IS NOT DISTINCT FROM :expression)",  # sqlglot would leave IS TRUE out
            "attimezone.timestamptz": "CAST(CONVERT_TIMEZONE(:zone, :this) AS TIMESTAMPNTZ(6))",
            # The session is in UTC.
            "attimezone.timestamp": "CAST(CONVERT_TIMEZONE(:zone, 'UTC', :this) AS TIMESTAMPTZ)",
        },
        refused=REFUSED,
        tested=FUNCTIONS,
        writes_utc=True,
    ),
    names=NameRules(exact_names=True, folds_up=True, reserved=_RESERVED, quotes_all=False),
    relations=RelationRules(unkept={"list": "a Snowflake ARRAY loses the type of its elements"}),
    executed=False,
    session=("ALTER SESSION SET TIMEZONE = 'UTC'", "ALTER SESSION SET TIMESTAMP_TYPE_MAPPING = 'TIMESTAMP_NTZ'"),
)
