{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    amount,
    amount * 2 as "Amount"
from {{ source('raw', 'balances') }}
