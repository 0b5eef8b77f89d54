{#
    last(window, closed='both', delay=none)

    The window of the rows of the last `window` of time, by the keys and the event time of the view that uses it.

        avg(arr_delay) over {{ last('24 hours') }}

    renders to

        avg(arr_delay) over (partition by carrier order by landed_at
                             range between interval '24 hours' preceding and current row)

    closed   'both'   [t - window, t], both ends included
             'left'   [t - window, t), without the present instant
             'right'  (t - window, t], without the far end
    delay    shifts both ends back: last('24 hours', delay='1 hour') ends an hour ago
#}
{% macro last(window, closed='both', delay=none) -%}
    {%- if closed not in ['both', 'left', 'right'] -%}
        {{ raise("closed takes 'both', 'left' or 'right', not '" ~ closed ~ "'") }}
    {%- endif -%}
    {%- set length = microseconds(window) -%}
    {%- set shift = 0 if delay is none else microseconds(delay) -%}
    {%- if length == 0 -%}
        {{ raise("a window of '" ~ window ~ "' has no length") }}
    {%- endif -%}
    {#- An end that is left out lies one microsecond, the clock's tick, further in. -#}
    {%- set start = length + shift - (1 if closed == 'right' else 0) -%}
    {%- set end = shift + (1 if closed == 'left' else 0) -%}
    (
    {%- if view.keys %}partition by {{ view.keys | join(', ') }} {% endif -%}
    order by {{ view.event_time }} range between interval '
    {{- spell_duration(window if start == length else start) }}' preceding and {{ '' }}
    {%- if end == 0 -%}
        current row
    {%- else -%}
        interval '{{ spell_duration(delay if end == shift else end) }}' preceding
    {%- endif -%}
    )
{%- endmacro %}


{#
    trailing(column, aggregates, windows, where=none, closed='both', delay=none)

    A family of trailing features: each aggregate of a column over each window. `*` counts rows.

        {{ trailing('amount', ['sum', 'avg'], ['7 days', '24 hours'], where='amount > 0') }}

    renders to four columns, separated by commas:

        sum(amount) filter (where amount > 0) over (…) as sum_amount_7d,
        avg(amount) filter (where amount > 0) over (…) as avg_amount_7d,
        sum(amount) filter (where amount > 0) over (…) as sum_amount_24h,
        avg(amount) filter (where amount > 0) over (…) as avg_amount_24h
#}
{% macro trailing(column, aggregates, windows, where=none, closed='both', delay=none) -%}
    {%- set aggregates = [aggregates] if aggregates is string else aggregates -%}
    {%- set windows = [windows] if windows is string else windows -%}
    {%- if not aggregates or not windows -%}
        {{ raise("trailing takes at least one aggregate and one window") }}
    {%- endif -%}
    {%- for window in windows -%}
        {%- set outer = loop -%}
        {%- for aggregate in aggregates -%}
            {%- if not aggregate.isidentifier() -%}
                {{ raise("an aggregate is a function's name, not '" ~ aggregate ~ "'") }}
            {%- endif -%}
            {%- set parts = [aggregate, short_duration(window)] if column == '*'
                else [aggregate, column, short_duration(window)] -%}
            {{ aggregate }}({{ column if column == '*' else identifier(column) }})
            {%- if where is not none %} filter (where {{ where }}){% endif %} over {{ '' -}}
            {{ last(window, closed, delay) }} as {{ identifier(parts | join('_')) }}
            {%- if not (loop.last and outer.last) -%}
                {{ ',\n    ' }}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}


{#
    short_duration(duration)

    A duration as it stands in a column's name, in the author's own unit:

        {{ short_duration('24 hours') }}, {{ short_duration('15 minutes') }}, {{ short_duration('1 day 12 hours') }}

    renders to  24h, 15min, 36h
#}
{% macro short_duration(duration) -%}
    {%- set units = {
        'week': 'w', 'day': 'd', 'hour': 'h', 'minute': 'min', 'second': 's', 'millisecond': 'ms', 'microsecond': 'us'
    } -%}
    {%- set number, unit = spell_duration(duration).split(' ') -%}
    {{ number }}{{ units[unit.removesuffix('s')] }}
{%- endmacro %}
