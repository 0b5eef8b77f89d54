{{ config(entity='user', event_time='ordered_at', known_at='paid_at', ttl='30 days') }}

select
    user_id, ordered_at, paid_at, amount, twice, tags,
    ordered_at as newest_at,
    avg(amount::double) over {{ last('7 days') }} as mean_7d
from {{ ref('paid') }}
