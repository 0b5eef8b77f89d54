{{ config(entity='user', event_time='ts') }}

select user_id, ts, value, note from {{ source('raw', 'zeros') }}
