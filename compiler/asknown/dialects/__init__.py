"""Dialects as values: what an engine can say, and how."""
