create table balances (user_id bigint, ts timestamp, made_at timestamp, amount integer);
insert into balances values
    (1, '2024-01-01 10:00:00', '2030-01-01 00:00:00', 1),
    (1, '2024-01-01 11:00:00', '2024-01-01 11:00:01', 3),
    (1, '2024-01-01 11:00:00', '2024-01-01 11:00:00', 9),
    (1, '2024-01-01 11:00:00', null, 10);
