"""Do the clocks agree: the machine's, the log's, the facts', the server's?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from graph.clock import iso, now, parse_time
from graph.log import MOST_AHEAD
from inconcert.doctor import Finding, Site, ok, problem, warning

APART = timedelta(seconds=30)
"""What a server's clock and this one may differ by: leases go by it."""

FUTURE = timedelta(days=1)
"""Facts may be so far ahead: a day that began elsewhere."""


def look(site: Site) -> Iterator[Finding]:
    """Each against the clock that commands go by."""
    if os.environ.get("INCONCERT_NOW"):
        yield warning(
            f"INCONCERT_NOW sets the clock to {iso(now())}.", "Unset it, but for a rehearsal."
        )
    else:
        yield ok(f"It is {iso(now())[:19]}Z.")
    yield _log(site)
    yield from _facts(site)
    if site.is_server:
        yield _server(site)


def _log(site: Site) -> Finding:
    head = site.store.log.head()
    if not head.number:
        return ok("The log has no event yet.")
    if now() < parse_time(head.at):
        return problem(
            f"The clock is behind the log: its last event is of {head.at}.",
            "Set the machine's clock right; until then nothing can be recorded.",
        )
    return ok(f"The log's last event is of {head.at}.")


def _facts(site: Site) -> Iterator[Finding]:
    late = [
        batch
        for batch in site.store.batches()
        if batch.latest_at and not batch.withdrawn and batch.latest_at > now() + FUTURE
    ]
    if late:
        last = max(late, key=lambda batch: batch.latest_at or now())
        yield warning(
            f"Facts are in the future: in {len(late)} batches, the last of "
            f"{iso(last.latest_at or now())} (batch {last.batch}).",
            "Is the column of times, or its unit, another one? A refresh takes them as of now.",
        )
    else:
        yield ok("No fact is in the future.")


def _server(site: Site) -> Finding:
    from graph.neo4j.store import Neo4jStore

    store = site.store
    assert isinstance(store, Neo4jStore)
    begun = datetime.now(UTC)
    theirs = parse_time(store.server.read("store/clock")[0]["now"])
    between = theirs - (begun + (datetime.now(UTC) - begun) / 2)
    seconds = between.total_seconds()
    said = f"The server's clock and this machine's differ by {abs(seconds):.1f} s."
    if abs(between) > MOST_AHEAD:
        return problem(said, "Set them by one time service (NTP).")
    if abs(between) > APART:
        return warning(said, "Set them by one time service (NTP).")
    return ok(said)
