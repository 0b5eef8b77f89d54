-- asknown compile pages --dialect databricks
-- error[not-in-dialect]: databricks has no exact histogram() over VARCHAR
-- hint: in 'pages': this engine returns no sorted list of values and counts: write count_if(x = 'a') over … for each value that matters

-- asknown compile bare --dialect databricks
-- error[unsupported-type]: feature 'pages' of 'bare' has type MAP(VARCHAR, UBIGINT), which cannot be kept exactly
-- hint: write map_entries(…) around it: a list of its keys and values
