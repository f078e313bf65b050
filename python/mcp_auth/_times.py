"""Times, as they are given."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from .settings import Seconds


def unix_seconds(time: object) -> int | None:
    """The first whole second that is not before this time."""
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise ValueError("revoke: issued_until must have a timezone, as `datetime.now(timezone.utc)` has")
        return math.ceil(time.timestamp())
    if time is not None and (not isinstance(time, int) or isinstance(time, bool) or time < 0):
        raise TypeError(f"revoke: issued_until must be seconds since 1970, or a datetime, not {time!r}")
    return time


def seconds_of(name: str, given: Seconds, lowest: int, faults: list[str]) -> float:
    """A time in seconds, with a fault where it is none, or not above 0 and at least `lowest`."""
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    is_number = isinstance(cast("object", seconds), (int, float)) and not isinstance(cast("object", seconds), bool)
    if not is_number or not 0 < seconds <= 3600 or seconds < lowest:
        least = f"{lowest} or more" if lowest else "above 0"
        faults.append(f"{name}: must be seconds, {least} and 3600 at most, not {seconds!r}")
    return seconds
