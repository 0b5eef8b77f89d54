{{ config(entity='merchant', event_time='event_time', ttl='2 days') }}

select * from {{ source('raw', 'wide') }}
