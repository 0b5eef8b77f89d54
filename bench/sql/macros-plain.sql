-- Sums as floats add up: the last digits follow the order of the rows.
CREATE MACRO part(x) AS x;
CREATE MACRO total(h) AS h;
CREATE MACRO mean(h, n) AS h / n;
