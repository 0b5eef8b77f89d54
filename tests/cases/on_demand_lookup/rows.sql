create table orders (user_id bigint, ts timestamp, item_id bigint, price bigint);
insert into orders values (1, '2024-01-01 10:00:00', 7, 20), (2, '2024-01-01 11:00:00', 7, 25), (1, '2024-01-02 09:00:00', 8, 5), (3, '2024-01-02 10:00:00', null, 1), (2, '2024-01-03 09:00:00', 8, 6);
