{{ config(entity='person', event_time='ts') }}

select name, ts, note from {{ source('raw', 'notes') }}
