"""ClickHouse."""

from __future__ import annotations

from asknown.dialects.cautious import MODES
from asknown.dialects.clickhouse.aggregates import AGGREGATES, FINALIZERS, ORDER
from asknown.dialects.clickhouse.instants import SNIPPETS
from asknown.dialects.clickhouse.settings import NEWER, REQUIRED
from asknown.dialects.clickhouse.sums import EXACT_SUMS
from asknown.dialects.clickhouse.translation import REWRITES
from asknown.dialects.clickhouse.types import TYPES
from asknown.dialects.clickhouse.unsupported import AGGREGATING, FUNCTIONS, REFUSED
from asknown.dialects.dialect import AggregateRules, CteRules, Dialect, NameRules, PlanRules, RelationRules, Translation

CLICKHOUSE = Dialect(
    name="clickhouse",
    sqlglot="clickhouse",
    snippets=SNIPPETS,
    plans=PlanRules(
        forms=("asof", "range", "union"),
        window_forms=("pairs", "bands"),
        keyless_forms=("range", "union"),  # an ASOF JOIN wants an equality
    ),
    aggregates=AggregateRules(
        templates=AGGREGATES,
        finalizers=FINALIZERS,
        aggregating=AGGREGATING,
        nearest={
            "list": "a ClickHouse Array is never NULL: write string_agg(x, ',') of a text, or last(x)",
            **MODES,
            "list_distinct": "a ClickHouse Array is never NULL: write count(distinct x) for the number of values",
        },
        order=ORDER,
    ),
    types=TYPES,
    exact_sums=EXACT_SUMS,
    translation=Translation(rewrites=REWRITES, refused=REFUSED, functions=FUNCTIONS),
    names=NameRules(quotes_all=True, plain_names=False),
    ctes=CteRules(pins_ctes=True, reads_in_place=False, sees_later=True),
    relations=RelationRules(
        readers={".parquet": "file", ".csv": "file"},
        files_in_order=False,
        values_name_columns=True,
        own=frozenset(("MAP", "JSON", "INTERVAL")),
        unkept={"list": "a ClickHouse Array is never NULL: it would be [] where there is no row"},
    ),
    clock="microseconds",
    settings={**REQUIRED, **NEWER},
)
