{{ config(entity='user', event_time='ts', known_at='confirmed_at', ttl='1 hour') }}

select
    user_id,
    ts,
    confirmed_at,
    amount as last_amount,
    sum(amount) over {{ last('3 hours') }} as amount_3h
from {{ source('raw', 'purchases') }}
