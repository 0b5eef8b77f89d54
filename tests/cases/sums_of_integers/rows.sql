create table payments (user_id bigint, ts timestamp, cents bigint, late boolean);
insert into payments values (1, '2024-01-01 10:00:00', 9007199254740992, true), (1, '2024-01-01 12:00:00', 1, true), (2, '2024-01-01 10:00:00', 9223372036854775807, false), (2, '2024-01-01 12:00:00', 1, null);
