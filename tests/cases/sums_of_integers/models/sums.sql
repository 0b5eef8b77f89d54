{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    sum(cents) over {{ last('3 hours') }} as total,
    sum(late) over {{ last('3 hours') }} as late_payments,
    coalesce(sum(cents) over {{ last('3 hours') }}, 0) - coalesce(sum(cents) over {{ last('1 hour') }}, 0) as before
from {{ source('raw', 'payments') }}
