create table orders as select * from (values
  (1, 1, timestamp '2024-01-01', 'open', 5.00::decimal(9, 2)),
  (2, 1, timestamp '2024-01-02', 'shut', 7.00),
  (2, 9, timestamp '2024-01-02', 'lost', -1.00),
  (4, null, timestamp '2024-01-04', null, null)) t(order_id, user_id, ordered_at, state, amount);
create table users as select * from (values (1), (2)) t(user_id);
