-- The training examples: every settled order at the moment it was placed, and what became of it.
select
    order_id,
    customer_id,
    ordered_at as event_timestamp,
    returned  -- the label
from {{ ref('stg_orders') }}
where settled_at is not null
order by event_timestamp, order_id
