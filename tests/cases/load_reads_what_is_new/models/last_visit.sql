{{ config(entity='user', event_time='ts') }}
select user_id, ts, page, count(*) over {{ last('2 days') }} as visits_2d
from {{ source('web', 'visits') }}
