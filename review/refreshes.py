"""What the log knows of refreshes: which stage each has come to, what it took in, what held it.

Events have the subject "refresh/17". A refresh goes through STAGES in their order; each is
recorded when it is done, with the batches that it is of, a digest of the settings it went by and
what came out, so whoever goes on after a failure begins where that stopped. Views: `refresh`, by
number; `refreshing`, which came last and which was the last good one; `delivery`, what was taken
from a feed, by feed and batch.
"""

from __future__ import annotations

from collections.abc import Callable

from graph.errors import UserError
from graph.log import Actor, Desk, Doc, Draft, Event, Views

PREFIX = "refresh/"
REFRESH, REFRESHING, DELIVERY = "refresh", "refreshing", "delivery"
LAST, GOOD = "last", "good"

STAGES = ("load", "detect", "check", "publish", "queue", "orders", "retention")

RUNNING, HELD, ENDED, DROPPED = "running", "held", "ended", "dropped"
"""States. A held one goes on when a person releases it, and never when it is dropped."""

NIGHTLY, INCREMENT = "nightly", "increment"

Change = Callable[[Doc, Doc, Event, Views], None]
"""Brings a refresh (first) up to date with what an event says (second)."""


def subject(number: int) -> str:
    """The subject of the events of a refresh."""
    return f"{PREFIX}{number}"


def key_of(number: int) -> str:
    """The key of a refresh's view: in the order of keys they are in that of time."""
    return f"{number:09}"


def begin(desk: Desk, actor: Actor, sort: str, facts: Doc) -> Doc:
    """Record that a refresh begins; the refresh. One that was held is dropped: this one takes
    in what it took in, too, and is compared with the same good run."""
    last = latest(desk.get, LAST)
    number = last["number"] + 1 if last else 1
    if last and last["state"] == HELD:
        record(desk, actor, last, "dropped", {"reason": f"Refresh {number} follows it."})
    measure = measure_of(latest(desk.get, GOOD))
    draft = Draft(subject(number), "begun", {"sort": sort, "measure": measure, **facts})
    desk.record(actor, draft)
    return refresh_of(desk.get, number)


def record(
    desk: Desk, actor: Actor, refresh: Doc, action: str, facts: Doc, words: str | None = None
) -> Doc:
    """Record what happened to a refresh; the refresh after it."""
    desk.record(actor, Draft(subject(refresh["number"]), action, facts, words))
    return refresh_of(desk.get, refresh["number"])


def refresh_of(get: Callable[[str, str], Doc | None], number: int) -> Doc:
    """A refresh. `get`: a desk's, or a log's `view`. UserError where there is none."""
    found = get(REFRESH, key_of(number))
    if found is None:
        raise UserError(
            f"There is no refresh {number}.", "`inconcert refresh list` shows the last ones."
        )
    return found


def latest(get: Callable[[str, str], Doc | None], which: str) -> Doc | None:
    """The refresh that came last, or the last good one (`which`: LAST or GOOD); None where there is
    none. `get`: as of `refresh_of`."""
    found = get(REFRESHING, which)
    return refresh_of(get, found["number"]) if found else None


def newest(get: Callable[[str, str], Doc | None], most: int) -> list[Doc]:
    """The refreshes that came last, newest first, at most so many. `get`: as of `refresh_of`."""
    last = get(REFRESHING, LAST)
    number = int(last["number"]) if last else 0
    return [refresh_of(get, one) for one in range(number, max(number - most, 0), -1)]


def measure_of(good: Doc | None) -> int | None:
    """The number of the refresh that alarms go by after the last good one: that one, or where it
    was an increment that nobody looked at, what that went by. So what creeps in through increments
    is measured by the night before, or by what a person released."""
    if good is None or good["sort"] == NIGHTLY or "released" in good:
        return int(good["number"]) if good else None
    return int(good.get("measure") or good["number"])


def nights_before(get: Callable[[str, str], Doc | None], refresh: Doc, most: int) -> list[int]:
    """The numbers of the last good nights before a refresh, ascending, at most so many: each
    refresh knows the one that it is measured by. `get`: as of `refresh_of`."""
    nights: list[int] = []
    while (number := refresh.get("measure")) and len(nights) < most:
        refresh = refresh_of(get, number)
        if refresh["sort"] == NIGHTLY:
            nights.append(number)
    return nights[::-1]


def last_night(get: Callable[[str, str], Doc | None]) -> Doc | None:
    """The last night that went to its end; None where there is none. `get`: as of `refresh_of`."""
    good = latest(get, GOOD)
    if good is None or good["sort"] == NIGHTLY:
        return good
    before = nights_before(get, good, 1)
    return refresh_of(get, before[0]) if before else None


def next_stage(refresh: Doc) -> str | None:
    """The stage that comes next; None after the last one."""
    return next((stage for stage in STAGES if stage not in refresh["stages"]), None)


def project_refresh(event: Event, views: Views) -> None:
    """Bring the views up to date with an event of a refresh."""
    number = int(event.subject.removeprefix(PREFIX))
    refresh = views.get(REFRESH, key_of(number)) or {"number": number, "stages": {}}
    refresh["updated"] = event.at
    CHANGES[event.action](refresh, event.facts, event, views)
    views.put(REFRESH, key_of(number), refresh)


def _begun(refresh: Doc, said: Doc, event: Event, views: Views) -> None:
    refresh |= {**said, "state": RUNNING, "begun": event.at, "by": event.user, "alarms": []}
    views.put(REFRESHING, LAST, {"number": refresh["number"]})


def _taking(refresh: Doc, said: Doc, event: Event, views: Views) -> None:
    refresh["taking"] = said


def _took(refresh: Doc, said: Doc, event: Event, views: Views) -> None:
    refresh.pop("taking", None)
    doc = {**said, "refresh": refresh["number"], "at": event.at}
    views.put(DELIVERY, f"{said['feed']}/{said['batch']:09}", doc)


def _staged(refresh: Doc, said: Doc, event: Event, views: Views) -> None:
    done = {name: said[name] for name in ("known_at", "settings", "seconds", "out")}
    refresh["stages"] = {**refresh["stages"], said["stage"]: {**done, "at": event.at}}


def _held(refresh: Doc, said: Doc, event: Event, views: Views) -> None:
    refresh |= {"state": HELD, "alarms": said["alarms"]}


def _released(refresh: Doc, said: Doc, event: Event, views: Views) -> None:
    refresh |= {"state": RUNNING, "released": {"by": event.user, "at": event.at}}


def _dropped(refresh: Doc, said: Doc, event: Event, views: Views) -> None:
    refresh |= {"state": DROPPED, "dropped": {"by": event.user, "at": event.at, **said}}


def _ended(refresh: Doc, said: Doc, event: Event, views: Views) -> None:
    refresh |= {"state": ENDED, "ended": event.at}
    views.put(REFRESHING, GOOD, {"number": refresh["number"]})


CHANGES: dict[str, Change] = {
    "begun": _begun,
    "taking": _taking,
    "took": _took,
    "staged": _staged,
    "held": _held,
    "released": _released,
    "dropped": _dropped,
    "ended": _ended,
}
"""What each action does to a refresh."""
