-- Hourly weather with its instants in UTC.
select
    origin,
    temp,
    dewp,
    humid,
    -- Newark reports 1,048 miles an hour on February 12; the next strongest wind of the year is below 43
    case when wind_speed < 200 then wind_speed end as wind_speed,
    wind_gust,
    precip,
    pressure,
    visib,
    timezone('UTC', time_hour) as hour_at,
    -- A row sums up the hour that starts at hour_at: its readings are taken up to minute 51, its rain is the hour's.
    -- At the start of the hour nobody knows it; at the end, everybody.
    timezone('UTC', time_hour) + interval '1 hour' as complete_at
from {{ source('nyc', 'weather') }}
