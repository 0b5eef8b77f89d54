"""Instants on Spark, its types, and the other snippets of its SQL."""

from __future__ import annotations

TYPES = {
    "TIMESTAMP": "TIMESTAMP_NTZ",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP_LTZ",
    "HUGEINT": "DECIMAL(38, 0)",
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INT",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20, 0)",
    "VARCHAR": "STRING",
    "UUID": "STRING",
}

DAY = r"'^\\s*\\d{4,6}-\\d{1,2}-\\d{1,2}'"  # else a time alone, 'now' and a year alone would read as instants
SNIPPETS = {
    "instant.timestamp": ":x",
    "instant.timestamptz": "CAST(:x AS TIMESTAMP_NTZ)",
    "instant.date": "CAST(:x AS TIMESTAMP_NTZ)",
    "instant.other": "CAST(:x AS TIMESTAMP_NTZ)",
    "instant.text": "CAST(CAST(:x AS TIMESTAMP_LTZ) AS TIMESTAMP_NTZ)",
    "try_instant": f"CASE WHEN REGEXP_LIKE(:x, {DAY}) THEN CAST(TRY_CAST(:x AS TIMESTAMP_LTZ) AS TIMESTAMP_NTZ) END",
    # Of an hour that a zone has twice, Spark takes the first: the second is the one with the offset of 3 hours on.
    "from_zone": "TRANSFORM(TRANSFORM(ARRAY(CONVERT_TIMEZONE(:zone, 'UTC', :x)), "
    "e -> NAMED_STRUCT('e', e, 'l', :x - (CONVERT_TIMEZONE('UTC', :zone, e + INTERVAL '3' HOUR) "
    "- (e + INTERVAL '3' HOUR)))), "
    "s -> CASE WHEN CONVERT_TIMEZONE('UTC', :zone, s.l) = :x THEN GREATEST(s.e, s.l) ELSE s.e END)[0]",
    "from_microseconds": "CAST(TIMESTAMP_MICROS(:x) AS TIMESTAMP_NTZ)",
    "date_trunc": "CAST(DATE_TRUNC(:unit, :x) AS TIMESTAMP_NTZ)",
    "literal": "CAST(:x AS TIMESTAMP_NTZ)",
    "bound.timestamp": "CAST(:x AS TIMESTAMP_NTZ)",
    "bound.timestamptz": "CAST(:aware AS TIMESTAMP_LTZ)",
    "bound.date": "CAST(:x AS TIMESTAMP_NTZ)",
    "microseconds": "UNIX_MICROS(CAST(:x AS TIMESTAMP_LTZ))",
    "whole_division": ":x DIV :y",
    "row_number": "MONOTONICALLY_INCREASING_ID()",
    "any_order": "NULL",
    "matches": "REGEXP_LIKE(:x, :pattern)",
    "raise": "CASE WHEN :condition THEN RAISE_ERROR(:message) ELSE TRUE END",
    "is_odd_float": "ISNAN(:x) OR ABS(:x) = CAST('Infinity' AS DOUBLE)",
}
