{#
    current_period(unit, zone='UTC')

    The window of the rows of this hour, day, week, month, quarter or year, up to the present instant. Write it as
    `this`: `this('month')` is `current_period('month')`.

        sum(amount) over {{ current_period('month') }}, sum(amount) over {{ this('day', 'Europe/Berlin') }}

    renders to

        sum(amount) over (partition by customer_id order by ordered_at
                          range between ordered_at - date_trunc('month', ordered_at) preceding and current row), …

    `zone` is the IANA name of the time zone whose clocks and calendar count. Hours are always those of UTC.

    A week begins on Monday. A day begins at the first instant at which the zone's clocks show its date.
#}
{% macro current_period(unit, zone='UTC') -%}
    ({%- if view.keys %}partition by {{ view.keys | join(', ') }} {% endif -%}
    order by {{ view.event_time }} range between {{ since_period(unit, zone) }} preceding and current row)
{%- endmacro %}


{#
    previous(unit, zone='UTC')

    The window of the rows of the whole hour, day, week, month, quarter or year before the present one. The window
    includes the first instant of that period and leaves out its end.

        sum(amount) over {{ previous('month') }} as amount_last_month

    renders to

        sum(amount) over (partition by customer_id order by ordered_at
                          range between ordered_at - (date_trunc('month', ordered_at) - interval '1 month') preceding
                          and ordered_at - (date_trunc('month', ordered_at) - interval '1 microsecond') preceding)

    `zone` is as in `current_period`.
#}
{% macro previous(unit, zone='UTC') -%}
    ({%- if view.keys %}partition by {{ view.keys | join(', ') }} {% endif -%}
    order by {{ view.event_time }} range between {{ since_period(unit, zone, before='1 ' ~ unit) }} preceding and {{ '' -}}
    {{ since_period(unit, zone, before='1 microsecond') }} preceding)
{%- endmacro %}


{#
    since_period(unit, zone='UTC', before=none)

    The time from the beginning of the row's own hour, day, week, month, quarter or year to its event time: the bound
    that `this` and `previous` write.

        {{ since_period('month') }}, {{ since_period('month', before='1 microsecond') }}

    renders to  ordered_at - date_trunc('month', ordered_at), ordered_at - (date_trunc('month', ordered_at) - interval '1 microsecond')

    `before` makes the time longer: '1 microsecond', or '1 month' for months, which reaches back to the beginning of
    the month before.
#}
{% macro since_period(unit, zone='UTC', before=none) -%}
    {%- if unit not in ['hour', 'day', 'week', 'month', 'quarter', 'year'] -%}
        {{ raise("a period is 'hour', 'day', 'week', 'month', 'quarter' or 'year', not '" ~ unit ~ "'") }}
    {%- elif unit == 'hour' and zone != 'UTC' -%}
        {{ raise("hours are those of UTC: leave the time zone of this('hour') or previous('hour') out") }}
    {%- elif zone is not string or "'" in zone -%}
        {{ raise("a time zone is a name such as 'Europe/Berlin', not '" ~ zone ~ "'") }}
    {%- endif -%}
    {%- set t = view.event_time -%}
    {%- if zone == 'UTC' -%}
        {{ t }} - {{ '(' if before is not none }}date_trunc('{{ unit }}', {{ t }})
        {%- if before is not none %} - interval '{{ before }}'){% endif -%}
    {%- else -%}
        {#- The clocks may show the beginning twice, or leave it out: it is when they first show it, or pass it. -#}
        {%- set wall = "date_trunc('" ~ unit ~ "', make_timestamptz(epoch_us(" ~ t ~ ")) at time zone '" ~ zone ~ "')" -%}
        {%- set wall = wall if before in [none, '1 microsecond'] else '(' ~ wall ~ " - interval '" ~ before ~ "')" -%}
        to_microseconds(epoch_us({{ t }}) - least(epoch_us({{ wall }} at time zone '{{ zone }}'), {{ '' -}}
        epoch_us(({{ wall }} - interval '1 microsecond') at time zone '{{ zone }}') + 1)
        {{- ' + 1' if before == '1 microsecond' }})
    {%- endif -%}
{%- endmacro %}
