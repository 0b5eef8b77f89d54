{% macro deeper(column) %}
  {{ deeper(column) }}
{% endmacro %}
