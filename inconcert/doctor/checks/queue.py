"""Does the queue keep up, and is its log as it was written?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from graph.clock import now, parse_time
from graph.log import Reading, digest_of, first_link
from inconcert.doctor import Finding, Site, ok, problem, warning

UNANSWERED_HOURS = 24
"""Orders that the platform has not acknowledged for so long are named."""

LAST_EVENTS = 1_000
"""So many events at the end of the log are recomputed without --deep."""

VERIFY = "`inconcert review verify` names what was changed; compare with a copy of the log."


def look(site: Site) -> Iterator[Finding]:
    """The log's chain, then cases that are overdue and orders without an answer."""
    yield from _chain(site)
    yield _cases(site)
    yield _orders(site)


def _chain(site: Site) -> Iterator[Finding]:
    if site.deep:
        from review.verify import verify

        found = verify(site.store, None, lambda done: site.tell(f"{done:,} events recomputed"))
        yield from (problem(sentence, VERIFY) for sentence in found.problems)
        if not found.problems:
            yield ok(f"The log is whole: {found.events:,} events, {found.views:,} views.")
        return
    with site.store.log.reading() as log:
        wrong = _wrong_at_end(log, first_link(site.store.properties.key_fingerprint))
    if wrong:
        yield problem(wrong, VERIFY)
    else:
        yield ok(f"The log's last {LAST_EVENTS:,} events are linked; --deep recomputes all.")


def _wrong_at_end(log: Reading, first: str) -> str | None:
    """What is wrong with the last events, or None. Others may write meanwhile."""
    head = log.head()
    number = max(head.number - LAST_EVENTS, 0)
    previous = first if number == 0 else None
    for event in log.events(after=number):
        number += 1
        if event.number != number:
            return f"Event {number} of the log is missing."
        if previous not in (None, event.previous):
            return f"Event {number} of the log does not follow the one before it."
        if digest_of(event[:-1]) != event.digest:
            return f"Event {number} of the log was changed: its digest is another."
        previous = event.digest
    return None if number >= head.number else f"The log's last event, {head.number}, is missing."


def _cases(site: Site) -> Finding:
    from review import moves
    from review.cases import CASE
    from review.clock import is_overdue

    cases = [case for case in site.store.log.views(CASE).values() if case["state"] != moves.CLOSED]
    over = sum(is_overdue(case, now()) for case in cases)
    if over:
        return warning(
            f"{over:,} of {len(cases):,} open cases are overdue.", "`inconcert review list`"
        )
    return ok(f"{len(cases):,} open cases, none overdue.")


def _orders(site: Site) -> Finding:
    from review.cases import ORDER
    from review.outbox import given

    waiting = given(site.store.log.views(ORDER).values())
    limit = timedelta(hours=UNANSWERED_HOURS)
    late = [one for one in waiting if now() - parse_time(one["at"]) > limit]
    if late:
        return warning(
            f"{len(late):,} orders wait for an answer for more than {UNANSWERED_HOURS} hours, the "
            f"oldest since {late[0]['at'][:19]}Z.",
            "Does the platform fetch them, and answer? `inconcert review orders list`",
        )
    return ok(f"{len(waiting):,} orders wait for an answer, none for long.")
