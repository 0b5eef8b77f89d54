{{ config(entity='user', event_time='ts') }}

select
    user_id,
    {# a comment #}
    ts,
    amount amount amount
from {{ source('raw', 'balances') }}
