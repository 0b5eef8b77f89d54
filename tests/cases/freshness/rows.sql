create table orders as select i as user_id, timezone('UTC', now()) - interval 3 hours - interval 5 minutes - i * interval 1 day as ordered_at, timezone('UTC', now()) - interval 2 hours - interval 5 minutes - i * interval 1 day as loaded_at from range(3) r(i);
create table late as select 1 as user_id, timezone('UTC', now()) - interval 1 hour as ordered_at, timezone('UTC', now()) + interval 1 hour as loaded_at union all select 1, timezone('UTC', now()) - interval 50 hours, timezone('UTC', now()) - interval 49 hours;
create table nobody as select * from orders where false;
