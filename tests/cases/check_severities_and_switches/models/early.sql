{{ config(entity='user', event_time='ordered_at', ttl='30 days') }}

select o.user_id, o.ordered_at, o.amount, u.city
from {{ source('raw', 'orders') }} as o
join {{ source('raw', 'users') }} as u on u.user_id = o.user_id
