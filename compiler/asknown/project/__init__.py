"""A project's files: located, read, checked and named. Each name is loaded when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asknown.project.loader import load_project, load_services
    from asknown.project.profiles import load_online, load_profile, load_tokens
    from asknown.project.settings import find_root, load_settings

__all__ = ["find_root", "load_online", "load_profile", "load_project", "load_services", "load_settings", "load_tokens"]

_HOMES = {
    "find_root": "asknown.project.settings",
    "load_online": "asknown.project.profiles",
    "load_profile": "asknown.project.profiles",
    "load_project": "asknown.project.loader",
    "load_services": "asknown.project.loader",
    "load_settings": "asknown.project.settings",
    "load_tokens": "asknown.project.profiles",
}


def __getattr__(name: str) -> Any:
    # A read of the online table needs the settings and the profile alone, and must not wait for the other imports.
    if name not in _HOMES:
        raise AttributeError(f"module 'asknown.project' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
