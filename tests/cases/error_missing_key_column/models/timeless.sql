{{ config(entity='user', event_time='ts') }}

select
    user_id,
    amount
from {{ source('raw', 'balances') }}
