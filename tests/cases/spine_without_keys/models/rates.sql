{{ config(entity=[], event_time='ts') }}

select ts, rate from {{ source('raw', 'rates') }}
