"""The tests of texts: for each type, when a text is a value of it that loses nothing by the conversion (rule 7)."""

from __future__ import annotations

import re

from asknown.types import parse_type

# For each type, when the text ``x`` is a value of it that loses nothing by the conversion. The first test of each is
# cheap and holds for nearly all values; the pattern decides on the others.
DAY = r"\d{4}-\d{1,2}-\d{1,2}"
_CLOCK = r"\d{1,2}:\d{2}(:\d{2}(\.\d{1,6}0*)?)?"
OFFSET = r" ?(Z|UTC|[+-]\d{2}(:?\d{2})?)"


def _either(canonical: str, pattern: str, kind: str) -> str:
    spelled = rf"REGEXP_FULL_MATCH(x, '\s*{pattern}\s*') AND TRY_CAST(x AS {kind}) IS NOT NULL"
    return f"CASE WHEN {canonical} THEN TRUE ELSE {spelled} END"


def _canonical(kind: str) -> str:
    return f"COALESCE(CAST(TRY_CAST(x AS {kind}) AS VARCHAR) = x, FALSE)"


def with_comma(test: str) -> str:
    """The test of a number whose fraction stands behind a comma; a point in it would separate thousands."""
    number = re.sub(r"(?<![\w'])x(?![\w'])", "REPLACE(x, ',', '.')", test)
    return f"NOT CONTAINS(x, '.') AND ({number})"


_MANTISSA = "LTRIM(REGEXP_REPLACE(REGEXP_EXTRACT(x, '^[^eE]*'), '[^0-9]', '', 'g'), '0')"
_IS_WHOLE = r"REGEXP_FULL_MATCH(x, '\s*[+-]?\d+\s*')"
# Beyond a float's range: read as infinity, or as zero.
BEYOND = f"ISINF(TRY_CAST(x AS DOUBLE)) OR (TRY_CAST(x AS DOUBLE) = 0 AND {_MANTISSA} <> '')"
KEEPS_DIGITS = (
    f"CASE WHEN (CONTAINS(x, 'e') OR CONTAINS(x, 'E')) AND ({BEYOND}) THEN FALSE "
    f"WHEN STRLEN(x) <= 15 THEN TRUE WHEN {_IS_WHOLE} THEN "
    "COALESCE(TRY_CAST(TRY_CAST(x AS DOUBLE) AS HUGEINT) = TRY_CAST(x AS HUGEINT), FALSE) "
    f"ELSE LENGTH({_MANTISSA}) <= 17 END"
)
# A text that begins with another digit than 0 needs no look at its first two.
IS_FLOAT = (
    "TRY_CAST(x AS DOUBLE) IS NOT NULL AND "
    r"CASE WHEN x >= '1' THEN NOT CONTAINS(x, '_') ELSE NOT REGEXP_MATCHES(x, '^\s*[+-]?0[0-9]|_') END"
)
FITS = {
    "BOOLEAN": "TRY_CAST(x AS BOOLEAN) IS NOT NULL AND x NOT IN ('0', '1')",
    "BIGINT": _either(_canonical("BIGINT"), "[+-]?(0|[1-9][0-9]*)", "BIGINT"),
    "HUGEINT": _either(_canonical("HUGEINT"), "[+-]?(0|[1-9][0-9]*)", "HUGEINT"),
    "DOUBLE": f"{IS_FLOAT} AND {KEEPS_DIGITS}",
    "DATE": _either(_canonical("DATE"), DAY, "DATE"),
    "TIMESTAMP": _either(_canonical("TIMESTAMP"), f"{DAY}([ T]{_CLOCK})?", "TIMESTAMP"),
    "TIMESTAMPTZ": _either("FALSE", f"{DAY}[ T]{_CLOCK}{OFFSET}", "TIMESTAMPTZ"),
    "TIME": _either(_canonical("TIME"), _CLOCK, "TIME"),
}
COMMA = "comma"
"""The form of numbers that have a comma before their fraction, as a cast of a file's column has it."""
WITH_COMMA = "DOUBLE with a comma"
FITS[WITH_COMMA] = with_comma(FITS["DOUBLE"])
WIDER = {
    "BIGINT": ("HUGEINT", "DOUBLE"),
    "DOUBLE": (),
    "BOOLEAN": (),
    "DATE": ("TIMESTAMP", "TIMESTAMPTZ"),
    "TIMESTAMP": ("TIMESTAMPTZ",),
    "TIMESTAMP WITH TIME ZONE": ("TIMESTAMPTZ",),
    "TIME": (),
}
ALL = ("BOOLEAN", "BIGINT", "HUGEINT", "DOUBLE", "DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIME")


def declared_test(kind: str) -> str:
    parsed = parse_type(kind)
    match parsed.kind:
        case "integer":
            return rf"REGEXP_FULL_MATCH(x, '\s*[+-]?\d+(\.0*)?\s*') AND TRY_CAST(x AS {kind}) IS NOT NULL"
        case "decimal":
            places = rf"REGEXP_FULL_MATCH(x, '\s*[+-]?\d*(\.\d{{0,{parsed.scale}}}0*)?\s*')"
            return f"{places} AND TRY_CAST(x AS {kind}) IS NOT NULL"
        case "float":
            is_beyond = BEYOND.replace("AS DOUBLE", f"AS {kind}")
            return rf"TRY_CAST(x AS {kind}) IS NOT NULL AND NOT (REGEXP_MATCHES(x, '\d') AND ({is_beyond}))"
        case "text":
            return "TRUE"
        case "date":
            return FITS["DATE"]
        case "timestamp":
            return FITS["TIMESTAMP"]
        case "timestamptz":
            return f"({FITS['TIMESTAMPTZ']}) OR ({FITS['TIMESTAMP']})"
    return f"TRY_CAST(x AS {kind}) IS NOT NULL"
