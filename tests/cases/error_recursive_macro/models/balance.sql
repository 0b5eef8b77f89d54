{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    {{ deeper('amount') }} as amount
from {{ source('raw', 'balances') }}
