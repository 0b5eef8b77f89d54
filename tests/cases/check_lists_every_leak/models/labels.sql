select user_id, lead(amount) over (partition by user_id order by ordered_at) as label
from {{ source('raw', 'orders') }}
