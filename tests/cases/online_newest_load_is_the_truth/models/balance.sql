{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    amount
from {{ source('raw', 'balances') }}
