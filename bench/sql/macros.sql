-- Exact sums for payments from 2 to 4,096: times 2^51 they are whole numbers of 63 bits. Rounded once, at the end.
CREATE MACRO part(x) AS CAST(x * 2251799813685248 AS BIGINT);
-- A digit is set where anything follows, so that the cast rounds right.
CREATE MACRO rounded(h, cut, more) AS
    CAST(CAST(h >> cut AS BIGINT) | CAST((h >> cut) << cut <> h OR more AS BIGINT) AS DOUBLE) * pow(2.0, cut - 51);
CREATE MACRO length_over_61(h) AS greatest(0, CAST(floor(log2(CAST(h AS DOUBLE))) AS INTEGER) - 60);
CREATE MACRO total(h) AS rounded(h, length_over_61(h), FALSE);
-- Divided as on paper, in two digits of 64 bits, because DuckDB divides 128 bits slowly; with 2^10 more, so that a
-- quotient has digits to spare.
CREATE MACRO high(h) AS CAST(h >> 30 AS BIGINT);
CREATE MACRO low(h, n) AS (((high(h) % n) << 30) + CAST(h & 1073741823 AS BIGINT)) << 10;
CREATE MACRO quotient(h, n) AS (CAST(high(h) // n AS HUGEINT) << 40) + low(h, n) // n;
CREATE MACRO mean_of(h, n) AS rounded(quotient(h, n), length_over_61(quotient(h, n)), low(h, n) % n <> 0) / 1024;
CREATE MACRO mean(h, n) AS mean_of(h, CAST(n AS BIGINT));
