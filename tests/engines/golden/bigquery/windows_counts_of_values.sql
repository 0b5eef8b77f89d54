-- asknown compile pages --dialect bigquery
-- error[not-in-dialect]: bigquery has no exact histogram() over VARCHAR
-- hint: in 'pages': this engine returns no sorted list of values and counts: write count_if(x = 'a') over … for each value that matters

-- asknown compile some --dialect bigquery
-- error[not-in-dialect]: bigquery has no exact last_k() over VARCHAR
-- hint: in 'some': slices of lists are not translated: write list(x) over …, and cut it after training
