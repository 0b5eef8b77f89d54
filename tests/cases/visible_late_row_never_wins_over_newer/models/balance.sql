{{ config(entity='user', event_time='ts', known_at='seen_at') }}

select user_id, ts, seen_at, amount from {{ source('raw', 'balances') }}
