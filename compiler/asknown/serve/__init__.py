"""HTTP over the online reader: Feast's endpoints, asknown's own, and what a process that serves needs.

:func:`app` is an ASGI application, to be mounted in another one or run by any ASGI server.
"""

from asknown.serve.app import Application, app
from asknown.serve.auth import Token
from asknown.serve.limits import Limits

__all__ = ["Application", "Limits", "Token", "app"]
