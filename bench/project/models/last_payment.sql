{{ config(entity='user', event_time='ts', created_at='known_at', ttl='7 days') }}

select user_id, ts, known_at, merchant_id as paid_to, amount, units
from {{ source('raw', 'transactions') }}
