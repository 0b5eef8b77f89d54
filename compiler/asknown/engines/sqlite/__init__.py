"""SQLite: embedded, and the floor of what asknown runs on."""

from asknown.engines.sqlite.session import SQLite

__all__ = ["SQLite"]
