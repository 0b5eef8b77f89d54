{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    sum(amount) over {{ last('24 hours') }} as amount_24h
from {{ source('raw', 'balances') }}
