-- The last complete hour of weather at the airport. It is one to two hours old when all is well; three hours of ttl
-- bear one missing hour.
{{ config(entity='origin', event_time='hour_at', known_at='complete_at', ttl='3 hours',
          owner='flight-ops', tags=['weather']) }}

select
    origin,
    hour_at,
    complete_at,
    temp,
    dewp,
    humid,
    wind_speed,
    wind_gust,
    precip,
    pressure,
    visib,
    sum(precip) over {{ last('24 hours') }} as precip_24h,
    max(wind_speed) over {{ last('24 hours') }} as max_wind_24h
from {{ ref('weather_hours') }}
