"""Texts that break programs."""

MEGABYTE = "x" * 1_000_000
TEXTS = (
    *("", " ", "  ", "a", "a ", " a", "A", "a\0", "a\0b", "\0", "\0\0", "\n", "\r\n", "\t", "\x1b[31m", "\x7f"),
    *("é", "e\u0301", "ß", "ss", "SS", "ﬁ", "fi", "İ", "I", "i", "ı", "Å", "\u212b", "A\u030a"),
    *("😀", "👩\u200d👩\u200d👧", "👩👩👧", "\U0010ffff", "\uffff", "\ud7ff", "\ufeffa", "\u200ba", "\u00a0", "\u2028"),
    *("\u202eabc\u202c", "abc", "\u200fabc", "שלום", "مرحبا"),
    *("'; drop table people; --", "'", "''", '"', '""', "`", "\\", "\\\\", "%", "_", "?", ":id", "$1", "@x", "#", "{}"),
    *(
        "NULL",
        "null",
        "None",
        "NaN",
        "nan",
        "inf",
        "1",
        "01",
        "1.0",
        "+1",
        "1e0",
        "0x1",
        "True",
        "true",
        "=",
        "a=b",
        "-",
    ),
    *("--help", "{{ 1 }}", "${HOME}", "../../etc/passwd", "a,b", MEGABYTE, MEGABYTE + "y"),
)
SURROGATES = ("\ud800", "a\udfff", "\udcff")
