{{ config(entity='user', event_time='ts') }}

select
    ts,
    amount
from {{ source('raw', 'balances') }}
