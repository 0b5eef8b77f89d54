{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    (list(page) over {{ last('3 hours') }})[-2:] as last_two,
    (list(page) filter (where seconds > 1) over {{ last('3 hours') }})[1:2] as first_two,
    {{ top_k('page', 2, '3 hours') }} as top_two
from {{ source('raw', 'visits') }}
