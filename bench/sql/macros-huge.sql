-- Exact sums for payments from 2^-8 to 2^39: times 2^60 they are whole numbers of 128 bits. Rounded once, at the end.
CREATE MACRO part(x) AS CAST(x * 1152921504606846976 AS HUGEINT);
CREATE MACRO rounded(h, cut, more) AS
    CAST(CAST(h >> cut AS BIGINT) | CAST((h >> cut) << cut <> h OR more AS BIGINT) AS DOUBLE) * pow(2.0, cut - 60);
CREATE MACRO length_over_61(h) AS greatest(0, CAST(floor(log2(CAST(h AS DOUBLE))) AS INTEGER) - 60);
CREATE MACRO total(h) AS rounded(h, length_over_61(h), FALSE);
CREATE MACRO mean(h, n) AS rounded((h << 10) // n, length_over_61((h << 10) // n), (h << 10) % n <> 0) / 1024;
