-- Orders with their types: money is exact.
select
    order_id,
    customer_id,
    ordered_at,
    settled_at,
    returned,
    items,
    cast(amount as decimal(10, 2)) as amount
from {{ source('shop', 'orders') }}
