create table balances as
select i as user_id, timestamp '2024-01-01 10:00:00' as ts, (i * 10)::integer as amount from range(40) as r(i);
