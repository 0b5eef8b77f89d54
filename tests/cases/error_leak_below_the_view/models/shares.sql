{{ config(entity='user', event_time='ordered_at') }}

select user_id, ordered_at, amount / total as share from {{ ref('totals') }}
