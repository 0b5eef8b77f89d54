{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    max(amount) over (partition by user_id order by ts range between current row and interval '1 day' following) as peak
from {{ source('raw', 'balances') }}
