{#
    rows_of(columns, window, closed='both', delay=none)

    The rows of a window with some of their columns, oldest first: a list of structs; NULL where the window is empty.
    Write it where a window's argument or filter needs the request: an on-demand view reads the list by `sum_of` and
    its like.

        {{ rows_of(['amount', 'merchant'], '30 days') }} as payments_30d

    renders to  list({'amount': amount, 'merchant': merchant}) over (…) as payments_30d
#}
{% macro rows_of(columns, window, closed='both', delay=none) -%}
    {%- set columns = [columns] if columns is string else columns -%}
    {%- if not columns -%}
        {{ raise("rows_of takes the names of the columns: rows_of(['amount', 'merchant'], '30 days')") }}
    {%- endif -%}
    list({ {%- for column in columns %}{{ ', ' if not loop.first }}'{{ column }}': {{ identifier(column) }}{% endfor -%} })
    {{- ' ' }}over {{ last(window, closed, delay) }}
{%- endmacro %}


{#
    count_of(rows, where=none)

    For on-demand views: how many of the rows meet a condition over `row_`, the request's columns and `asked_at`; 0 where
    there are none. `rows` is a list that `rows_of` made.

        {{ count_of('payments_30d', where='row_.amount > amount') }} as larger_payments_30d

    renders to  coalesce(len(list_filter(payments_30d, lambda row_: row_.amount > amount)), 0) as larger_payments_30d
#}
{% macro count_of(rows, where=none) -%}
    coalesce(len({{ filtered_rows(rows, where) }}), 0)
{%- endmacro %}


{#
    sum_of(rows, value, where=none)

    For on-demand views: the sum of a value of the rows that meet a condition, exact at both ends; NULL where there are
    none. Value and condition may read `row_`, the request's columns and `asked_at`.

        {{ sum_of('payments_30d', 'row_.amount', where='row_.merchant = merchant') }} as spent_here_30d

    renders to

        list_sum(list_transform(list_filter(payments_30d, lambda row_: row_.merchant = merchant),
                                lambda row_: row_.amount)) as spent_here_30d

    A sum of integers is a HUGEINT: put ::bigint behind it, if it is the feature.
#}
{% macro sum_of(rows, value, where=none) -%}
    list_sum({{ values_of(rows, value, where) }})
{%- endmacro %}


{#
    avg_of(rows, value, where=none)

    As `sum_of`, the mean: the sum divided by the number of values.

        {{ avg_of('payments_30d', 'row_.amount', where='row_.merchant = merchant') }} as usual_here_30d

    renders to  list_sum(…) / len(list_filter(…, lambda value_: value_ is not null)) as usual_here_30d
#}
{% macro avg_of(rows, value, where=none) -%}
    (list_sum({{ values_of(rows, value, where) }}) / {{ '' -}}
    len(list_filter({{ values_of(rows, value, where) }}, lambda value_: value_ is not null)))
{%- endmacro %}


{#
    min_of(rows, value, where=none)

    As `sum_of`, the least value.

        {{ min_of('payments_30d', 'row_.amount', where='row_.merchant = merchant') }} as least_here_30d

    renders to  list_min(list_transform(list_filter(…), …)) as least_here_30d
#}
{% macro min_of(rows, value, where=none) -%}
    list_min({{ values_of(rows, value, where) }})
{%- endmacro %}


{#
    max_of(rows, value, where=none)

    As `sum_of`, the greatest value.

        {{ max_of('payments_30d', 'row_.amount', where='row_.merchant = merchant') }} as most_here_30d

    renders to  list_max(list_transform(list_filter(…), …)) as most_here_30d
#}
{% macro max_of(rows, value, where=none) -%}
    list_max({{ values_of(rows, value, where) }})
{%- endmacro %}


{#
    filtered_rows(rows, where=none)

    The rows that meet a condition over `row_`; all where none is given. The other macros are written with it.

        {{ filtered_rows('payments_30d', 'row_.merchant = merchant') }}

    renders to  list_filter(payments_30d, lambda row_: row_.merchant = merchant)
#}
{% macro filtered_rows(rows, where=none) -%}
    {{ rows if where is none else 'list_filter(' ~ rows ~ ', lambda row_: ' ~ where ~ ')' }}
{%- endmacro %}


{#
    values_of(rows, value, where=none)

    A value of each of the rows that meet a condition: a list. What `sum_of` and its like do not say is said over it.

        list_contains({{ values_of('payments_30d', 'row_.merchant') }}, merchant) as known_merchant

    renders to  list_contains(list_transform(payments_30d, lambda row_: row_.merchant), merchant) as known_merchant
#}
{% macro values_of(rows, value, where=none) -%}
    list_transform({{ filtered_rows(rows, where) }}, lambda row_: {{ value }})
{%- endmacro %}
