create table balances (user_id bigint, ts timestamp, seen_at timestamp, amount integer);
insert into balances values
    (1, '2024-01-01 10:00:00', '2024-01-01 13:00:00', 1),
    (1, '2024-01-01 11:00:00', '2024-01-01 11:00:00', 2);
