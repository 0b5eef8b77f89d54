{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    map_entries(histogram(page) over {{ last('3 hours') }}) as pages,
    round(entropy(page) over {{ last('3 hours') }}, 6) as variety
from {{ source('raw', 'visits') }}
