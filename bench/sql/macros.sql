-- Exact sums for payments from 2 to 4,096: times 2^51 they are whole numbers of 63 bits. Rounded once, at the end.
CREATE MACRO part(x) AS CAST(x * 2251799813685248 AS BIGINT);
CREATE MACRO rounded(h, cut, more) AS
    CAST(CAST((h >> cut) + CASE WHEN ((h >> cut) << cut <> h OR more) AND (h >> cut) % 2 = 0 THEN 1 ELSE 0 END AS BIGINT)
        AS DOUBLE) * pow(2.0, cut - 51);
CREATE MACRO length_over_61(h) AS greatest(0, CAST(floor(log2(CAST(h AS DOUBLE))) AS INTEGER) - 60);
CREATE MACRO total(h) AS rounded(h, length_over_61(h), FALSE);
-- 2^10 more, so that a quotient has digits to spare.
CREATE MACRO mean(h, n) AS rounded((h << 10) // n, length_over_61((h << 10) // n), (h << 10) % n <> 0) / 1024;
