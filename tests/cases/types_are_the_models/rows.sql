create table events (user_id bigint, ts timestamp);
insert into events values (1, '2024-01-01');
