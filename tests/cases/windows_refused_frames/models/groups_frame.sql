{{ config(entity='user', event_time='bought_at') }}

select
    user_id,
    bought_at,
    sum(amount) over (partition by user_id order by bought_at groups between 3 preceding and current row) as f
from {{ source('raw', 'purchases') }}
