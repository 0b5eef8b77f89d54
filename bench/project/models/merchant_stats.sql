{{ config(entity='merchant', event_time='event_time', created_at='created', ttl='1 day') }}

select merchant_id, event_time, created, rating, orders, revenue, refund_rate, is_open
from {{ source('raw', 'merchant_stats') }}
