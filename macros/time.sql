{#
    to_utc(column, zone)

    The instant (a timestamp in UTC) of a clock reading in a zone. `zone` is SQL: a quoted name, or a column of names.

        {{ to_utc('sched_dep_local', "'America/New_York'") }},
        {{ to_utc('arr_local', 'airports.tzone') }}

    renders to

        timezone('UTC', timezone('America/New_York', sched_dep_local)),
        timezone('UTC', timezone(airports.tzone, arr_local))

    A reading that comes twice, when clocks go back, is the engine's choice of the two; so is one that never comes.
#}
{% macro to_utc(column, zone) -%}
    timezone('UTC', timezone({{ zone }}, {{ column }}))
{%- endmacro %}


{#
    hhmm_minutes(column)

    Minutes since midnight of a clock reading written as an HHMM integer, such as 517 for 5:17, and 2400 for midnight.

        {{ hhmm_minutes('dep_time') }}

    renders to  ((dep_time // 100) * 60 + dep_time % 100)
#}
{% macro hhmm_minutes(column) -%}
    (({{ operand(column) }} // 100) * 60 + {{ operand(column) }} % 100)
{%- endmacro %}
