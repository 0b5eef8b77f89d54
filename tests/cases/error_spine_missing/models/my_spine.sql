select 1 as user_id, timestamp '2024-01-01' as event_timestamp
