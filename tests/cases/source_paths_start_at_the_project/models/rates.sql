{{ config(entity='thing', event_time='day') }}
select id, day, rate from {{ source('raw', 'rates') }}
