create table readings (user_id bigint, local_time timestamp, reading integer);
insert into readings values (1, '2024-03-09 12:00:00', 5);
