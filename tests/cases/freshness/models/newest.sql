{{ config(entity='user', event_time='ordered_at', known_at='loaded_at') }}
select user_id, ordered_at, loaded_at, user_id + 1 as f from {{ source('raw', 'orders') }}
