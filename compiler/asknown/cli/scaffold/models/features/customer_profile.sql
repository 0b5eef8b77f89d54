-- Where the customer lives and what they pay for, as it was at the time. It holds until it changes: no ttl.
{{ config(entity='customer', event_time='changed_at') }}

select
    customer_id,
    changed_at,
    city,
    plan
from {{ source('shop', 'customers') }}
