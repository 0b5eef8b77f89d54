{{ config(entity='user', event_time='ts') }}

select user_id, ts, count(*) over {{ last('24 hours') }} as n_24h from {{ source('raw', 'events') }}
