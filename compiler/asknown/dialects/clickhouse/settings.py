"""The settings that values depend on. Compiled SQL has them in its SETTINGS clause, so it runs in any session."""

from __future__ import annotations

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

NEWER = {
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
    "allow_nonconst_timezone_arguments": "1",  # a zone may be a column
    "enable_materialized_cte": "1",  # else MATERIALIZED is read and not done
    "enable_nullable_tuple_type": "1",
    "enable_time_time64_type": "1",
}
"""Settings that say what newer servers do by default, or without which they lack a feature."""
