create table ties (user_id bigint, ts timestamp, first integer, second integer);
insert into ties values
    (1, '2024-01-01', 1, 9),
    (1, '2024-01-01', 2, 1),
    (1, '2024-01-01', 2, null),
    (2, '2024-01-01', null, 9),
    (2, '2024-01-01', 1, null),
    (2, '2024-01-01', 1, 1);
