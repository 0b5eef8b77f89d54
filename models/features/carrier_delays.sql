-- What the carrier's last landing says. A flight takes its place in time when it is due, and its delay is known when
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
    distance as last_distance
from {{ ref('flight_times') }}
