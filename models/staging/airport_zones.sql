-- The time zone of every airport that flights go to.
select faa as airport, tzone as zone
from {{ source('nyc', 'airports') }}

union all

-- Destinations that the airports file lacks. The Caribbean keeps no daylight saving time.
select airport, zone
from (
    values
        ('BQN', 'America/Puerto_Rico'),
        ('PSE', 'America/Puerto_Rico'),
        ('SJU', 'America/Puerto_Rico'),
        ('STT', 'America/St_Thomas')
) as missing (airport, zone)
