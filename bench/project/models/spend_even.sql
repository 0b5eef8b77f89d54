{{ config(entity='user', event_time='ts') }}

select
    user_id, ts,
    {{ trailing('amount', ['sum', 'avg', 'count', 'max'], ['1 day', '7 days', '30 days']) }}
from {{ source('raw', 'transactions_even') }}
