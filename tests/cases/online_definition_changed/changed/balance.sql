{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    amount * 100 as amount_in_cents
from {{ source('raw', 'balances') }}
