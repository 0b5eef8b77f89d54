"""The rules of a load that every backend applies (rule 10).

No load is of the future, none goes back, and none shrinks a view unasked.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from asknown.durations import spell
from asknown.errors import AsknownError
from asknown.instants import from_microseconds, to_microseconds

_FEWEST = 10
_SHARE = 10
"""A load stops if it would remove at least so many keys, and more than one in so many."""


def check_instant(watermark: datetime, max_skew: timedelta) -> None:
    """Refuses a load as of an instant (aware) that is further in the future than clocks may differ."""
    if watermark - datetime.now(UTC) <= max_skew:
        return
    length = max_skew // timedelta(microseconds=1)
    beyond = f" by more than the {spell(length)} that 'max_skew' allows" if length else ""
    raise AsknownError(
        "bad-value",
        f"{watermark.replace(tzinfo=None)} is in the future{beyond}: what will be known then is not known yet",
        hint="leave --until out for now",
    )


def check_not_older(view: str, loaded: datetime, watermark: datetime) -> None:
    """Refuses a load as of ``watermark`` where the view is loaded up to a later instant; both are aware."""
    if watermark >= loaded:
        return
    instant = _spell(watermark)
    raise AsknownError(
        "load-older",
        f"'{view}' is loaded up to {_spell(loaded)} UTC, and this load is as of {instant} UTC, which is before that: "
        "nothing was changed",
        hint="leave --until out to load as of now; "
        f"to take the view back: asknown materialize {view} --until '{instant}' --full-refresh",
    )


def check_not_before_push(view: str, pushed: int, watermark: datetime) -> None:
    """Refuses a load that makes a view anew as of an instant (aware) before its last push, in microseconds."""
    if to_microseconds(watermark.replace(tzinfo=None)) >= pushed:
        return
    raise AsknownError(
        "load-older",
        f"a row was pushed into '{view}' at {from_microseconds(pushed).isoformat(' ')} UTC, and this load is as of "
        f"{_spell(watermark)} UTC, which is before that: nothing was changed",
        hint="leave --until out to load as of now",
    )


def check_shrink(view: str, removed: int, keys: int) -> None:
    """Refuses a load that would remove ``removed`` of the view's ``keys``, where these are too many."""
    _check_share(view, removed, f"{keys:,} keys of '{view}'", keys)


def check_shrink_ahead(view: str, removed: int, keys: int) -> None:
    """Refuses the same of the keys whose rows are all dated ahead, which reads do not find yet."""
    _check_share(view, removed, f"{keys:,} keys of '{view}' whose rows are all dated ahead", keys)


def _check_share(view: str, removed: int, whole: str, keys: int) -> None:
    if removed < _FEWEST or removed * _SHARE <= keys:
        return
    raise AsknownError(
        "load-shrinks",
        f"this load would remove {removed:,} of the {whole}, more than a tenth: nothing was changed",
        hint="see whether the view's sources are whole; "
        f"if these keys have left them for good: asknown materialize {view} --allow-shrink",
    )


def _spell(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
