{{ config(entity='user', event_time='ordered_at') }}

select user_id, ordered_at, amount from {{ source('raw', 'orders') }}
