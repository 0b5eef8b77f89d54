{{ config(entity='user', event_time='ts', ttl='2 hours') }}

select
    user_id,
    ts,
    amount
from {{ source('raw', 'balances') }}
