{{ config(entity='user', event_time='bought_at') }}

select
    user_id,
    bought_at,
    product(amount) over {{ last('1 day') }} as f
from {{ source('raw', 'purchases') }}
