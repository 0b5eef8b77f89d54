{{ config(entity='item', event_time='ts') }}

with reported as (
    select item_id, ts, reason as amount from {{ source('raw', 'reports') }}
)

select item_id, ts, amount
from {{ stack(source('raw', 'txns'), 'reported') }}
