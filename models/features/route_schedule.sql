-- How long the route's flights are scheduled to take. A schedule is known before the flight, so no known_at.
{{ config(entity='route', event_time='scheduled_departure', owner='flight-ops', tags=['schedule']) }}

select
    origin,
    dest,
    scheduled_departure,
    avg(date_diff('minute', scheduled_departure, due_at)) over {{ last('30 days') }} as route_avg_scheduled_minutes_30d
from {{ ref('flight_times') }}
