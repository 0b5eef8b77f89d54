{{ config(entity='user', event_time='ordered_at') }}

select
    user_id,
    ordered_at,
    lead(amount) over (partition by user_id order by ordered_at) as next_amount,
    amount / sum(amount) over (partition by user_id) as share_of_all
from {{ source('raw', 'orders') }}
