{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    amuont
from {{ source('raw', 'balances') }}
