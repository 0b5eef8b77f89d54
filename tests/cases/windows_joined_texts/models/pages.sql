{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    count_if(seconds > 10) over {{ last('3 hours') }} as long_visits,
    count_if(seconds > 10) filter (where page = 'cart') over {{ last('3 hours') }} as long_carts,
    string_agg(page, ' > ') over {{ last('3 hours') }} as path,
    coalesce(string_agg(page, ',') filter (where seconds is null) over {{ last('1 hour') }}, '-') as unmeasured
from {{ source('raw', 'visits') }}
