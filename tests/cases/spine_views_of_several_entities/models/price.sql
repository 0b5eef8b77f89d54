{{ config(entity='item', event_time='ts') }}

select item_id, ts, price, rank from {{ source('raw', 'prices') }}
