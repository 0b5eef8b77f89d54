{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    amount,
    amount * 2 as doubled
from {{ source('raw', 'balances') }}
