{{ config(entity='user', event_time='bought_at') }}

with spending as (
    select user_id, bought_at, sum(amount) over {{ last('1 day') }} as f
    from {{ source('raw', 'purchases') }}
)
select * from spending
