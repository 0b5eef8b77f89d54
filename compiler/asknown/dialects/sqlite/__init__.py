"""SQLite 3.37 and newer: the floor. What it lacks are functions that asknown registers on its connection."""

from asknown.dialects.sqlite.value import SQLITE

__all__ = ["SQLITE"]
