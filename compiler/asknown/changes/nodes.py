"""The states that are compared, and the changes between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "text",
    "metadata",
    "new",
    "order",
    "values",
    "type",
    "removed",
    "renamed",
    "keys",
    "entity",
    "times",
    "ttl",
    "online",
]

# The kinds of changes, the mildest first. ``text``: other words for the same features, in the view or below it.
# Which kinds break what was built on the old version, and after which a model must be trained again.
BREAKING: frozenset[Kind] = frozenset({"removed", "renamed", "type", "keys", "entity"})
RETRAIN: frozenset[Kind] = frozenset(
    {"values", "order", "times", "ttl", "removed", "renamed", "type", "keys", "entity"}
)
# Kinds that leave the rows of the online table as they are.
STAYS_ONLINE: frozenset[Kind] = frozenset({"text", "metadata", "ttl"})
# Kinds that do not make a new version of the view.
SAME_VERSION: frozenset[Kind] = frozenset({"text", "metadata", "online"})


Effect = Literal["breaks", "retrain", "pinned"]


@dataclass(frozen=True)
class FeatureState:
    """A feature of one state, with its fingerprints. ``written`` is the text of its select item, for people."""

    name: str
    type: str
    values: str
    rows: str
    unnamed: str
    order: str | None
    written: str
    description: str
    whole: str = ""


@dataclass(frozen=True)
class Place:
    """A thing that changed below a view: a model, a macro, a source or an entity, and its file."""

    kind: str
    name: str
    file: str


@dataclass(frozen=True)
class ViewState:
    """A view of one state. ``version`` is None if it was never applied. ``ttl`` is in microseconds."""

    name: str
    version: int | None
    entity: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]
    times: tuple[str | None, ...]
    ttl: int | None
    online: bool
    metadata: str
    features: tuple[FeatureState, ...]

    def feature(self, name: str) -> FeatureState | None:
        """The feature called ``name``."""
        return next((feature for feature in self.features if feature.name == name), None)


@dataclass(frozen=True)
class Consumer:
    """A reader of a view: a feature service, or an exposure of some kind. ``features`` are those that it reads.

    ``pinned`` is the version that a reader of another project, or of an older version, has pinned; such a reader sees
    no other.
    """

    kind: str
    name: str
    owner: str
    features: frozenset[str] | None = None  # None: all of the view's
    pinned: int | None = None


@dataclass(frozen=True)
class FeatureChange:
    """A change of one feature. ``before`` and ``after`` are select items; ``tied_rows`` counts the rows whose order
    of ties may have changed, where the kind is ``order`` and somebody counted. ``alike`` names a feature that was
    there before a new one and gives the same values.
    """

    feature: str
    kind: Kind
    before: str = ""
    after: str = ""
    tied_rows: int | None = None
    whole: str = ""
    alike: str = ""


@dataclass(frozen=True)
class ViewChange:
    """All changes of one view. ``kinds`` are those of the view itself, ``unchanged`` the number of other features.

    ``before`` and ``after`` are version numbers, None for a view that was not there or goes. ``causes`` are the
    lowest things below the view that changed.
    """

    view: str
    before: int | None
    after: int | None
    kinds: tuple[Kind, ...]
    features: tuple[FeatureChange, ...]
    unchanged: int
    causes: tuple[Place, ...] = ()

    @property
    def all_kinds(self) -> frozenset[Kind]:
        """The kinds of the view and of its features."""
        return frozenset(self.kinds) | {change.kind for change in self.features}

    def effect_on(self, consumer: Consumer) -> Effect | None:
        """The meaning of the change for a consumer of the view; None if it does not concern it.

        A pin of a view that stays is not touched by any change: the version is frozen.
        """
        if consumer.pinned is not None:
            return "breaks" if self.after is None else "pinned"
        kinds = set(self.kinds)
        for change in self.features:
            names = {change.feature, change.before} if change.kind == "renamed" else {change.feature}
            if consumer.features is None or names & consumer.features:
                kinds.add(change.kind)
        return "breaks" if kinds & BREAKING else "retrain" if kinds & RETRAIN else None

    @property
    def reload(self) -> bool:
        """Whether the online table must be loaded again for the change to be served."""
        return not self.all_kinds <= STAYS_ONLINE and self.after is not None


@dataclass(frozen=True)
class ServiceChange:
    """A change of a feature service: ``kind`` is new, removed, ``loses`` features, ``reordered`` or ``gains`` some.

    ``version``: it has another version of some of its features pinned, so its model must be trained again.
    """

    service: str
    kind: Literal["new", "removed", "loses", "reordered", "gains", "version", "metadata"]
    features: tuple[str, ...] = ()
    production: bool = True

    @property
    def breaking(self) -> bool:
        """Whether a model in production that asks for the service no longer gets what it was trained on."""
        return self.production and self.kind in ("removed", "loses", "reordered")
