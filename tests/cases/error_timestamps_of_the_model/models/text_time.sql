{{ config(entity='user', event_time='ts') }}

select
    user_id,
    'noon' as ts,
    amount
from {{ source('raw', 'balances') }}
