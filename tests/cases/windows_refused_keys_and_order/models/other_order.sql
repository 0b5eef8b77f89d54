{{ config(entity='user', event_time='bought_at') }}

select
    user_id,
    bought_at,
    sum(amount) over (partition by user_id order by seen_at range between interval '1 day' preceding and current row) as f
from (select *, bought_at as seen_at from {{ source('raw', 'purchases') }})
