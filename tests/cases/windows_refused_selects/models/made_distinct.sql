{{ config(entity='user', event_time='bought_at') }}

select distinct
    user_id,
    bought_at,
    sum(amount) over {{ last('1 day') }} as f
from {{ source('raw', 'purchases') }}
