"""The parts of a project, as its files describe them. The loader returns them, and every later stage reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from asknown.addresses import Address
from asknown.errors import Where
from asknown.project.options import Options
from asknown.project.tests import DataTest, Freshness, UnitTest


@dataclass(frozen=True)
class Settings:
    """The ``[tool.asknown]`` table of pyproject.toml. Paths are absolute."""

    name: str
    root: Path
    profile: str
    dialect: str = "duckdb"
    model_paths: tuple[Path, ...] = ()
    macro_paths: tuple[Path, ...] = ()
    test_paths: tuple[Path, ...] = ()
    vars: dict[str, Any] = field(default_factory=dict)
    lint: tuple[LintSetting, ...] = ()


@dataclass(frozen=True)
class LintSetting:
    """The severity that ``[tool.asknown.lint]`` gives the rule ``code`` of `asknown check`; ``off`` turns it off."""

    code: str
    severity: str
    at: Where


_Options_co = TypeVar("_Options_co", bound=Options, covariant=True)


@dataclass(frozen=True)
class Target(Generic[_Options_co]):
    """One output of a profile. The options say which engine it is for."""

    name: str
    options: _Options_co = field(repr=False)  # may hold secrets
    at: Where

    @property
    def type(self) -> str:
        """The name of the engine, as profiles.yml has it."""
        return self.options.type


@dataclass(frozen=True)
class OnlineTarget:
    """Where the online table of the target ``target`` of ``project`` lives: an SQLite file, absolute, or on a server.

    ``max_skew`` is how far, in microseconds, a load's instant may lie after this machine's clock.
    """

    address: Address
    project: str
    target: str
    max_skew: int = 0


@dataclass(frozen=True)
class RegistryPlace:
    """Where the registry is: a file, or a server or object store. One that is ``read_only`` is somebody else's copy.

    ``publish`` is where each apply puts such a copy: a path or an address. ``fetched`` is the file that a copy in an
    object store is brought to. If it is to ``enforce``, views are loaded only as they were applied.
    """

    at: Address
    read_only: bool = False
    publish: str | None = None
    fetched: Path | None = None
    enforce: bool = False

    def __str__(self) -> str:
        return str(self.at)

    @property
    def is_kept(self) -> bool:
        """Whether there may be a registry here that this project writes."""
        return not self.read_only and (not isinstance(self.at, Path) or self.at.exists())


@dataclass(frozen=True)
class Profile:
    """The chosen target of a profile, its online table, and its registry.

    Other targets' environment variables were not read.
    """

    name: str
    target: Target[Options]
    online: OnlineTarget
    registry: RegistryPlace


@dataclass(frozen=True)
class ServeToken:
    """A token that `asknown serve` takes: its name, the SHA-256 of its text in hexadecimal, and its scopes."""

    name: str
    sha256: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class FileRead:
    """How DuckDB reads files: a table function, its named arguments, and the types that columns are cast to.

    A cast is (column, type, format of its dates or None); the format ``nanoseconds`` is a timestamp in these, which
    must be a whole microsecond, ``comma`` a number with a comma before its fraction, and ``duration.ns`` an integer
    that counts this unit.
    """

    function: str
    arguments: tuple[tuple[str, Any], ...] = ()
    casts: tuple[tuple[str, str, str | None], ...] = ()


@dataclass(frozen=True)
class PushRules:
    """How rows are pushed into a source's table (rule 14).

    ``id``, ``event_time`` and ``known_at`` are columns; the last has each row's arrival. ``land`` is the folder, as
    written, where pushed rows land. An event may be ``max_skew`` microseconds ahead of its arrival, and a repeat is
    found for ``dedupe`` microseconds.
    """

    id: str | None
    event_time: str
    known_at: str
    land: str
    max_skew: int
    dedupe: int
    at: Where


@dataclass(frozen=True)
class SourceTable:
    """A table of a source: files (``path``, as written, relative to the project) or a table of the target.

    ``static``: its history does not matter, and all of it counts as known at every instant. ``loaded_at_field`` is
    the column that says when a row reached the warehouse. No two rows agree in all columns of a key in ``unique``.
    ``cadence`` is the expected distance, in microseconds, of two rows of one key.
    """

    source: str
    name: str
    path: str | None
    identifier: str | None
    timezone: str | None
    description: str
    columns: tuple[ColumnDoc, ...]
    at: Where
    static: bool = False
    options: tuple[tuple[str, Any], ...] = ()  # how its files are read, as the source declares it
    read: FileRead | None = None  # once its files have been looked at
    loaded_at_field: str | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    cadence: int | None = None
    data_tests: tuple[DataTest, ...] = ()
    freshness: Freshness | None = None
    push: PushRules | None = None
    written: str | None = None  # its identifier as the file has it, where the target's names are put into it


@dataclass(frozen=True)
class Key:
    """A column of an entity's key. ``data_type`` is a SQL type name, or None if the models decide it."""

    name: str
    data_type: str | None = None


