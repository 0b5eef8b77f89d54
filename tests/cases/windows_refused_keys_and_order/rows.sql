create table purchases (user_id bigint, bought_at timestamp, amount double, shop varchar, refunded boolean);
insert into purchases values
    (1, '2024-01-01 09:00:00', 10, 'a', false),
    (1, '2024-01-01 10:00:00', null, 'b', true),
    (1, '2024-01-01 11:00:00', 30, '', null),
    (1, '2024-01-01 11:00:00', 30, 'a', false),
    (2, '2024-01-01 11:00:00', -0.5, 'c', true);
