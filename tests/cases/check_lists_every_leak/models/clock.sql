{{ config(entity='user', event_time='ordered_at') }}

select user_id, ordered_at, date_diff('day', ordered_at, now()::timestamp) as days_ago, random() as chance
from {{ source('raw', 'orders') }}
