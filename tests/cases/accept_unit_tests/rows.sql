create table orders as select 9 as user_id, timestamp '2024-01-02' as ordered_at, 5.00::decimal(9, 2) as amount, timestamp '2024-01-03' as paid_at, ['a'] as tags;
