create table balances (user_id bigint, ts timestamp, seen_at timestamp, amount integer);
insert into balances values
    (1, '2024-01-01 10:00:00', '2024-01-01 10:00:00', 10),
    (1, '2024-01-01 11:00:00', '2024-01-01 12:00:00', 20),
    (2, '2024-01-01 11:00:00', '2024-01-01 09:00:00', 30),
    (3, '2024-01-01 10:00:00', null, 40);
