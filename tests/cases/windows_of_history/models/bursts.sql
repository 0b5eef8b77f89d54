{{ config(entity='user', event_time='ts') }}

with at_each as (
    select
        *,
        count(*) over {{ last('1 hour') }} as in_hour,
        page = 'pay' and count(case when page = 'cart' then 1 end) over {{ last('1 hour') }} > 0 as paid_cart,
        cast(sum(cents) over {{ last('1 day') }} as bigint) as spent
    from {{ source('raw', 'visits') }}
)

select
    user_id,
    ts,
    max(in_hour) over {{ last('7 days') }} as busiest_hour_7d,
    count(*) filter (where paid_cart) over {{ last('7 days') }} as paid_carts_7d,
    max(spent) over {{ last('7 days') }} as most_spent_7d
from at_each
