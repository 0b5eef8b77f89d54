"""Instants on Postgres, and the other snippets of its SQL."""

from __future__ import annotations

from asknown.dialects.postgres.aggregates import BINARY
from asknown.dialects.postgres.sums import ODD

# A pattern of the timestamps that every engine reads alike: it has no words such as 'now', and ASCII digits alone.
ISO = (
    r"'^[0-9]{4}-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])([ T]([01]?[0-9]|2[0-3]):[0-5][0-9]"
    r"(:[0-5][0-9](\.[0-9]+)?)?(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)?)?$'"
)
_YEAR, _MONTH = (f"CAST(SPLIT_PART(:x, '-', {n}) AS INT)" for n in (1, 2))
_DAY = "CAST(SUBSTRING(:x FROM '^[0-9]+-[0-9]+-([0-9]+)') AS INT)"
_READS = (  # the 30th of February would be an error
    f"CASE WHEN :x ~ {ISO} THEN {_YEAR} > 0 AND {_DAY} <= "
    f"CASE WHEN {_MONTH} IN (4, 6, 9, 11) THEN 30 WHEN {_MONTH} <> 2 THEN 31 "
    f"WHEN {_YEAR} % 4 = 0 AND ({_YEAR} % 100 <> 0 OR {_YEAR} % 400 = 0) THEN 29 ELSE 28 END END"
)
# Digits beyond microseconds are cut off. Postgres would round them, perhaps up, to a later instant.
CUT = r"REGEXP_REPLACE(:x, '(\.[0-9]{6})[0-9]+', '\1')"
_OFFSET = "'[0-9]:[0-9].*(Z|[+-][0-9:]+)$'"  # behind the clock; without one, the time is in UTC
IN_UTC = f"CONCAT({CUT}, CASE WHEN :x ~ {_OFFSET} THEN '' ELSE ' +00' END)"
_TRY_INSTANT = f"CASE WHEN {_READS} THEN CAST({IN_UTC} AS TIMESTAMPTZ) AT TIME ZONE 'UTC' END"
_TEXT_INSTANT = (
    f"CAST(CASE WHEN :x ~ {ISO} THEN {IN_UTC} WHEN :x IS NOT NULL "
    "THEN CONCAT('asknown: no timestamp reads as ''', :x, '''') END "
    "AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
)

_FINITE = "ABS(:x) < CAST('Infinity' AS NUMERIC)"

SNIPPETS = {
    "instant.timestamp": ":x",
    "instant.timestamptz": ":x AT TIME ZONE 'UTC'",
    "instant.date": "CAST(:x AS TIMESTAMP)",
    "instant.text": _TEXT_INSTANT,
    "instant.other": "CAST(:x AS TIMESTAMP)",
    "try_instant": _TRY_INSTANT,
    "from_zone": ":x AT TIME ZONE :zone AT TIME ZONE 'UTC'",
    "date_trunc": "DATE_TRUNC(:unit, :x)",
    "wall": ":t AT TIME ZONE 'UTC' AT TIME ZONE :zone",
    "literal": "CAST(:x AS TIMESTAMP)",
    "bound.timestamp": "CAST(:x AS TIMESTAMP)",
    "bound.timestamptz": "CAST(:aware AS TIMESTAMPTZ)",
    "bound.date": "CAST(:x AS TIMESTAMP)",
    "microseconds": "CAST(EXTRACT(EPOCH FROM :x) * 1000000 AS BIGINT)",
    "from_microseconds": "TIMESTAMP '1970-01-01 00:00:00' + (:x / 86400000000) * INTERVAL '1 DAY' "
    "+ (:x % 86400000000) * INTERVAL '1 MICROSECOND'",
    "whole_division": ":x / :y",
    "row_number": "ROW_NUMBER() OVER ()",
    "list_has": ":x = ANY(:list)",
    "list_distinct": "ARRAY(SELECT DISTINCT UNNEST(ARRAY[:x]))",
    "each_of": "UNNEST(:list)",
    "matches": ":x ~ :pattern",
    "raise": "CASE WHEN :condition THEN CAST(CONCAT(:message, ': ', :condition) AS INT) > 0 ELSE TRUE END",
    # A number of any scale in a declared type; one that does not fit is an error, and NaN and infinities never fit.
    "stored_as.number": f"CASE WHEN :x IS NULL OR (:x = ROUND(:x, :scale) AND {_FINITE}) THEN :x "
    "ELSE CAST(CAST(CONCAT(:message, :x) AS INT) AS NUMERIC) END",
    "digits.before": f"MAX(LENGTH(CAST(TRUNC(ABS(:x)) AS TEXT))) FILTER (WHERE {_FINITE})",
    "digits.after": "MAX(SCALE(TRIM_SCALE(:x)))",
    "is_odd_float": ODD,
    "ratio": "CAST(:x AS DOUBLE PRECISION) / :y",
    "null_safe_equal": ":x IS NOT DISTINCT FROM :y",
    # Text in the order of its bytes, whatever the database's own rules are.
    "stored.text": BINARY,
    "stored.json": BINARY.replace(":x", "CAST(:x AS TEXT)"),
}
