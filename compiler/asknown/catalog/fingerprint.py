"""The fingerprint of a view, a hash that changes when stored values could have another meaning."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from asknown.model.nodes import FeatureView, Model
from asknown.project.nodes import Project


def fingerprint(view: FeatureView, closure: Sequence[Model], project: Project) -> str:
    """Sixteen hex digits: a hash of the view's SQL and everything upstream, of its keys, times and types.

    Layout, comments, descriptions, owner, tags and ttl do not count.
    """
    sources = {source for model in closure for source in model.rendered.sources}
    facts = {
        "models": [[m.name, m.tree.sql(project.settings.dialect, comments=False)] for m in closure],
        "sources": [
            [*key, project.sources[key].path, project.sources[key].identifier, project.sources[key].timezone]
            for key in sorted(sources)
        ],
        "keys": [key.name for key in view.keys],
        "times": [c.name if c else None for c in (view.event_time, view.known_at, view.created_at)],
        "columns": [[c.name, c.type.name] for c in view.columns],
    }
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
