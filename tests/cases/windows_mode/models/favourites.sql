{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    mode(page) over {{ last('3 hours') }} as page,
    mode(seconds) filter (where page <> 'cart') over {{ last('3 hours') }} as seconds
from {{ source('raw', 'visits') }}
