{{ config(entity='user', event_time='ordered_at', known_at='paid_at') }}

with earlier as (
    select *, lag(amount) over (partition by user_id order by ordered_at) as previous
    from {{ source('raw', 'orders') }}
)

select user_id, ordered_at, paid_at, previous
from earlier
