-- The training examples: every flight of 2013 at its scheduled departure, and what became of it.
select
    carrier,
    flight,
    tailnum,
    origin,
    dest,
    scheduled_departure as event_timestamp,
    arr_delay > 15 as arrived_late  -- the label: NULL when it never landed
from {{ ref('flight_times') }}
order by event_timestamp, carrier, flight, origin
