-- A data test is a query whose rows are failures.
select order_id, ordered_at, settled_at
from {{ ref('stg_orders') }}
where settled_at < ordered_at
