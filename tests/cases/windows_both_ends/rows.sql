create table events (user_id bigint, ts timestamp, x varchar);
insert into events values (1, '2024-01-01 10:00:00', 'older'), (1, '2024-01-01 12:00:00', 'newer');
