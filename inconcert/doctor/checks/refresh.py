"""When did a refresh last go to its end, and does one wait or stand still?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from graph.clock import now, parse_time
from graph.log import Doc
from inconcert.doctor import Finding, Site, ok, problem, warning
from review import refreshes

OLD = timedelta(hours=36)
"""A night was missed."""


def look(site: Site) -> Iterator[Finding]:
    """The last one, the last good one, and the last night."""
    view = site.store.log.view
    last, good = (refreshes.latest(view, which) for which in (refreshes.LAST, refreshes.GOOD))
    if last is None:
        yield from _never(site)
        return
    if last["state"] == refreshes.HELD:
        yield problem(
            f"Refresh {last['number']} is held since {last['updated'][:19]}Z: "
            f"{last['alarms'][0]['text']}",
            f"`inconcert refresh show {last['number']}`, then `refresh release` or `refresh drop`.",
        )
    elif last["state"] == refreshes.RUNNING:
        yield from _unended(site, last)
    if good is None:
        yield warning("No refresh has gone to its end yet.", "`inconcert refresh list` lists all.")
        return
    age = now() - parse_time(good["ended"])
    said = f"Refresh {good['number']} went to its end {_ago(age)} ago ({good['ended'][:19]}Z)."
    if age > OLD:
        yield problem(said, "Does the timer run? `inconcert refresh` goes on by hand.")
    else:
        yield ok(said)
        yield from _nights(refreshes.last_night(view))


def _nights(night: Doc | None) -> Iterator[Finding]:
    """Where increments go on and nights do not."""
    age = now() - parse_time(night["ended"]) if night else None
    if age is None or age > OLD:
        when = f"for {_ago(age)}" if age else "yet"
        yield warning(
            f"No night has gone to its end {when}, only increments.",
            "Does its timer run? Streams that shrink and old months are looked at by nights.",
        )


def _never(site: Site) -> Iterator[Finding]:
    run = site.store.current_run()
    said = (
        f"The last run is {run.id}, {_ago(now() - run.created_at)} ago."
        if run
        else "Nothing was ever detected here."
    )
    if site.settings.feed:
        yield warning(
            f"There are feeds, and no refresh of this store yet. {said}",
            "Set the timer, see docs/operation.md.",
        )
    else:
        yield ok(f"There was no refresh of this store. {said}")


def _unended(site: Site, last: Doc) -> Iterator[Finding]:
    doing = site.store.refresher()
    stage = refreshes.next_stage(last)
    said = f"Refresh {last['number']} has come to {stage}"
    if doing:
        yield ok(f"{said}: {doing}.")
    else:
        yield warning(
            f"{said} and stands still since {last['updated'][:19]}Z: it was stopped.",
            "The next refresh goes on with it.",
        )


def _ago(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    if hours < 1:
        return f"{hours * 60:,.0f} minutes"
    return f"{hours:,.1f} hours" if hours < 48 else f"{hours / 24:,.0f} days"
