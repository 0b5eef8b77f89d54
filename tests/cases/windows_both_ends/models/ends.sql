{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    list(x) over {{ last('2 hours') }} as both,
    list(x) over {{ last('2 hours', closed='left') }} as without_the_present,
    list(x) over {{ last('2 hours', closed='right') }} as without_the_far_end,
    list(x) over {{ last('2 hours', delay='1 hour') }} as an_hour_ago
from {{ source('raw', 'events') }}
