create table orders (user_id bigint, ordered_at timestamp, paid_at timestamp, amount double);
insert into orders values
    (1, '2024-03-01 09:00:00', '2024-03-01 09:30:00', 1),
    (1, '2024-03-02 09:00:00', '2024-03-05 09:00:00', 5),
    (1, '2024-03-09 09:00:00', '2024-03-09 09:10:00', 99);
