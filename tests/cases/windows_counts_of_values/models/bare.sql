{{ config(entity='user', event_time='ts') }}

select user_id, ts, histogram(page) over {{ last('3 hours') }} as pages
from {{ source('raw', 'visits') }}
