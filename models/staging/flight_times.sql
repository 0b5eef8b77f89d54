-- Every flight with its instants in UTC: when it should leave and land, when it left and landed.
--
-- Delays are added to scheduled instants, because a clock reading alone is not an instant: 1:14 in Los Angeles came
-- twice on the night of November 3. Clocks and delays tell the same story: the departure's for all 328,521 flights
-- that left, the landing's for all 327,346 that landed, that night's one landing included.
with scheduled as (
    select
        flights.carrier,
        flights.flight,
        flights.tailnum,
        flights.origin,
        flights.dest,
        flights.distance,
        flights.air_time,
        flights.dep_delay,
        flights.arr_delay,
        zones.zone as dest_zone,
        {{ hhmm_minutes('flights.sched_arr_time') }} as due_minutes,
        -- time_hour agrees with year, month, day and hour on New York's clock for every flight
        timezone('UTC', flights.time_hour) + flights.minute * interval '1 minute' as scheduled_departure
    from {{ source('nyc', 'flights') }} as flights
    left join {{ ref('airport_zones') }} as zones on zones.airport = flights.dest
),

there as (
    select
        *,
        timezone(dest_zone, timezone('UTC', scheduled_departure)) as departure_there
    from scheduled
),

that_day as (
    select
        *,
        date_trunc('day', departure_there) + due_minutes * interval '1 minute' as due_that_day
    from there
),

-- Due the first time the destination's clock shows sched_arr_time after the departure. The longest scheduled flight,
-- to Honolulu, takes 11 hours and 40 minutes, so that is the same day there or the next.
due_there as (
    select
        *,
        case
            when due_that_day < departure_there then due_that_day + interval '1 day'
            else due_that_day
        end as due_local
    from that_day
),

due as (
    select
        *,
        {{ to_utc('due_local', 'dest_zone') }} as due_at
    from due_there
)

select
    carrier,
    flight,
    tailnum,
    origin,
    dest,
    distance,
    air_time,
    dep_delay,
    arr_delay,
    scheduled_departure,
    scheduled_departure + dep_delay * interval '1 minute' as departed_at,  -- NULL when cancelled
    due_at,
    due_at + arr_delay * interval '1 minute' as landed_at  -- NULL when cancelled or diverted
from due
