"""Postgres 14 and newer."""

from __future__ import annotations

from asknown.dialects.cautious import COUNTS
from asknown.dialects.dialect import AggregateRules, CteRules, Dialect, NameRules, PlanRules, RelationRules, Translation
from asknown.dialects.postgres.aggregates import AGGREGATES, FINALIZERS, ORDER
from asknown.dialects.postgres.snippets import SNIPPETS
from asknown.dialects.postgres.sums import EXACT_SUMS
from asknown.dialects.postgres.translation import REWRITES, TYPES
from asknown.dialects.postgres.unsupported import FUNCTIONS, REFUSED, RESERVED

POSTGRES = Dialect(
    name="postgres",
    sqlglot="postgres",
    snippets=SNIPPETS,
    plans=PlanRules(
        forms=("range", "union"),
        window_forms=("pairs", "bands", "tiles"),
        tiled_rows=200,  # a pair of a moment and a row costs much more here than on an engine that goes by columns
    ),
    aggregates=AggregateRules(templates=AGGREGATES, finalizers=FINALIZERS, nearest=COUNTS, order=ORDER),
    types=TYPES,
    exact_sums=EXACT_SUMS,
    translation=Translation(rewrites=REWRITES, refused=REFUSED, functions=FUNCTIONS, writes_utc=True),
    names=NameRules(exact_names=True, reserved=RESERVED, quotes_all=True),
    ctes=CteRules(pins_ctes=True, fences=True),
    relations=RelationRules(values_name_columns=True, unscaled="numeric"),
    session=(
        "SET TimeZone = 'UTC'",
        "SET DateStyle = 'ISO, YMD'",
        "SET IntervalStyle = 'postgres'",
        "SET extra_float_digits = 1",
        "SET bytea_output = 'hex'",
        "SET xmloption = 'content'",
        "SET standard_conforming_strings = on",
        "SET transform_null_equals = off",
    ),
    # Postgres takes a CTE's join for one row where it has nothing to go by, and loops over a hundred thousand, or
    # merges on the one key that comes sorted and compares all else pair by pair; hash joins bear such mistakes. And it
    # compiles queries for longer than they run.
    planning=("SET enable_nestloop = off", "SET enable_mergejoin = off", "SET jit = off"),
)
