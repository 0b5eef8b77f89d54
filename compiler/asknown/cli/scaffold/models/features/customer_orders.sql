-- The customer's last order, and whether it came back. An order takes its place in time when it is placed, and how it
-- ended is known when it is settled: before that, no training row may see it.
{{ config(entity='customer', event_time='ordered_at', known_at='settled_at', ttl='120 days') }}

select
    customer_id,
    ordered_at,
    settled_at,
    amount as last_amount,
    items as last_items,
    returned as last_returned
from {{ ref('stg_orders') }}
