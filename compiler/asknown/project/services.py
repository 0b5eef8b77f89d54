"""Reads feature services: the features that one machine-learning model is trained on and served with."""

from __future__ import annotations

from asknown.errors import AsknownError, Where, did_you_mean
from asknown.project.governance import read_owner
from asknown.project.nodes import Service, ServiceFeatures
from asknown.project.reader import Names, Reader, as_text
from asknown.project.serving import read_log
from asknown.project.values import Mapping, Value

_SERVICE = ("name", "description", "features", "owner", "status", "log")
_STATUSES = ("development", "production")
_LINE = ("view", "features", "alias", "keys")


def read_service(value: Value) -> Service:
    """The service that one item of ``feature_services:`` describes, its lines in their order."""
    reader = Reader(value, "a feature service", _SERVICE)
    name = reader.text("name", hint="name: …")
    if ":" in name:
        raise AsknownError(
            "bad-name",
            f"'{name}' is not a name of a feature service: ':' separates view and feature",
            at=reader.place("name"),
        )
    items = reader.items("features")
    if not items:
        raise AsknownError(
            "missing-key",
            f"feature service '{name}' has no 'features'",
            at=reader.place("features"),
            hint="features: [view, other_view:feature]",
        )
    lines = tuple(_read_line(item) for item in items)
    _check_lines(name, items, lines)
    return Service(
        name=name,
        features=lines,
        description=reader.optional_text("description") or "",
        at=reader.place("name"),
        owner=read_owner(reader),
        production=_read_status(reader) != "development",
        promised=reader.optional_text("status") == "production",
        log=None if (log := reader.value("log")) is None else read_log(log),
    )


def _read_status(reader: Reader) -> str:
    status = reader.optional_text("status") or "production"
    if status not in _STATUSES:
        raise AsknownError(
            "wrong-type",
            f"'status' of {reader.what} is not '{status}'",
            at=reader.place("status"),
            hint=did_you_mean(status, _STATUSES, what="its values"),
        )
    return status


def _read_line(value: Value) -> ServiceFeatures:
    if not isinstance(value, Mapping):
        return _split(as_text(value, "a line of 'features'"), value.at)
    _refuse_spaced(value)
    reader = Reader(value, "a line of 'features'", _LINE)
    return ServiceFeatures(
        view=reader.text("view", hint="view: …"),
        features=_read_features(reader),
        alias=reader.text("alias") if reader.value("alias") else None,
        keys=_read_keys(reader),
        at=value.at,
    )


def _split(reference: str, at: Where) -> ServiceFeatures:
    """The view and the feature in ``view:feature``. The first colon divides: a feature's name may hold others."""
    view, colon, feature = reference.partition(":")
    if not view.strip() or (colon and not feature):
        raise AsknownError(
            "bad-name",
            f"'{reference}' does not name a feature",
            at=at,
            hint="write view:feature, or view for all its features",
        )
    return ServiceFeatures(view, (feature,) if colon else None, None, {}, at)


def _refuse_spaced(line: Mapping) -> None:
    """Refuses ``view: feature``, which YAML reads as a mapping. Its author meant ``view:feature``."""
    if len(line.entries) != 1:
        return
    ((key, entry),) = line.entries.items()
    if key not in _LINE:
        raise AsknownError(
            "unknown-key",
            f"a line of 'features' has no key '{key}'",
            at=entry.at,
            hint=f"write {key}:feature without a space, or {{view: {key}, features: [feature]}}",
        )


def _read_features(reader: Reader) -> tuple[str, ...] | None:
    value = reader.value("features")
    if value is None:
        return None
    names = Names()
    features = []
    for item in reader.items("features"):
        feature = as_text(item, f"a feature of {reader.what}")
        names.register("feature", feature, item.at)
        features.append(feature)
    if not features:
        raise AsknownError(
            "wrong-type",
            "the list 'features' is empty",
            at=value.at,
            hint="name features, or leave 'features' out for all of the view's",
        )
    return tuple(features)


def _read_keys(reader: Reader) -> dict[str, str]:
    renamed = reader.mapping("keys")
    if renamed is None:
        return {}
    keys = {}
    for key, entry in renamed.entries.items():
        keys[key] = as_text(entry.value, f"the spine's column for the key '{key}'")
    return keys


def _check_lines(name: str, items: tuple[Value, ...], lines: tuple[ServiceFeatures, ...]) -> None:
    """Refuses a view that is listed twice under one name. Lines ``view:a`` and ``view:b`` together list one view."""
    requested: dict[str, list[tuple[ServiceFeatures, bool]]] = {}
    for item, line in zip(items, lines, strict=True):
        label = line.alias or line.view
        short = not isinstance(item, Mapping)
        for first, first_short in requested.setdefault(label, []):
            if short and first_short and line.features and first.features and line.features != first.features:
                continue
            reference = f"'{label}'" if line.features is None or not short else f"'{label}:{line.features[0]}'"
            raise AsknownError(
                "duplicate-name",
                f"feature service '{name}' asks for {reference} twice: first at {first.at}",
                at=line.at,
                hint=f"give one of them another name: {{view: {line.view}, alias: …}}",
            )
        requested[label].append((line, short))
