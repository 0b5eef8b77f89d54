{{ config(entity='user', event_time='ordered_at') }}

select user_id, ordered_at, amount * 2 as twice from {{ ref('newest') }}
