{{ config(entity='user', event_time='ts', created_at='made_at') }}

select user_id, ts, made_at, amount from {{ source('raw', 'balances') }}
