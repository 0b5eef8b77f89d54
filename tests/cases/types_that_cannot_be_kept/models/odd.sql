{{ config(entity='user', event_time='ts') }}

select user_id, ts, interval '1 month' as period from {{ source('raw', 'balances') }}
