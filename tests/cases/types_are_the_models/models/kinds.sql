{{ config(entity='user', event_time='ts') }}

select
    user_id,
    ts,
    cast(7 as integer) as small,
    cast(9007199254740993 as bigint) as big,
    cast(0.1 as double) as ratio,
    cast(12.50 as decimal(10, 2)) as price,
    'text' as word,
    '' as nothing,
    true as flag,
    date '2024-02-29' as day,
    timestamp '2024-02-29 12:34:56.000001' as moment,
    timestamptz '2024-02-29 12:34:56+00' as instant,
    [1, null, 3] as numbers
from {{ source('raw', 'events') }}
