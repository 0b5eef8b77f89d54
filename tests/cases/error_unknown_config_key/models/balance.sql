{{ config(entity='user', event_tme='ts') }}

select
    user_id,
    ts,
    amount
from {{ source('raw', 'balances') }}
