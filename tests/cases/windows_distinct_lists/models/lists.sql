{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    list(distinct page) over {{ last('3 hours') }} as pages,
    list(distinct seconds) filter (where page <> 'shop') over {{ last('3 hours') }} as lengths
from {{ source('raw', 'visits') }}
