{{ config(entity='user', event_time='ordered_at') }}

select
    user_id,
    ordered_at,
    lag(amount) over (partition by user_id order by ordered_at) as previous,
    amount / max(amount) over (partition by user_id, ordered_at) as share_of_order,
    avg(amount) over {{ last('30 days') }} as avg_amount_30d
from {{ source('raw', 'orders') }}
