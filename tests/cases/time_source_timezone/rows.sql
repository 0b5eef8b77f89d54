create table readings (user_id bigint, local_time timestamp, reading integer);
insert into readings values (1, '2024-07-01 12:00:00', 1), (1, '2024-12-01 12:00:00', 2);
