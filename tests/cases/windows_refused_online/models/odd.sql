{{ config(entity='user', event_time='bought_at') }}

select
    user_id,
    bought_at,
    md5(cast(count(*) over {{ last('1 day') }} as varchar)) as f
from {{ source('raw', 'purchases') }}
