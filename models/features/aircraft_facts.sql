-- What the registry says of the aircraft. Facts that do not change: known since before the first flight, no ttl.
-- Their own date, the year of manufacture, would not do: it is missing for 70 aircraft, and a row without an event
-- time is never visible.
{{ config(entity='aircraft', event_time='known_since', owner='fleet', tags=['static']) }}

select
    tailnum,
    timestamp '2013-01-01 00:00:00' as known_since,
    manufacturer,
    model,
    engines,
    seats,
    year as year_built
from {{ source('nyc', 'planes') }}
