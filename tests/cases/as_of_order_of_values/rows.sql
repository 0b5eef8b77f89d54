create table floats (user_id bigint, ts timestamp, value double, note varchar);
insert into floats values
    (1, '2024-01-01', 'infinity', 'z'), (1, '2024-01-01', 'nan', 'win'), (1, '2024-01-01', 1e300, 'z'), (1, '2024-01-01', null, 'z');
create table zeros (user_id bigint, ts timestamp, value double, note varchar);
insert into zeros values (1, '2024-01-01', 0.0, 'win'), (1, '2024-01-01', -0.0::double, 'z');
create table texts (user_id bigint, ts timestamp, value varchar, note varchar);
insert into texts values
    (1, '2024-01-01', 'Z', 'z'), (1, '2024-01-01', 'z', 'z'), (1, '2024-01-01', 'é', 'win'), (1, '2024-01-01', '', 'z');
create table flags (user_id bigint, ts timestamp, value boolean, note varchar);
insert into flags values (1, '2024-01-01', true, 'win'), (1, '2024-01-01', false, 'z'), (1, '2024-01-01', null, 'z');
create table lists (user_id bigint, ts timestamp, value integer[], note varchar);
insert into lists values
    (1, '2024-01-01', [1], 'z'), (1, '2024-01-01', [1, 2], 'z'), (1, '2024-01-01', [1, null], 'win'), (1, '2024-01-01', null, 'z');
