{#
    decaying_sum(column, half_life)

    For a feature view: what `decayed` needs for the sum of a column whose rows lose half of their weight in each half
    life. It is a struct of two sums that no instant of asking changes, and the half life in microseconds.

        {{ decaying_sum('amount', '7 days') }} as amount_7d

    renders to

        {'current': sum((amount)::double * pow(2, …)) over (…), 'before': sum(…) over (…), 'half_life': 604800000000}

    Time is divided into periods of 32 half lives. One sum is of the period of the present instant, the other of the
    period before; each row is weighed as of the beginning of its own period. Older rows would weigh less than 1 / 2^32,
    and do not count.
#}
{% macro decaying_sum(column, half_life) -%}
    {%- set length = microseconds(half_life) -%}
    {%- if length < 1 or length > 49248000000000 -%}
        {{ raise("a half life is a length of time up to 570 days, not '" ~ half_life ~ "'") }}
    {%- endif -%}
    {%- set period = 32 * length -%}
    {%- set t = view.event_time -%}
    {%- set since = '((epoch_us(' ~ t ~ ') % ' ~ period ~ ') + ' ~ period ~ ') % ' ~ period -%}
    {%- set total = 'sum((' ~ column ~ ')::double * pow(2, (' ~ since ~ ') / ' ~ length ~ ')) over (' -%}
    {%- set rows = ('partition by ' ~ view.keys | join(', ') ~ ' ' if view.keys else '') ~ 'order by ' ~ t ~ ' range between ' -%}
    {'current': {{ total }}{{ rows }}to_microseconds({{ since }}) preceding and current row),
    'before': {{ total }}{{ rows }}to_microseconds({{ since }} + {{ period }}) preceding and {{ '' -}}
    to_microseconds({{ since }} + 1) preceding),
    'half_life': {{ length }}::bigint}
{%- endmacro %}


{#
    decayed(column)

    For an on-demand view: the decayed sum as of `asked_at`, of a column that `decaying_sum` made. A row at `asked_at`
    weighs 1, one that is a half life older 1/2, and so on; NULL where no row counts.

        {{ decayed('amount_7d') }} as decayed_amount_7d

    The decayed sum of 1 is the decayed number of rows; the quotient of both sums is the decayed mean.
#}
{% macro decayed(column) -%}
    {%- set since = '(epoch_us(asked_at) % P + P) % P'.replace('P', '(32 * ' ~ column ~ '.half_life)') -%}
    {%- set current = column ~ '.current * pow(2, -(' ~ since ~ ') / ' ~ column ~ '.half_life)' -%}
    {%- set before = column ~ '.before * pow(2, -(' ~ since ~ ' + 32 * ' ~ column ~ '.half_life) / ' ~ column ~ '.half_life)' -%}
    coalesce({{ current }} + {{ before }}, {{ current }}, {{ before }})
{%- endmacro %}
