"""Postgres 14 and newer."""

from __future__ import annotations

from asknown.dialects.dialect import Dialect
from asknown.dialects.postgres.aggregates import AGGREGATES, FINISHES, ORDER
from asknown.dialects.postgres.snippets import WORDS
from asknown.dialects.postgres.sums import EXACT_SUMS
from asknown.dialects.postgres.translation import REWRITES, TYPES
from asknown.dialects.postgres.unsupported import FUNCTIONS, REFUSED, RESERVED

POSTGRES = Dialect(
    name="postgres",
    sqlglot="postgres",
    forms=("range", "union"),
    window_forms=("pairs", "bands", "tiles"),
    words=WORDS,
    aggregates=AGGREGATES,
    finishes=FINISHES,
    order=ORDER,
    types=TYPES,
    rewrites=REWRITES,
    refused=REFUSED,
    functions=FUNCTIONS,
    reserved=RESERVED,
    exact_sums=EXACT_SUMS,
    values_name_columns=True,
    tiled_rows=200,  # a pair of a moment and a row costs much more here than on an engine that goes by columns
    fences=True,
    quotes_all=True,
    exact_names=True,
    pins_ctes=True,
    session=("SET TimeZone = 'UTC'", "SET standard_conforming_strings = on", "SET transform_null_equals = off"),
)
