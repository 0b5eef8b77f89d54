-- What the carrier's last landing says, and its landings of the last hour, day and week. A flight takes its place in time when it is due, and its delay is known when
-- it has landed: late flights are the ones still in the air, and reading their delays early is the leak of this data.
{{ config(entity='carrier', event_time='due_at', known_at='landed_at', ttl='3 days',
          owner='flight-ops', tags=['delay']) }}

select
    carrier,
    due_at,
    landed_at,  -- NULL for a flight that never landed here: it is never visible
    arr_delay as last_arr_delay,
    dep_delay as last_dep_delay,
    dep_delay - arr_delay as last_minutes_made_up,
    arr_delay > 15 as last_arrived_late,
    distance as last_distance,
    count(*) over {{ last('1 hour') }} as landings_1h,
    {{ trailing('arr_delay', ['avg', 'max'], ['1 hour', '24 hours']) }},
    {{ share('arr_delay > 15', '24 hours') }} as late_share_24h,
    count(*) filter (where arr_delay > 15) over {{ last('7 days') }} as late_flights_7d,
    {{ change('avg', 'arr_delay', '24 hours', '7 days') }} as arr_delay_change
from {{ ref('flight_times') }}
