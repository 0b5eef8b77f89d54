"""The online table in one SQLite file.

``writer`` loads it (Arrow batches in, one transaction), ``reader`` reads it with the standard library alone. Both stand
on ``codec`` (a value of each type as SQLite keeps it) and ``metadata``; ``layout`` has the tables, ``events`` and
``tiles`` what trailing windows are computed from.
"""
