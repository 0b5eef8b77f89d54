{#
    minutes_since(column)

    Minutes from an instant to the moment of asking, with their fraction. For on-demand views: it reads `asked_at`.

        {{ minutes_since('ordered_at') }} as minutes_since_last_order

    renders to  (epoch(asked_at - ordered_at) / 60) as minutes_since_last_order
#}
{% macro minutes_since(column) -%}
    (epoch(asked_at - {{ operand(column) }}) / 60)
{%- endmacro %}


{#
    hours_since(column)

    Hours from an instant to the moment of asking, with their fraction. For on-demand views: it reads `asked_at`.

        {{ hours_since('landed_at') }} as hours_since_landing

    renders to  (epoch(asked_at - landed_at) / 3600) as hours_since_landing
#}
{% macro hours_since(column) -%}
    (epoch(asked_at - {{ operand(column) }}) / 3600)
{%- endmacro %}


{#
    days_since(column)

    Days from an instant to the moment of asking, with their fraction. For on-demand views: it reads `asked_at`.

        {{ days_since('changed_at') }} as days_since_move

    renders to  (epoch(asked_at - changed_at) / 86400) as days_since_move

    How many midnights (UTC) lie between is  date_diff('day', changed_at, asked_at)
#}
{% macro days_since(column) -%}
    (epoch(asked_at - {{ operand(column) }}) / 86400)
{%- endmacro %}


{#
    ratio_to(value, usual)

    A value against what is usual; NULL where that is 0 or not there.

        {{ ratio_to('amount', 'avg_amount_30d') }} as amount_against_usual

    renders to  (amount / nullif(avg_amount_30d, 0)) as amount_against_usual
#}
{% macro ratio_to(value, usual) -%}
    ({{ operand(value) }} / nullif({{ usual }}, 0))
{%- endmacro %}


{#
    kilometres_between(lat_a, lon_a, lat_b, lon_b)

    The great-circle distance of two places in degrees, on a sphere of the earth's mean radius (haversine).

        {{ kilometres_between('home_lat', 'home_lon', 'lat', 'lon') }} as km_from_home
#}
{% macro kilometres_between(lat_a, lon_a, lat_b, lon_b) -%}
    (2 * 6371.0088e0 * asin(sqrt(
        pow(sin(radians({{ operand(lat_b) }} - {{ operand(lat_a) }}) / 2), 2)
        + cos(radians({{ lat_a }})) * cos(radians({{ lat_b }}))
        * pow(sin(radians({{ operand(lon_b) }} - {{ operand(lon_a) }}) / 2), 2)
    )))
{%- endmacro %}
