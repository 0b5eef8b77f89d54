"""Renders models: sandboxed, bounded Jinja in; plain SQL, its config and its references out."""

from asknown.render.nodes import Rendered, ViewConfig
from asknown.render.renderer import Renderer
from asknown.render.scope import quote_name

__all__ = ["Rendered", "Renderer", "ViewConfig", "quote_name"]
