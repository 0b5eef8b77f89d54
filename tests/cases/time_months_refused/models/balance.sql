{{ config(entity='user', event_time='ts', ttl='1 month') }}

select
    user_id,
    ts,
    amount
from {{ source('raw', 'balances') }}
