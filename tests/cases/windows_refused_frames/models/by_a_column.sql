{{ config(entity='user', event_time='bought_at') }}

select
    user_id,
    bought_at,
    sum(amount) over (partition by user_id order by bought_at range between to_hours(1 + user_id::int) preceding and current row) as f
from {{ source('raw', 'purchases') }}
