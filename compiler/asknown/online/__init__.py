"""The online table: one SQLite file that answers, for now, what the training query answers for then.

``writer`` loads it (Arrow batches in, one transaction), ``reader`` reads it with the standard library alone.
Both stand on ``layout`` (tables and SQL), ``codec`` (a value of each type as SQLite keeps it) and ``metadata``.
Trailing windows are computed at reading: from ``events``, or for busy keys from ``tiles`` of them, by ``windows``.
"""
