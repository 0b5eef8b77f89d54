{{ config(entity='user', event_time='ts', known_at='known_at') }}

select
    user_id, ts, known_at,
    {{ trailing('amount', ['sum', 'avg', 'count', 'max'], ['1 day', '7 days', '30 days']) }}
from {{ source('raw', 'transactions') }}
