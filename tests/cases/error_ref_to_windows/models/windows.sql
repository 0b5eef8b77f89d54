{{ config(entity='user', event_time='ordered_at') }}

select user_id, ordered_at, sum(amount) over {{ last('30 days') }} as total from {{ source('raw', 'orders') }}
