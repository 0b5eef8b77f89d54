{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    avg(x) over {{ last('1 hour') }} as x_1h,
    avg(y) over {{ last('2 hours') }} as y_2h
from {{ source('raw', 'events') }}
