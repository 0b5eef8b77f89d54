{{ config(entity='user', event_time='ts', online=false) }}

select
    user_id,
    ts,
    amount as offline_amount
from {{ source('raw', 'balances') }}
