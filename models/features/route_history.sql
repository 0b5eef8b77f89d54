-- The last flight of the route, any carrier's, by scheduled departure. Its delays are known once it has landed:
-- without known_at a flight would see its own.
{{ config(entity='route', event_time='scheduled_departure', known_at='landed_at', ttl='7 days',
          owner='flight-ops', tags=['delay']) }}

select
    origin,
    dest,
    scheduled_departure,
    landed_at,
    carrier as route_last_carrier,
    dep_delay as route_last_dep_delay,
    arr_delay as route_last_arr_delay,
    air_time as route_last_air_time,
    count(*) over {{ last('24 hours') }} as route_flights_24h,
    avg(arr_delay) over {{ last('7 days') }} as route_avg_arr_delay_7d,
    {{ share('arr_delay > 15', '7 days') }} as route_late_share_7d,
    {{ distinct_count('carrier', '7 days') }} as route_carriers_7d
from {{ ref('flight_times') }}
