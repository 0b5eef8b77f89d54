{{ config(entity='user', event_time='ordered_at') }}

select user_id, ordered_at, amount as newest_amount
from {{ source('raw', 'orders') }}
qualify row_number() over (partition by user_id order by ordered_at desc) = 1
