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

    last('ever') is a window of 36500 days. A view whose windows are all of them keeps no events online, only states.
#}
{% macro last(window, closed='both', delay=none) -%}
    {%- if closed not in ['both', 'left', 'right'] -%}
        {{ raise("closed takes 'both', 'left' or 'right', not '" ~ closed ~ "'") }}
    {%- endif -%}
    {%- set window = '36500 days' if window == 'ever' else window -%}
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


{#
    share(condition, window, closed='both', delay=none)

    The share of a window's rows that meet a condition, from 0 to 1; NULL where the window is empty.

        {{ share('arr_delay > 15', '24 hours') }} as late_share_24h

    renders to

        count(*) filter (where arr_delay > 15) over (…) / nullif(count(*) over (…), 0) as late_share_24h
#}
{% macro share(condition, window, closed='both', delay=none) -%}
    count(*) filter (where {{ condition }}) over {{ last(window, closed, delay) }}
        / nullif(count(*) over {{ last(window, closed, delay) }}, 0)
{%- endmacro %}


{#
    ratio(numerator, denominator, window, closed='both', delay=none)

    The ratio of two sums over a window; NULL where the second is 0 or the window is empty.

        {{ ratio('clicks', 'views', '7 days') }} as click_rate_7d

    renders to  sum(clicks) over (…) / nullif(sum(views) over (…), 0) as click_rate_7d
#}
{% macro ratio(numerator, denominator, window, closed='both', delay=none) -%}
    sum({{ numerator }}) over {{ last(window, closed, delay) }}
        / nullif(sum({{ denominator }}) over {{ last(window, closed, delay) }}, 0)
{%- endmacro %}


{#
    distinct_count(column, window, closed='both', delay=none)

    How many different values a column has in a window; 0 where it is empty.

        {{ distinct_count('dest', '7 days') }} as destinations_7d

    renders to  count(distinct dest) over (…) as destinations_7d
#}
{% macro distinct_count(column, window, closed='both', delay=none) -%}
    count(distinct {{ column }}) over {{ last(window, closed, delay) }}
{%- endmacro %}


{#
    last_event(window, closed='both', delay=none)

    When the newest event of a window was; NULL where the window is empty. The time since then is the spine's instant
    less this.

        {{ last_event('30 days') }} as last_order_at

    renders to  max(ordered_at) over (…) as last_order_at
#}
{% macro last_event(window, closed='both', delay=none) -%}
    max({{ view.event_time }}) over {{ last(window, closed, delay) }}
{%- endmacro %}


{#
    change(aggregate, column, recent, before)

    How an aggregate over a short window differs from the same over a longer one.

        {{ change('avg', 'arr_delay', '24 hours', '7 days') }} as arr_delay_change

    renders to  avg(arr_delay) over (… 24 hours …) - avg(arr_delay) over (… 7 days …) as arr_delay_change
#}
{% macro change(aggregate, column, recent, before) -%}
    {{ aggregate }}({{ column }}) over {{ last(recent) }} - {{ aggregate }}({{ column }}) over {{ last(before) }}
{%- endmacro %}


{#
    top_k(column, k, window, closed='both', delay=none)

    The k most frequent values of a column in a window, the most frequent first; of equally frequent ones the lesser.

        {{ top_k('category', 2, '30 days') }} as favourite_categories

    renders to an expression over histogram(category) over (…), and is NULL where the window has no value.
#}
{% macro top_k(column, k, window, closed='both', delay=none) -%}
    {%- if k is not integer or k < 1 -%}
        {{ raise("top_k takes a whole number from 1 on, not '" ~ k ~ "'") }}
    {%- endif -%}
    list_transform(list_sort(list_transform(map_entries(histogram({{ column }}) over {{ last(window, closed, delay) }}), {{ '' }}
    {{- "lambda p_: {'n': -cast(p_.value as bigint), 'v': p_.key}" }}))[1:{{ k }}], lambda q_: q_.v)
{%- endmacro %}
