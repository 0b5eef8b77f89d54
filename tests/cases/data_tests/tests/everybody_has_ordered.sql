select user_id from {{ source('raw', 'users') }} where user_id not in (select user_id from {{ source('raw', 'orders') }} where user_id is not null)
