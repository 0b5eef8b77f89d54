"""The online table in a Postgres schema: a table per view and generation, read in one statement and loaded by COPY."""
