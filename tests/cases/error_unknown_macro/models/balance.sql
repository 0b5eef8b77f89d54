{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    {{ in_cent('amount') }} as amount
from {{ source('raw', 'balances') }}
