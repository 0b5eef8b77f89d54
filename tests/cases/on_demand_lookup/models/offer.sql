{{ config(inputs={'offered': 'bigint'}) }}

select
    orders_7d as orders_of_last_item,
    offered_orders_7d as orders_of_offered,
    their_last_price - last_price as price_difference
from {{ request(
    'users',
    lookup('items', item_id='last_item'),
    lookup('items:orders_7d', item_id='offered', prefix='offered_'),
    lookup('users:last_price', user_id='last_user', prefix='their_'),
) }}
