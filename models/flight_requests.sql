-- The training examples of flight_delay_v2: those of flights_spine, with what a request would bring beside the keys.
select
    carrier,
    flight,
    tailnum,
    origin,
    dest,
    scheduled_departure as event_timestamp,
    due_at,  -- an input of at_departure
    arr_delay > 15 as arrived_late  -- the label: NULL when it never landed
from {{ ref('flight_times') }}
order by event_timestamp, carrier, flight, origin
