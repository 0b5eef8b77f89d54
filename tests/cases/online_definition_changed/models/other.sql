{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    amount as other_amount
from {{ source('raw', 'balances') }}
