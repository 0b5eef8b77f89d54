create table balances (user_id bigint, ts timestamp, amount integer);
insert into balances values (1, '2024-01-01 10:00:00', 100);
