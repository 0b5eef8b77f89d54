{{ config(entity='user', event_time='ts', known_at='known', max_ahead='60 days') }}

select
    user_id,
    ts,
    known,
    amount,
    sum(amount) over {{ last('30 days') }} as total
from {{ source('raw', 'discounts') }}
