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
    translation=Translation(rewrites=REWRITES, refused=REFUSED, functions=FUNCTIONS),
    names=NameRules(exact_names=True, reserved=RESERVED, quotes_all=True),
    ctes=CteRules(pins_ctes=True, fences=True),
    relations=RelationRules(values_name_columns=True, unscaled="numeric"),
    session=("SET TimeZone = 'UTC'", "SET standard_conforming_strings = on", "SET transform_null_equals = off"),
)
