create table orders as select 1 as user_id, timestamp '2024-01-02' as ordered_at, 5.0::double as amount, timestamp '2024-01-03' as loaded_at;
create table users as select 1 as user_id, 'Porto' as city;
