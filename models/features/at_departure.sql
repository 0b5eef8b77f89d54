-- What only the moment of asking tells: how long the aircraft has stood, and how the request's own schedule and the
-- newest weather compare with what is usual. The request brings when the flight is due.
{{ config(inputs={'due_at': 'timestamp'}, owner='flight-ops', tags=['on-demand']) }}

select
    {{ hours_since('landed_at') }} as hours_since_landing,
    date_diff('minute', asked_at, due_at) as scheduled_minutes,
    {{ ratio_to('scheduled_minutes', 'route_avg_scheduled_minutes_30d') }} as scheduled_against_route,
    wind_gust > max_wind_24h as gusts_above_days_wind
from {{ request(
    'aircraft_last_landing:landed_at', 'route_schedule', 'origin_weather:wind_gust', 'origin_weather:max_wind_24h') }}
