"""Dialects: one value for each engine, with the SQL that the engine needs for each thing that a plan does."""
