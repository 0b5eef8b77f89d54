{#
    safe_divide(a, b)

    The quotient, NULL where the divisor is 0.

        {{ safe_divide('late_flights', 'flights') }}

    renders to  (late_flights / nullif(flights, 0))
#}
{% macro safe_divide(a, b) -%}
    ({{ operand(a) }} / nullif({{ b }}, 0))
{%- endmacro %}


{#
    operand(expression)

    An expression that may stand beside any operator: in parentheses, unless it is a name or a number.

        {{ operand('arr_delay') }}, {{ operand('dep_delay + taxi_out') }}

    renders to  arr_delay, (dep_delay + taxi_out)
#}
{% macro operand(expression) -%}
    {%- set text = expression | string | trim -%}
    {%- if text.replace('_', '').replace('.', '').isalnum() -%}
        {{ text }}
    {%- else -%}
        ({{ text }})
    {%- endif -%}
{%- endmacro %}
