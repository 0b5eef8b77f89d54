create table txns (id bigint, item_id bigint, ts timestamp, amount bigint);
insert into txns values (1, 7, '2024-01-01 10:00:00', 20), (2, 7, '2024-01-01 11:00:00', 30), (3, 7, '2024-01-02 09:00:00', 40), (4, 8, '2024-01-01 10:00:00', null);
create table reports (item_id bigint, ts timestamp, reported_at timestamp, reason varchar);
insert into reports values (7, '2024-01-01 11:00:00', '2024-01-03 08:00:00', 'stolen');
