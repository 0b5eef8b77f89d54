"""Checks the options of a clickhouse target, and lists the settings of every session."""

from __future__ import annotations

from typing import Any

from asknown.errors import AsknownError
from asknown.project.nodes import Target
from asknown.project.options import ClickHouseOptions

REQUIRED = {
    "session_timezone": "UTC",
    "join_use_nulls": "1",  # else a LEFT JOIN that finds nothing gives 0, '' and 1970-01-01
    "aggregate_functions_null_for_empty": "1",  # else the sum of no rows is 0
    "cast_keep_nullable": "1",
    "prefer_column_name_to_alias": "1",  # else an alias hides the column of its name everywhere in the SELECT
    "union_default_mode": "DISTINCT",
    "except_default_mode": "DISTINCT",
    "intersect_default_mode": "DISTINCT",
}
"""Settings that results depend on. A server that does not know one is too old."""

WISHED = {
    "enable_analyzer": "1",
    "use_variant_as_common_type": "0",  # 1 and 'a' have no common type: an error, not a value of either
    "date_time_overflow_behavior": "throw",
    "enable_extended_results_for_datetime_functions": "1",  # else they clamp at 1970
    "precise_float_parsing": "1",
    "count_distinct_implementation": "uniqExact",
    "transform_null_in": "0",
    "least_greatest_legacy_null_behavior": "0",  # they skip NULLs
    "formatdatetime_parsedatetime_m_is_month_name": "0",  # %M is minutes
    "decimal_check_overflow": "1",
    "async_insert": "0",
    "allow_nonconst_timezone_arguments": "1",  # a zone may be a column
    "enable_materialized_cte": "1",  # else MATERIALIZED is read and not done
    "enable_nullable_tuple_type": "1",
    "enable_time_time64_type": "1",
    "input_format_parquet_local_time_as_utc": "0",
    "output_format_arrow_string_as_string": "1",
    "output_format_arrow_low_cardinality_as_dictionary": "0",
    "print_pretty_type_names": "0",
    "cancel_http_readonly_queries_on_client_close": "1",
    "limit": "0",
    "offset": "0",
    **{
        f"{what}_overflow_mode": "throw"  # a user's profile may say 'break': a part of the result, without a word
        for what in ("read", "group_by", "sort", "result", "timeout", "set", "join", "transfer", "distinct")
    },
}
"""Settings that say what newer servers do by default, or what an old one lacks the feature for."""

FASTER = {
    "query_plan_optimize_join_order_limit": "1",  # another order computes a model's columns anew for each pair of rows
}
"""Settings that results do not depend on; a target's own go before them."""


def check_options(target: Target[ClickHouseOptions]) -> None:
    """Raises unless the target's options have exactly one way to connect."""
    options = target.options
    ways = [name for name in ("path", "dsn", "host") if getattr(options, name) is not None]
    if len(ways) != 1:
        raise AsknownError(
            "missing-key" if not ways else "wrong-type",
            f"target '{target.name}' must have one of 'dsn', 'host' and 'path'"
            + (f", and has {' and '.join(ways)}" if ways else ""),
            at=target.at,
            hint="dsn: \"{{ env_var('CLICKHOUSE_DSN') }}\" for a server, as in clickhouse://user:password@host:8123/db",
        )


def client_options(options: ClickHouseOptions) -> dict[str, Any]:
    """The options of a server's client, under the names that clickhouse-connect has for them."""
    named = {
        "dsn": options.dsn,
        "host": options.host,
        "port": options.port,
        "username": options.user,
        "password": options.password,
        "database": options.database,
        "secure": options.secure,
        "verify": options.verify,
        "ca_cert": options.ca_cert,
        "connect_timeout": options.connect_timeout,
        "send_receive_timeout": options.send_receive_timeout,
    }
    return {name: value for name, value in named.items() if value is not None}
