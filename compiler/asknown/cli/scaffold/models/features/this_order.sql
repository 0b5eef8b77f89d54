-- This order beside the customer's last one. It is computed at the moment of asking, in training as in serving: the
-- spine, or the request, brings `amount`.
{{ config(inputs={'amount': 'double'}) }}

select
    {{ days_since('ordered_at') }} as days_since_last_order,
    amount / nullif(last_amount, 0) as amount_against_last
from {{ request('customer_orders', 'customer_orders:ordered_at') }}
