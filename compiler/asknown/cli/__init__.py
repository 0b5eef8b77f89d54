"""The command line: `asknown`, a group that imports a command when it is typed."""

from asknown.cli.group import main

__all__ = ["main"]
