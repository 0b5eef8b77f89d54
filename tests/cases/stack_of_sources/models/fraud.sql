{{ config(entity='item', event_time='ts', known_at='known_at') }}

with paid as (
    select item_id, ts, ts as known_at, amount from {{ source('raw', 'txns') }}
),

reported as (
    select item_id, ts, reported_at as known_at, reason from {{ source('raw', 'reports') }}
)

select
    item_id,
    ts,
    known_at,
    count(*) filter (where source = 'reported') over {{ last('7 days') }} as reports_7d,
    count(*) filter (where source = 'paid') over {{ last('7 days') }} as payments_7d,
    sum(amount) over {{ last('7 days') }} as amount_7d,
    last(reason) over {{ last('ever') }} as last_reason,
    reason as newest_reason,
    source as newest_row
from {{ stack('paid', 'reported') }}
