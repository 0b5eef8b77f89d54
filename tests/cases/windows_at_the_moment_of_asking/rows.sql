create table transactions (user_id bigint, bought_at timestamp, amount double);
insert into transactions values
    (1, '2022-12-28', 10),
    (1, '2022-12-29', 20),
    (1, '2023-01-05', 40),
    (1, '2023-01-06', 80);
