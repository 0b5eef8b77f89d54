{{ config(entity='user', event_time='ts') }}

select user_id, ts, max(count(*) over {{ last('1 hour') }}) over {{ last('7 days') }} as busiest_hour_7d
from {{ source('raw', 'visits') }}
