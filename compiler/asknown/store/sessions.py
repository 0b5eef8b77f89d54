"""The sessions of a feature store: its project, engine, types, online table and pushes, opened when they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from asknown.errors import AsknownError
from asknown.online.reader import OnlineReader
from asknown.paths import check_path
from asknown.project import load_project
from asknown.project.nodes import Project
from asknown.store.turns import Turns, in_turn

if TYPE_CHECKING:
    from asknown.catalog.catalog import Catalog
    from asknown.dialects.dialect import Dialect
    from asknown.engines.engine import Engine
    from asknown.store.push import PushWriter
    from asknown.store.typed_catalog import TypedCatalog


class Sessions:
    """The sessions, readers and writers that a store has open.

    A forked process opens everything anew; :meth:`close` closes all of it.
    """

    def __init__(self, path: str | Path, target: str | None) -> None:
        check_path(path, "path")
        self.project: Project = _with_pins(load_project(path, target=target))
        self._reader: OnlineReader | None = None
        self._frozen: list[Sessions] = []  # stores of requested versions
        self._offline: dict[str, TypedCatalog] = {}  # by dialect, to write its SQL without a connection
        self._pushes: PushWriter | None = None
        self._turns = Turns()

    @property
    def typed_catalog(self) -> TypedCatalog:
        """The project's models with the types of their columns."""
        return self._typed

    @property
    def catalog(self) -> Catalog:
        """The project's models by name."""
        return self._catalog

    @cached_property
    def _catalog(self) -> Catalog:
        from asknown.catalog.catalog import Catalog

        return Catalog(self.project)

    @cached_property
    def _engine(self) -> Engine:
        from asknown.engines.engine import open_engine

        return open_engine(self.project.profile.target, self.project.settings.root)

    @property
    def _typed(self) -> TypedCatalog:
        """The typed catalog; a new one where a source's files have changed since, or the connection has ended."""
        from asknown.engines.engine import Connected
        from asknown.store.type_engine import open_catalog

        engine = self.__dict__.get("_engine")
        if isinstance(engine, Connected) and not engine.is_open():
            self._disconnect()
        typed: TypedCatalog | None = self.__dict__.get("_opened")
        if typed is None or not typed.sources.files.are_unchanged():
            typed = self._opened = open_catalog(self._catalog, self._engine)
        return typed

    def _compiling(self, name: str | None) -> tuple[TypedCatalog, Dialect | None]:
        """The catalog to compile with, and the dialect called ``name``; None for the target's own."""
        from asknown.dialects.registry import find_dialect
        from asknown.store.type_engine import locks_file, open_offline

        if name is None:
            return self._typed, None
        dialect = find_dialect(name)
        typed = self._offline.get(dialect.name)
        if typed is None or not typed.sources.files.are_unchanged():
            typed = open_offline(self._catalog, dialect)
            if not locks_file(self.project.profile.target):
                self._offline[dialect.name] = typed
        return typed, dialect

    def _with_pins_named(self, names: Sequence[str]) -> list[str]:
        """The names, in which a pinned view of another project has its version."""
        from asknown.project.pins import with_pins_named

        return with_pins_named(self.project, names)

    def _abandon(self) -> tuple[object, ...]:
        """The sessions of the process before a fork, which this one leaves alone."""
        self._reader = self._pushes = None
        offline, self._offline = self._offline, {}
        return (self.__dict__.pop("_engine", None), self.__dict__.pop("_opened", None), offline)

    def _online(self) -> OnlineReader:
        if self._reader is None:
            from asknown.online.nodes import Owner

            online = self.project.profile.online
            self._reader = OnlineReader(online.address, owner=Owner(online.project, online.target))
        return self._reader

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @in_turn
    def close(self) -> None:
        """Closes the engine and the online table. The store opens them again when it needs them."""
        self._close_reader()
        if self._pushes is not None:
            self._pushes.close()
            self._pushes = None
        while self._frozen:
            self._frozen.pop().close()
        self._disconnect()

    def _disconnect(self) -> None:
        engine = self.__dict__.pop("_engine", None)
        self.__dict__.pop("_opened", None)
        self._offline.clear()
        if engine is not None:
            engine.close()

    def __reduce__(self) -> NoReturn:
        """Refuses to be pickled, as for a process that is spawned: sessions and threads stay in this one."""
        raise AsknownError(
            "engine",
            "a FeatureStore cannot be sent to another process",
            hint="make one there, of the same folder; or give tables, which can be sent",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _with_pins(project: Project) -> Project:
    """The project with its pinned views; the SQL of most projects names none, and stays unparsed."""
    if not project.pins and not any({"@", "."} & set(name) for name in _uses(project)):
        return project
    from asknown.catalog.pins import with_pins

    return with_pins(project)


def _uses(project: Project) -> Iterator[str]:
    """The views that the project's services and exposures name."""
    for service in project.services.values():
        yield from (line.view for line in service.features)
    for exposure in project.exposures.values():
        yield from exposure.uses
