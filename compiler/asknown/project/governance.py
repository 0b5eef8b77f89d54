"""Reads who owns, promises and relies on what: groups, access, contracts, deprecation dates, exposures; as in dbt."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date

from asknown.errors import AsknownError, did_you_mean
from asknown.project.nodes import ACCESS, Access, Exposure, Group, Terms
from asknown.project.reader import Reader, as_mapping, as_text
from asknown.project.values import Value

TERMS = ("config", "contract", "access", "group", "deprecation_date")
_CONFIG = ("contract", "access", "group", "meta", "tags")
_GROUP = ("name", "owner", "description")
_OWNER = ("name", "email")
_EXPOSURE = ("name", "type", "owner", "url", "description", "depends_on", "maturity", "label", "meta", "tags")
_TYPES = ("dashboard", "notebook", "analysis", "ml", "application")
_TEXT = r"""(['"])([^'"]+)\{}"""
_REF = re.compile(
    rf"\s*(?:\{{\{{)?\s*ref\(\s*{_TEXT.format(1)}\s*(?:,\s*{_TEXT.format(3)}\s*)?(?:,\s*v(?:ersion)?\s*=\s*(\d+)\s*)?\)"
    r"\s*(?:\}\})?\s*"
)


def read_terms(reader: Reader) -> Terms:
    """The terms of a model: its own keys, and the same keys below ``config``, where dbt has some of them."""
    inner = reader.value("config")
    config = None if inner is None else Reader(inner, f"'config' of {reader.what}", _CONFIG)
    found = [one for one in (reader, config) if one is not None]
    contract = any(_read_contract(one) for one in found)
    access = next((a for a in map(_read_access, found) if a is not None), None)
    group = next((one for one in found if one.value("group") is not None), None)
    return Terms(
        contract=contract,
        access=access or "protected",
        group=None if group is None else group.text("group"),
        group_at=None if group is None else group.place("group"),
        deprecation_date=_read_date(reader),
    )


def _read_contract(reader: Reader) -> bool:
    value = reader.value("contract")
    return value is not None and Reader(value, f"'contract' of {reader.what}", ("enforced",)).truth("enforced")


def _read_access(reader: Reader) -> Access | None:
    text = reader.optional_text("access")
    if text is None:
        return None
    found = next((name for name in ACCESS if name == text), None)
    if found is None:
        raise AsknownError(
            "wrong-type",
            f"'access' of {reader.what} is not '{text}'",
            at=reader.place("access"),
            hint=did_you_mean(text, ACCESS, what="its values"),
        )
    return found


def _read_date(reader: Reader) -> date | None:
    text = reader.optional_text("deprecation_date")
    if text is None:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise AsknownError(
            "wrong-type",
            f"'deprecation_date' of {reader.what} is no date",
            at=reader.place("deprecation_date"),
            hint="write it like 2027-03-31",
        ) from None


def read_not_null(reader: Reader) -> bool:
    """Whether the ``constraints`` of a column have ``not_null``. Others are accepted, and not checked."""
    items = [as_mapping(item, "a constraint") for item in reader.items("constraints")]
    kinds = [item.entries["type"].value for item in items if "type" in item.entries]
    return "not_null" in [as_text(kind, "'type' of a constraint") for kind in kinds]


def read_group(value: Value) -> Group:
    """The group that one item of ``groups:`` describes."""
    reader = Reader(value, "a group", _GROUP)
    return Group(reader.text("name", hint="name: …"), read_owner(reader), reader.place("name"))


def read_owner(reader: Reader) -> str:
    """The owner: a text, or dbt's mapping of name and email, of which the name counts; empty if there is none."""
    value = reader.value("owner")
    if value is None:
        return ""
    if not hasattr(value, "entries"):
        return as_text(value, f"'owner' of {reader.what}")
    owner = Reader(value, f"'owner' of {reader.what}", _OWNER)
    return owner.optional_text("name") or owner.optional_text("email") or ""


def read_exposure(value: Value) -> Exposure:
    """The exposure that one item of ``exposures:`` describes: something outside of the project that reads features."""
    reader = Reader(value, "an exposure", _EXPOSURE)
    name = reader.text("name", hint="name: …")
    kind = reader.optional_text("type")
    if kind is not None and kind not in _TYPES:
        raise AsknownError(
            "wrong-type",
            f"'type' of exposure '{name}' is not '{kind}'",
            at=reader.place("type"),
            hint=did_you_mean(kind, _TYPES, what="its values"),
        )
    for ignored in ("maturity", "label"):
        reader.optional_text(ignored)
    uses = tuple(_read_use(as_text(item, "an item of 'depends_on'")) for item in reader.items("depends_on"))
    return Exposure(
        name=name,
        type=kind or "",
        owner=read_owner(reader),
        url=reader.optional_text("url") or "",
        description=reader.optional_text("description") or "",
        uses=uses,
        at=reader.place("name"),
    )


def _read_use(text: str) -> str:
    """A dependency of an exposure, as a request has it: ``ref('orders')`` is ``orders``.

    >>> _read_use("ref('flights', 'carrier_delays', v=3)")
    'flights.carrier_delays@v3'
    """
    ref = _REF.fullmatch(text)
    if ref is None:
        return text
    name = ref[2] if ref[4] is None else f"{ref[2]}.{ref[4]}"
    return name if ref[5] is None else f"{name}@v{ref[5]}"


def check_exposure(exposure: Exposure, models: Collection[str], services: Collection[str]) -> None:
    """Raises ``unknown-model`` where an exposure depends on something that the project does not have."""
    for use in exposure.uses:
        name = use.partition(":")[0]
        if use not in services and name not in models and not {".", "@"} & set(name):  # those may be pinned
            raise AsknownError(
                "unknown-model",
                f"exposure '{exposure.name}' depends on '{use}', which is no model, view or feature service",
                at=exposure.at,
                hint=did_you_mean(name, [*models, *services], what="models and services"),
            )
