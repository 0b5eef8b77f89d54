{{ config(entity='user', event_time='ordered_at', ttl='30 days') }}
select user_id, ordered_at, amount, count(*) over {{ last('7 days') }} as n from {{ source('raw', 'orders') }}
