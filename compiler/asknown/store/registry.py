"""A project's registry: what was applied, what would change, and applying it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from asknown.catalog.catalog import Catalog
from asknown.errors import AsknownError
from asknown.project.nodes import Project
from asknown.registry.nodes import NextRevision, Revision, Run
from asknown.store.between import changes_between
from asknown.store.check import errors_of_views
from asknown.store.comparison import Comparison, ProjectChanges, refuse_breaking
from asknown.store.registry_copies import open_registry, publish_registry
from asknown.store.revisions import roll_back
from asknown.store.typed_catalog import TypedCatalog
from asknown.store.versions import history_of, revision_at


class ProjectRegistry:
    """The registry of ``project``, which is opened anew by each method. ``typed`` gives the types when needed."""

    def __init__(self, project: Project, catalog: Catalog, typed: Callable[[], TypedCatalog]) -> None:
        self._project = project
        self._catalog = catalog
        self._typed = typed
        self._place = project.profile.registry
        self._name = project.settings.name
        self.unpublished: str | None = None
        """Why the copy of the registry was not published after the last revision, if it should have been."""

    def changes(self, since: Any = None, until: Any = None) -> ProjectChanges:
        """The changes that :meth:`apply` would record: views, features and services, each with its kind.

        ``since`` compares with an older state than the newest: the number of a revision; or an instant, or a duration
        such as ``"7 days"`` before now, for the revision that was the newest then. With ``until``, in the same forms,
        the changes are those from ``since`` to that revision, and the project's files do not count.
        Only views whose SQL or config differs are typed; a project without changes asks no engine.
        """
        with open_registry(self._place) as reader:
            base = None if since is None else revision_at(reader, self._name, since)
            if until is not None:
                if base is None:
                    raise AsknownError("bad-value", "until without since", hint="say which revision to begin with")
                return changes_between(reader, self._project, base, revision_at(reader, self._name, until))
            return Comparison(self._catalog, self._typed, reader, base).changes

    def require_applied(self, views: Collection[str]) -> None:
        """Raises ``not-applied`` for the views that have another version in the files than the one applied."""
        left = [c for c in self.changes().views if c.view in views and c.after is not None and c.after != c.before]
        if left:
            versions = ", ".join(f"v{c.after} of '{c.view}'" for c in left)
            raise AsknownError(
                "not-applied",
                f"the registry has 'enforce: true', and nobody has applied {versions}",
                hint="asknown plan shows what differs, asknown apply records it",
            )

    def apply(
        self,
        message: str = "",
        accept: Collection[str] = (),
        confirm: Callable[[ProjectChanges], bool] | None = None,
        show: Callable[[ProjectChanges], None] | None = None,
    ) -> Revision | None:
        """Records the project as it is, as one revision, which is returned.

        Returns None, and writes nothing, if nothing changed or ``confirm`` does not return True for the changes.
        ``show`` gets the changes first, also those that are refused.
        Raises ``breaking`` for a breaking change that ``accept`` does not name (as ``view``, ``view:feature`` or a
        service), the first error that `asknown check` finds in a changed view, and ``registry-moved`` if another
        revision came in between. No row is read, and nothing is loaded.
        """
        with open_registry(self._place) as reader:
            compared = Comparison(self._catalog, self._typed, reader)
            if compared.changes.nothing:
                return None
            if show is not None:
                show(compared.changes)
            refuse_breaking(compared.changes, accept)
            self._refuse_errors(compared.changes)
            if confirm is not None and not confirm(compared.changes):
                return None
            following = compared.following(message)
        return self._write(following)

    def _refuse_errors(self, changes: ProjectChanges) -> None:
        """Raises the first error of `asknown check` in the views that would be recorded."""
        changed = [change.view for change in changes.views if self._catalog.is_view(change.view)]
        for finding in errors_of_views(self._typed(), changed):
            raise finding.as_error()

    def rollback(self, n: int, message: str = "") -> Revision:
        """Appends a revision that says again what revision ``n`` said. The files of the project stay as they are."""
        with open_registry(self._place) as reader:
            following = roll_back(self._project, reader, n, message)
        return self._write(following)

    def history(self, view: str | None = None) -> list[Revision]:
        """The revisions of the project, newest first; with ``view`` those that changed it."""
        with open_registry(self._place) as reader:
            return history_of(reader, self._name, view)

    def runs(self, limit: int | None = None) -> list[Run]:
        """The loads and training sets of the project, newest first."""
        with open_registry(self._place) as reader:
            return reader.runs(self._name, limit)

    def _write(self, following: NextRevision) -> Revision:
        from asknown.registry.write import write_revision  # sqlite-utils is slow to import, and plan does without

        write_revision(self._place, self._name, following)
        self.unpublished = publish_registry(self._place)
        return following.revision
