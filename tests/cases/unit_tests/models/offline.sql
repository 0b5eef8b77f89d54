{{ config(entity='user', event_time='ordered_at', online=false) }}
select user_id, ordered_at, amount as at_training from {{ source('raw', 'orders') }}
