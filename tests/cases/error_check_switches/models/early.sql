{{ config(entity='user', event_time='ordered_at', known_at='loaded_at', ttl='30 days') }}

-- check: off fan-out
-- check: off clock: it is only the date
-- check: off fanout: a typing mistake
-- check: off star-in-view: there is none
-- check: on float-order: no such word
select user_id, ordered_at, loaded_at, amount  {# check: off float-equal: there is none either #}
from {{ source('raw', 'orders') }}
