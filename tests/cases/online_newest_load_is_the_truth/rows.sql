create table balances (user_id bigint, ts timestamp, amount integer);
insert into balances values
    (1, '2024-01-01 10:00:00', 100),
    (1, '2024-01-01 12:00:00', 250),
    (2, '2024-01-01 11:00:00', null),
    (3, '2024-01-01 09:00:00', 7);
