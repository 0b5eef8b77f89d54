create table events (user_id bigint, ts timestamp);
insert into events values (1, '2024-03-09 23:00:00'), (1, '2024-03-10 23:00:00');
