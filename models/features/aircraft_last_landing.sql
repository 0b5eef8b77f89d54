-- The aircraft's last landing after a flight from New York: the event is the landing, so it is known when it happens.
{{ config(entity='aircraft', event_time='landed_at', ttl='7 days', owner='flight-ops', tags=['delay']) }}

select
    tailnum,
    landed_at,
    landed_at as aircraft_last_landed_at,
    dest as aircraft_last_dest,
    arr_delay as aircraft_last_arr_delay,
    air_time as aircraft_last_air_time,
    count(*) over {{ last('24 hours') }} as aircraft_landings_24h,
    avg(arr_delay) over {{ last('7 days') }} as aircraft_avg_arr_delay_7d
from {{ ref('flight_times') }}
