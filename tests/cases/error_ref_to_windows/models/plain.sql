select max(total) as most from {{ ref('windows') }}
