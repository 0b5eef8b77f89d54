create table purchases (user_id bigint, ts timestamp, confirmed_at timestamp, amount integer);
insert into purchases values
    (1, '2024-01-01 09:30:00', '2024-01-01 09:30:00', 1),
    (1, '2024-01-01 10:00:00', '2024-01-01 11:30:00', 2),
    (1, '2024-01-01 11:00:00', null, 4);
