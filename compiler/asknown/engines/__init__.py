"""Engines run SQL and give Arrow."""
