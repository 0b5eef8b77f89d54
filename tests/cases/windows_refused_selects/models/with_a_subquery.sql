{{ config(entity='user', event_time='bought_at') }}

select
    user_id,
    bought_at,
    sum(amount) over {{ last('1 day') }} + (select max(amount) from {{ source('raw', 'purchases') }}) as f
from {{ source('raw', 'purchases') }}
