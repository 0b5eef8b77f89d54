create table discounts (user_id bigint, ts timestamp, known timestamp, amount integer);
insert into discounts values
    (1, '2024-01-01', '2024-01-01', 5),
    (1, '2024-01-20', '2024-01-02', 15),
    (1, '2024-01-03', '2024-01-25', 1000),
    (2, '2024-01-10', '2024-01-01', 7),
    (1, '2024-06-01', '2024-01-01', 99);
