{{ config(entity='user', event_time='local_time', ttl='1 day') }}

select user_id, local_time, reading from {{ source('raw', 'readings') }}