@dataclass(frozen=True)
class Entity:
    name: str
    keys: tuple[Key, ...]
    description: str
    at: Where


@dataclass(frozen=True)
class ServiceFeatures:
    """One line of a feature service: a view, its chosen features (or all), and renamed keys, if any.

    ``keys`` maps the view's key column to the spine's column; ``alias`` stands for the view in full names.
    """

    view: str
    features: tuple[str, ...] | None
    alias: str | None
    keys: dict[str, str]
    at: Where


@dataclass(frozen=True)
class ServiceLog:
    """How `asknown serve` logs what a service was asked: the folder, and the share of the keys whose rows it keeps.

    ``omit`` and ``hash`` name columns of the request that are left out, and those of which a hash is kept. ``keep`` is
    in microseconds, None for ever.
    """

    to: Path
    sample: float
    omit: tuple[str, ...]
    hash: tuple[str, ...]
    keep: int | None
    at: Where


@dataclass(frozen=True)
class Service:
    """A feature service. Changes may break one that is not in ``production``; ``promised``: it says so itself."""

    name: str
    features: tuple[ServiceFeatures, ...]
    description: str
    at: Where
    owner: str = ""
    production: bool = True
    log: ServiceLog | None = None
    promised: bool = False


@dataclass(frozen=True)
class Group:
    """A group of people who own models together. ``owner`` is whom to ask."""

    name: str
    owner: str
    at: Where


@dataclass(frozen=True)
class Exposure:
    """Something outside of the project that reads its features: a dashboard, a notebook, a model, an application.

    ``uses`` are references as in a request: views, ``view:feature`` and feature services.
    """

    name: str
    type: str
    owner: str
    url: str
    description: str
    uses: tuple[str, ...]
    at: Where


Access = Literal["private", "protected", "public"]
ACCESS: tuple[Access, ...] = ("private", "protected", "public")
"""Who may read a model: its own group, its own project, everybody."""


@dataclass(frozen=True)
class Terms:
    """The terms on which others may read a model. With a ``contract``, its columns have the types that are declared."""

    contract: bool = False
    access: Access = "protected"
    group: str | None = None
    group_at: Where | None = None
    deprecation_date: date | None = None


@dataclass(frozen=True)
class ColumnDoc:
    """The YAML of a column.

    ``label``: it is the value to predict. ``known_at`` is SQL over the table's or model's columns: the instant from
    which the column's value is known, where that is not its row's. ``not_null`` is a promise, which a
    contract makes binding.
    """

    name: str
    description: str
    data_type: str | None
    at: Where
    not_null: bool = False
    label: bool = False
    known_at: str | None = None
    data_tests: tuple[DataTest, ...] = ()


@dataclass(frozen=True)
class ModelDoc:
    """The YAML of a model. No two rows agree in all columns of a key in ``unique``."""

    name: str
    description: str
    columns: tuple[ColumnDoc, ...]
    at: Where
    terms: Terms = Terms()
    unique: tuple[tuple[str, ...], ...] = ()
    data_tests: tuple[DataTest, ...] = ()
    freshness: Freshness | None = None


@dataclass(frozen=True)
class ModelFile:
    """A model's template. Its name is the file's name without ``.sql``.

    ``frozen`` is the object of a pinned model, whose ``text`` is plain SQL and which renders from the object alone.
    """

    name: str
    path: Path
    shown: str  # the path as messages show it, relative to the project
    text: str
    frozen: Mapping[str, Any] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ViewName:
    """A view of some project, in the version ``v`` or, where that is None, in the one that is pinned."""

    project: str
    view: str
    v: int | None

    def __str__(self) -> str:
        return f"{self.project}.{self.view}" + ("" if self.v is None else f"@v{self.v}")


@dataclass(frozen=True)
class Pin:
    """A version of a view that the project uses from the registry: of another project, or an older one of its own.

    ``hash`` names its object.
    """

    project: str
    view: str
    v: int
    hash: str

    @property
    def name(self) -> str:
        """The name of the view in this project: ``flights.carrier_delays@v3``."""
        return f"{self.project}.{self.view}@v{self.v}"


@dataclass(frozen=True)
class MacroFile:
    """A file of macros. ``standard`` is True for asknown's own, which the project's override."""

    path: Path
    shown: str
    text: str
    standard: bool = False


@dataclass(frozen=True)
class Project:
    settings: Settings
    profile: Profile
    sources: dict[tuple[str, str], SourceTable]
    entities: dict[str, Entity]
    services: dict[str, Service]
    docs: dict[str, ModelDoc]
    models: dict[str, ModelFile]
    macros: tuple[MacroFile, ...]  # the standard library first, the project's own after it
    unit_tests: dict[str, UnitTest] = field(default_factory=dict)
    tests: dict[str, ModelFile] = field(default_factory=dict)  # the singular data tests
    groups: dict[str, Group] = field(default_factory=dict)
    exposures: dict[str, Exposure] = field(default_factory=dict)
    pins: tuple[Pin, ...] = ()  # as asknown.lock has them
