{# The amounts as whole cents: what spend costs where nothing has to be rounded but averages. #}
{{ config(entity='user', event_time='ts') }}

select
    user_id, ts,
    {{ trailing('cents', ['sum', 'avg', 'count', 'max'], ['1 day', '7 days', '30 days']) }}
from {{ ref('payments_in_cents') }}
