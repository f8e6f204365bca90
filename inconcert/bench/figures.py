"""What a measurement says: seconds beside a yardstick's, goals, and where it was run."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, TypeVar

_T = TypeVar("_T")


def timed(work: Callable[[], _T]) -> tuple[float, _T]:
    """Wall seconds, and what the work returned."""
    begun = time.perf_counter()
    answer = work()
    return time.perf_counter() - begun, answer


def times(seconds: Sequence[float], yardstick: Sequence[float]) -> float:
    """How many times as long as the yardstick: the median of the pairs, which were measured
    one right after the other, so that a machine that slows down does so for both."""
    return median(one / other for one, other in zip(seconds, yardstick, strict=True))


def target(
    what: str, measured: float, target: float, more_is_better: bool = False
) -> dict[str, Any]:
    """A goal, and whether it was met."""
    met = measured >= target if more_is_better else measured <= target
    return {"what": what, "measured": round(measured, 2), "target": target, "met": met}


def machine() -> dict[str, Any]:
    """What was measured on."""
    return {
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }
