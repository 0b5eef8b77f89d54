{{ config(entity='clicker', event_time='ts') }}

select
    clicker_id, ts,
    {{ trailing('price', ['sum', 'avg', 'count', 'max'], ['1 hour', '1 day', '7 days', '30 days']) }}
from {{ source('raw', 'clicks') }}
