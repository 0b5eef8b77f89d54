{{ config(entity='user', event_time='ts') }}

select
    u as "the user",
    ts,
    1 as "y",
    2 as "rn",
    3 as "event_timestamp",
    4 as "select",
    5 as "with space",
    6 as "quote""inside",
    7 as "it's",
    8 as "ünïcode",
    9 as "bucket",
    10 as "rows",
    11 as "match",
    12 as "t",
    13 as "co:lon"
from {{ source('raw', 'events') }}
