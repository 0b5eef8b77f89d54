"""Writes a plan as one SQL statement in a dialect."""
