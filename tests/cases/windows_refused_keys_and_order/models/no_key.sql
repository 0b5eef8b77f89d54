{{ config(entity='user', event_time='bought_at') }}

select
    user_id,
    bought_at,
    sum(amount) over (order by bought_at range between interval '1 day' preceding and current row) as f
from {{ source('raw', 'purchases') }}
