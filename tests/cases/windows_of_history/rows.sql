create table visits (user_id bigint, ts timestamp, page varchar, cents bigint);
insert into visits values (1, '2024-01-01 10:00:00', 'cart', 30), (1, '2024-01-01 10:40:00', 'pay', 5), (1, '2024-01-01 11:00:00', 'cart', null), (1, '2024-01-01 11:00:00', 'pay', 30), (1, '2024-01-01 13:00:00', 'pay', 7), (2, '2024-01-02 10:00:00', 'pay', 9);
