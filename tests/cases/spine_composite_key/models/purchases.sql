{{ config(entity=['user', 'item'], event_time='ts') }}

select user_id, item_id, ts, price from {{ source('raw', 'purchases') }}
