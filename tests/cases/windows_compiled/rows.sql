create table visits (user_id bigint, ts timestamp, pages integer);
insert into visits values
    (1, '2024-01-01 10:00:00', 3),
    (1, '2024-01-01 11:30:00', 1),
    (2, '2024-01-01 11:00:00', null);
