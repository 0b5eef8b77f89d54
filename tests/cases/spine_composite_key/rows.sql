create table purchases (user_id bigint, item_id varchar, ts timestamp, price integer);
insert into purchases values
    (1, 'a', '2024-01-01', 10),
    (1, 'b', '2024-01-01', 20),
    (1, null, '2024-01-01', 30),
    (null, 'a', '2024-01-01', 40);
