{{ config(entity='user', event_time='ts') }}

select user_id, ts, first, second from {{ source('raw', 'ties') }}
