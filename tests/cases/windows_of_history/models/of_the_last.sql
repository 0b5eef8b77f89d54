{{ config(entity='user', event_time='ts') }}

with at_each as (
    select *, count(*) over {{ last('1 hour') }} as in_hour from {{ source('raw', 'visits') }}
)

select user_id, ts, in_hour, max(in_hour) over {{ last('7 days') }} as busiest_hour_7d from at_each
