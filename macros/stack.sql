{#
    stack()

    The rows of several relations, one under the other. Its arguments are names of CTEs, ref() or source(). Columns
    meet by name; one that a relation does not have is NULL in its rows. The column `source` has the relation's name.

        from {{ stack('payments', 'disputes') }}

    renders to

        from (select *, 'payments' as source from payments
              union all by name select *, 'disputes' as source from disputes)
#}
{% macro stack() -%}
    {%- if varargs | length < 2 or kwargs -%}
        {{ raise("stack() takes the names of two relations or more: stack('payments', 'disputes')") }}
    {%- endif -%}
    (
    {%- for relation in varargs -%}
        {%- set relation = relation | string -%}
        {%- set sql = relation if relation.startswith('"') else identifier(relation) -%}
        {%- set name = relation[1:-1].replace('""', '"') if relation.startswith('"') else relation -%}
        {{ ' union all by name ' if not loop.first }}select *, '{{ name.replace("'", "''") }}' as source from {{ sql }}
    {%- endfor -%}
    )
{%- endmacro %}
