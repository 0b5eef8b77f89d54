{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    count(*) over {{ last('1 hour') }} as visits_1h,
    max(pages) over {{ last('1 day') }} as pages_1d
from {{ source('raw', 'visits') }}
