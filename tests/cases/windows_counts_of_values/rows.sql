create table visits (user_id bigint, ts timestamp, page varchar, seconds bigint);
insert into visits values (1, '2024-01-01 10:00:00', 'shop', 30), (1, '2024-01-01 11:00:00', 'help', 5), (1, '2024-01-01 11:00:00', 'cart', null), (1, '2024-01-01 12:00:00', 'shop', 30), (1, '2024-01-01 12:00:00', null, 5);
