{{ config(entity='item', event_time='ts', ttl='30 days') }}

select item_id, ts, user_id as last_user, count(*) over {{ last('7 days') }} as orders_7d from {{ source('raw', 'orders') }}
