{{ config(entity='user', event_time='ts') }}

select user_id, ts, item_id as last_item, price as last_price from {{ source('raw', 'orders') }}
