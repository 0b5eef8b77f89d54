{{ config(entity='user', event_time='ordered_at', maturity='7 days') }}

select user_id, ordered_at, amount from {{ source('raw', 'orders') }}
