{{ config(inputs={'price': 'double'}) }}
select price / amount::double as ratio, date_diff('hour', newest_at, asked_at) as hours
from {{ request('newest') }}
