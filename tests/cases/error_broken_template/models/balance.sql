{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    {% if true %}
    amount
from {{ source('raw', 'balances') }}
