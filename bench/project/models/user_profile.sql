{{ config(entity='user', event_time='changed_at') }}

select user_id, changed_at, country, tier, age, credit_limit, is_verified
from {{ source('raw', 'profiles') }}
