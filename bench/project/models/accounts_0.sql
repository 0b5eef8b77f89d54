{{ config(entity='account', event_time='updated_at', ttl='30 days') }}

select * from {{ source('raw', 'accounts_0') }}
