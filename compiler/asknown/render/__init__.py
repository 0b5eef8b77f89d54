"""Renders models: sandboxed, bounded Jinja in; plain SQL, its config and its references out."""

from asknown.render.nodes import Rendered, ViewConfig
from asknown.render.quoting import quote_name
from asknown.render.renderer import Renderer

__all__ = ["Rendered", "Renderer", "ViewConfig", "quote_name"]
