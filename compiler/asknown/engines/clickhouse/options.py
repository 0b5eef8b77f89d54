"""Checks the options of a clickhouse target, and lists the settings of every session."""

from __future__ import annotations

from typing import Any

from asknown.dialects.clickhouse.settings import NEWER
from asknown.errors import AsknownError
from asknown.project.nodes import Target
from asknown.project.options import ClickHouseOptions

WISHED = {
    **NEWER,
    "async_insert": "0",
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
"""Settings of a session that a server may be too old for."""

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
