{{ config(entity='user', event_time='bought_at') }}

select
    user_id,
    bought_at,
    avg(amount) over {{ last('7 days') }} as avg_amount_7d,
    count(*) over {{ last('7 days') }} as purchases_7d
from {{ source('raw', 'transactions') }}
