"""How far a feed of rows has been read: a column that grows with every change of a row.

Its values are handled as whole numbers, called positions: microseconds since 1970 for times
(naive means UTC), the value itself for numbers.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

from graph.clock import iso, parse_time

Unit = Literal["time", "number"]
Overlap = timedelta | int

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DURATION = re.compile(r"([0-9]+)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MOST_SECONDS = 36_500 * 86_400
_MOST = 2**62


def parse_overlap(given: object) -> Overlap:
    """`"90s"`, `"15m"`, `"2h"`, `"3d"` as a duration; a whole number stays one.

    ValueError for anything else, and for more than a hundred years.
    """
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= _MOST:
        return given
    found = _DURATION.fullmatch(given.strip()) if isinstance(given, str) else None
    seconds = int(found[1]) * _SECONDS[found[2]] if found else None
    if seconds is None or seconds > _MOST_SECONDS:
        raise ValueError("is a duration such as '2h' or '15m', or for numbers a whole number")
    return timedelta(seconds=seconds)


def position(moment: datetime) -> int:
    """A time as a position."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(position: int) -> datetime:
    """A position as the time that it is."""
    return _EPOCH + position * _MICROSECOND


def shown(position: int, unit: Unit) -> str | int:
    """A position as a mark holds it."""
    return iso(moment(position)) if unit == "time" else position


def from_shown(value: str | int, unit: Unit) -> int:
    """The position that a mark holds."""
    return position(parse_time(str(value))) if unit == "time" else int(value)


def width(overlap: Overlap, unit: Unit) -> int | None:
    """An overlap in positions; None when it is of the other unit."""
    if overlap == 0:
        return 0
    if isinstance(overlap, timedelta):
        return overlap // _MICROSECOND if unit == "time" else None
    return overlap if unit == "number" else None
