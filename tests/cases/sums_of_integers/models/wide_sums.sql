{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    sum(cents) over {{ last('3 hours') }} as wide_total,
    cast(sum(cents) over {{ last('3 hours') }} as decimal(38, 0)) as cast_total,
    cents::hugeint as huge
from {{ source('raw', 'payments') }}
