"""Is there room, and until when?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from graph.clock import now
from graph.errors import InconcertError
from graph.store import is_server
from inconcert.doctor import Finding, Site, ok, problem, unknown, warning

if TYPE_CHECKING:
    from graph.store import Batch, Store

GROWTH_DAYS = 30
"""A forecast goes by what was loaded in so many days."""

SHORT_DAYS = 30
"""A disk that is full sooner is warned of."""

LITTLE, TOO_LITTLE = 0.05, 0.01
"""Parts of a file system. Compaction needs room for a second copy of the largest table."""

TOO_LITTLE_BYTES = 100 << 20


def look(site: Site) -> Iterator[Finding]:
    """The file systems that the store, the refresh, its log and the archive are on, each once."""
    seen: set[int] = set()
    for what, path in _places(site):
        place = _existing(path)
        device = place.stat().st_dev
        if device not in seen:
            seen.add(device)
            yield _room(what, place)
    if site.is_server:
        yield unknown(
            "The server's disk is not to be seen from here.",
            "Watch it there; `inconcert store info` counts the facts.",
        )
    yield _forecast(site.store)


def _places(site: Site) -> Iterator[tuple[str, Path]]:
    if not site.is_server:
        yield "the store", Path(site.url)
    try:
        options = site.settings.refresh
        named = {"log": options.log, "metrics": options.metrics, "archive": options.archive}
        for what, path in named.items():
            if path:
                yield f"the {what}", path
        if options.folder:
            yield "the refresh", options.folder
        elif site.is_server:
            yield "the refresh", options.work_folder(site.store)
    except InconcertError:  # the checks of the settings and of the store say it
        return


def _existing(path: Path) -> Path:
    """The path, or of what is not there yet the folder that will hold it."""
    path = path.absolute()
    return next(one for one in (path, *path.parents) if one.exists())


def _room(what: str, place: Path) -> Finding:
    system = os.statvfs(place)
    free, total = system.f_bavail * system.f_frsize, system.f_blocks * system.f_frsize
    part = free / total if total else 0.0
    said = f"{_size(free)} of {_size(total)} free where {what} is ({place})."
    if free < TOO_LITTLE_BYTES or part < TOO_LITTLE:
        return problem(said, "Make room: a load that does not fit is refused.")
    if part < LITTLE:
        return warning(said, "Make room, or move it to a larger disk.")
    return ok(said)


def _forecast(store: Store) -> Finding:
    """When the disk of a folder is full, should what comes go on coming as it did."""
    loads = [batch for batch in store.batches() if batch.action == "load"]
    begin = now() - timedelta(days=GROWTH_DAYS)
    recent = [batch for batch in loads if batch.committed_at >= begin]
    rows_a_day = _rows(recent) / _days(loads)
    if is_server(store.url):
        return ok(
            f"The store grew by {rows_a_day:,.0f} facts a day in the last {GROWTH_DAYS} days."
        )
    held = sum(store.sizes().values())
    bytes_a_day = rows_a_day * held / max(_rows(loads), 1)
    if not bytes_a_day:
        return ok(f"The store has {_size(held)} and did not grow in the last {GROWTH_DAYS} days.")
    system = os.statvfs(store.url)
    days = system.f_bavail * system.f_frsize / bytes_a_day
    said = (
        f"The store has {_size(held)}; at the growth of the last {GROWTH_DAYS} days "
        f"({_size(bytes_a_day)} a day) its disk is full in {days:,.0f} days."
    )
    if days < SHORT_DAYS:
        return warning(said, "Make room, or move the store to a larger disk.")
    return ok(said)


def _rows(loads: list[Batch]) -> int:
    return sum(load.counts.loaded for load in loads)


def _days(loads: list[Batch]) -> float:
    """Over how many days the last loads came: a store that is younger grew in fewer, though not
    in less than one."""
    age = (now() - loads[0].committed_at).total_seconds() / 86_400 if loads else GROWTH_DAYS
    return min(max(age, 1.0), GROWTH_DAYS)


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} TiB"
