{#
    streak(condition, window, longest=false, closed='both', delay=none)

    How many rows of a window, counted back from the newest, meet a condition without a break; 0 where the window is
    empty. A condition that is NULL breaks the run. With longest=true: the rows of the longest run in the window.

        {{ streak('declined', 'ever') }} as declines_in_a_row

    renders to  coalesce(list_position(list_reverse(list((declined) is true) over (…)), false) - 1, …) as …
#}
{% macro streak(condition, window, longest=false, closed='both', delay=none) -%}
    {%- set runs -%}
        list(({{ condition }}) is true) over {{ last(window, closed, delay) }}
    {%- endset -%}
    {%- if longest -%}
        coalesce(list_reduce(
        list_transform({{ runs }}, lambda met_: {'run': if(met_, 1, 0), 'longest': if(met_, 1, 0)}),
        lambda a_, b_: {'run': if(b_.run = 1, a_.run + 1, 0),
                        'longest': greatest(a_.longest, if(b_.run = 1, a_.run + 1, 0))}).longest, 0)
    {%- else -%}
        coalesce(list_position(list_reverse({{ runs }}), false) - 1, len({{ runs }}), 0)
    {%- endif -%}
{%- endmacro %}


{#
    since(condition, window, closed='both', delay=none)

    How many rows of a window came after the last one that meets a condition; NULL where none does.

        {{ since("kind = 'dispute'", 'ever') }} as payments_since_dispute

    renders to  list_position(list_reverse(list((kind = 'dispute') is true) over (…)), true) - 1 as …
#}
{% macro since(condition, window, closed='both', delay=none) -%}
    (list_position(list_reverse(list(({{ condition }}) is true) over {{ last(window, closed, delay) }}), true) - 1)
{%- endmacro %}


{#
    drawdown(column, window, closed='both', delay=none)

    The greatest fall of a column in a window from a peak to a later row, as a double; 0 where it never fell, NULL
    where the window has no value.

        {{ drawdown('balance', '30 days') }} as drawdown_30d
#}
{% macro drawdown(column, window, closed='both', delay=none) -%}
    list_reduce(
        list_transform(list(({{ column }})::double) over {{ last(window, closed, delay) }},
                       lambda x_: {'peak': x_, 'fall': 0e0}),
        lambda a_, b_: {'peak': greatest(a_.peak, b_.peak), 'fall': greatest(a_.fall, a_.peak - b_.peak)}).fall
{%- endmacro %}


{#
    session(gap, window, closed='both', delay=none)

    The last session in a window: rows of which each comes at most `gap` after the one before. A struct of `start` and
    `newest`, the times of its first and its last row, and `n`, its rows; NULL where the window is empty.

        {{ session('30 minutes', '1 day') }} as last_session

    Whether it still goes on is for an on-demand view:  asked_at <= last_session.newest + interval '30 minutes'
#}
{% macro session(gap, window, closed='both', delay=none) -%}
    {%- set fits = "b_.newest <= a_.newest + interval '" ~ spell_duration(gap) ~ "'" -%}
    list_reduce(
        list_transform(list({{ view.event_time }}::timestamp) over {{ last(window, closed, delay) }},
                       lambda t_: {'start': t_, 'newest': t_, 'n': 1}),
        lambda a_, b_: {'start': if({{ fits }}, a_.start, b_.start), 'newest': b_.newest,
                        'n': if({{ fits }}, a_.n + 1, 1)})
{%- endmacro %}


{#
    last_distinct(column, k, window, closed='both', delay=none)

    The k values of a column that occurred last in a window, each once, the newest last; NULL where it has no value.

        {{ last_distinct('item', 3, '30 days') }} as last_items
#}
{% macro last_distinct(column, k, window, closed='both', delay=none) -%}
    {%- if k is not integer or k < 1 -%}
        {{ raise("last_distinct takes a whole number from 1 on, not '" ~ k ~ "'") }}
    {%- endif -%}
    {%- set newest -%}
        list_reverse(list({{ column }}) over {{ last(window, closed, delay) }})
    {%- endset -%}
    list_reverse(list_filter({{ newest }}, lambda x_, i_: list_position({{ newest }}, x_) = i_)[1:{{ k }}])
{%- endmacro %}
