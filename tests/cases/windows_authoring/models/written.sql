{{ config(entity='user', event_time='bought_at') }}

select
    user_id,
    bought_at,
    amount,
    sum(amount) over {{ last('2 hours') }} as with_the_macro,
    {{ trailing('amount', ['sum', 'max'], ['1 hour', '3 hours'], where='not refunded') }},
    sum(amount) over (
        partition by user_id order by bought_at
        range between interval '2 hours' preceding and current row
    ) as in_plain_sql,
    sum(amount) over w as with_a_name,
    avg(amount) over (rows_of_user range between interval 3 hours preceding and interval 1 hour preceding) as on_a_name,
    count(distinct shop) over {{ last('2 hours') }} as shops,
    count(*) filter (where refunded) over w / nullif(count(*) over w, 0) as refunded_share,
    coalesce(sum(amount) over w, 0) as or_nothing,
    case when count(*) over w > 1 then 'often' else 'seldom' end as how_often,
    amount - avg(amount) over {{ last('3 hours') }} as above_average
from {{ source('raw', 'purchases') }}
window
    rows_of_user as (partition by user_id order by bought_at),
    w as (rows_of_user range interval '2 hours' preceding)
