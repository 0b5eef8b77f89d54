select user_id, ts, amount from {{ source('raw', 'balances') }} where amount >= 0
