{{ config(entity='user', event_time='ordered_at') }}

with sizes as (
    select user_id, size / sum(size) over () as share from {{ source('raw', 'shops') }}
)

select o.user_id, o.ordered_at, sizes.share
from {{ source('raw', 'orders') }} as o
join sizes using (user_id)
