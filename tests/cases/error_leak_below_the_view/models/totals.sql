select
    *,
    sum(amount) over (partition by user_id) as total
from {{ source('raw', 'orders') }}
