"""The online table on a Valkey or Redis server. Only :mod:`asknown.online.backend` imports this package."""

from __future__ import annotations
