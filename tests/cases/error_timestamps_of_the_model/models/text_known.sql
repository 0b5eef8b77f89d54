{{ config(entity='user', event_time='ts', known_at='seen') }}

select
    user_id,
    ts,
    'noon' as seen,
    amount
from {{ source('raw', 'balances') }}
