"""Reads the beginning of a time up to now: an instant, or a duration before now."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from asknown.durations import microseconds
from asknown.errors import AsknownError
from asknown.instants import read_instant


def read_since(since: Any) -> datetime:
    """The instant that ``since`` says, itself or by a duration before now; naive, in UTC."""
    if isinstance(since, str):
        with suppress(AsknownError, OverflowError):
            return datetime.now(UTC).replace(tzinfo=None) - timedelta(microseconds=microseconds(since))
    try:
        return read_instant(since, "since")
    except AsknownError as error:
        hint = "give a duration, as in '1 day', or an instant, as in '2013-07-01 12:00'"
        raise AsknownError(error.code, error.message, hint=hint) from None
