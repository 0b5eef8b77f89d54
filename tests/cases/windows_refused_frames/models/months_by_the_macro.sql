{{ config(entity='user', event_time='bought_at') }}

select
    user_id,
    bought_at,
    sum(amount) over {{ last('1 month') }} as f
from {{ source('raw', 'purchases') }}
