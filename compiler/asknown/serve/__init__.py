"""HTTP over the online reader, and Kafka topics whose messages are pushed: what a process that serves needs.

:func:`app` is an ASGI application, to be mounted in another one or run by any ASGI server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asknown.serve.app import Application, app
    from asknown.serve.auth import Token
    from asknown.serve.limits import Limits

__all__ = ["Application", "Limits", "Token", "app"]

_HOMES = {"Application": "app", "Limits": "limits", "Token": "auth"}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: who reads a topic needs no HTTP.
    if name not in _HOMES and name != "app":
        raise AttributeError(f"module 'asknown.serve' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"asknown.serve.{_HOMES.get(name, 'app')}"), name)
