create table events (u bigint, ts timestamp);
insert into events values (1, '2024-01-01');
