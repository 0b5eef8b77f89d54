{{ config(entity='user', event_time='ts', ttl=0) }}

select
    user_id,
    ts,
    amount
from {{ source('raw', 'balances') }}
