create table notes (name varchar, ts timestamp, note varchar);
insert into notes values
    ('zoe', '2024-01-01', 'B'), ('zoe', '2024-01-01', 'a'),
    ('Ann', '2024-01-01', 'B'),
    ('bob', '2024-01-01', '2'), ('bob', '2024-01-01', null);
