{{ config(entity='user', event_time='local_time') }}

select user_id, local_time, reading from {{ source('raw', 'readings') }}
