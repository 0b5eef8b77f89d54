select user_id, ts, cast(round(amount * 100) as bigint) as cents
from {{ source('raw', 'transactions') }}
