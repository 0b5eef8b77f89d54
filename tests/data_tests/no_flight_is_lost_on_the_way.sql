-- flight_times has every flight of the source once: the join to the time zones neither drops nor repeats any.
select *
from (
    select
        (select count(*) from {{ source('nyc', 'flights') }}) as flights,
        (select count(*) from {{ ref('flight_times') }}) as with_instants
) as counts
where flights != with_instants
