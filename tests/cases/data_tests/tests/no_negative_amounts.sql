select * from {{ ref('big') }} where amount < 0;
