"""What is so unlikely that a person looks at it before anything follows from it.

An alarm is a function of what a refresh took in and found, and of what the last good one had;
the list at the end names them all. None of them changes anything.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from statistics import median
from typing import Any

from graph.clock import parse_time
from graph.log import Doc
from inconcert.refresh.settings import AlarmSettings
from review.lineage import HALF, mostly_in

USUAL = 7
"""What a feed usually brings is the median of so many nights before."""

LEAST_NIGHTS = 3
"""Before there were so many nothing is usual."""

MOST_NIGHTS = 100
"""Nights before so many are no measure any more."""

GAPS = 2
"""So many times as long as it ever was, a feed's silence is no rhythm any more."""


@dataclass(frozen=True)
class Seen:
    """What alarms look at. `good`: the number of the last good refresh, 0: none; what came in since
    is not acted on yet. `nightly`: a night is among that, this one or one that was held. `nights`:
    then, the numbers of the last good nights, ascending. `feeds`: those that are set now.
    `deliveries`: all that was ever taken and not withdrawn, oldest first. `before`: what the last
    night had, or what a person released since (`review.refreshes.measure_of`), None without one;
    `groups_before`: the groups of the last good refresh with their members, where these are still
    kept."""

    good: int
    nightly: bool
    nights: Sequence[int]
    feeds: Collection[str]
    moment: datetime
    deliveries: Sequence[Doc]
    result: Mapping[str, Any]
    evidence: Mapping[str, Mapping[str, float]]
    before: Mapping[str, Any] | None
    groups_before: Sequence[Mapping[str, Any]]
    limits: AlarmSettings

    def new(self) -> list[Doc]:
        """What nothing has followed from yet: what a refresh that was held took, too."""
        return [one for one in self.deliveries if one["refresh"] > self.good]


Alarm = dict[str, str]
"""`alarm`: its name; `text`: a sentence; `hint`: what to look at."""


def alarms(seen: Seen) -> list[Alarm]:
    """Every alarm that there is cause for."""
    return [
        {"alarm": name, "text": text, "hint": hint}
        for name, (look, hint) in ALARMS.items()
        for text in look(seen)
    ]


def _shrunk(seen: Seen) -> Iterator[str]:
    """Streams by the rows of a night, complete statements by those of the one before."""
    new = seen.new()
    for feed in sorted({one["feed"] for one in seen.deliveries}):
        every = [one for one in seen.deliveries if one["feed"] == feed]
        stated = [one for one in every if one["complete"]]
        for before, now in pairwise(stated):
            if now in new and now["read"] < seen.limits.statement * before["read"]:
                yield (
                    f"The statement of {feed} lists {now['read']:,} rows, the one before it "
                    f"{before['read']:,}."
                )
        if seen.nightly and not stated and feed in seen.feeds:
            *nights, last = _rows_of_nights(every, seen.nights)
            usual = _usual(nights, last)
            if last < seen.limits.shrunk * usual:
                yield f"{feed} brought {last:,} rows; usual are {usual:,.0f}."


def _rows_of_nights(deliveries: Sequence[Doc], nights: Sequence[int]) -> list[int]:
    """The rows that came to each night since a feed first came, what came in the day before it
    included; at the end those of the night that is not acted on yet. What came up to the first of
    the nights is left out: it is all that there was."""
    rows = [0] * (len(nights) + 1)
    for one in deliveries:
        rows[bisect_left(nights, one["refresh"])] += one["read"]
    first = bisect_left(nights, deliveries[0]["refresh"])
    return rows[min(max(first, 1), len(nights)) :]


def _usual(nights: Sequence[int], last: int) -> float:
    """What is usual of a night. One that brought something is measured by those that did: a feed
    of each Monday by Mondays. One that brought nothing is missed where each of these brought
    something: a feed of working days does not come at a weekend (and may be stale)."""
    alike = [rows for rows in nights if rows or not last][-USUAL:]
    if len(alike) < LEAST_NIGHTS or not all(alike):
        return 0
    return median(alike)


def _stale(seen: Seen) -> Iterator[str]:
    """A feed without a rhythm of its own in the settings has the one that it showed."""
    for feed in sorted(seen.feeds):
        brought = [one for one in seen.deliveries if one["feed"] == feed and one["read"]]
        times = sorted(parse_time(one["at"]) for one in brought)
        silent = _hours(times[-1], seen.moment) if times else 0.0
        gaps = [_hours(one, other) for one, other in pairwise(times)]
        shown = GAPS * max(gaps) if len(times) >= LEAST_NIGHTS else float("inf")
        usual = max(seen.limits.stale_hours, shown)
        if silent > seen.limits.stale_hours_of.get(feed, usual):
            yield f"{feed} brought nothing for {silent:,.0f} hours."


def _hours(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds() / 3600


def _supply(seen: Seen) -> Iterator[str]:
    if seen.before is None or not Decimal(seen.before["supply"]):
        return
    before, now = Decimal(seen.before["supply"]), Decimal(seen.result["supply"])
    if abs(now - before) > Decimal(str(seen.limits.supply)) * before:
        yield f"The base is {now:,.2f}; it was {before:,.2f}."


def _quarantined(seen: Seen) -> Iterator[str]:
    new = seen.new()
    for feed in sorted({one["feed"] for one in new}):
        rows = [one for one in new if one["feed"] == feed]
        read = sum(one["read"] for one in rows)
        refused = sum(one["quarantined"] + one["conflicts"] for one in rows)
        if refused > seen.limits.quarantined * read:
            yield f"{refused:,} of {read:,} rows of {feed} were refused."


def _large(seen: Seen) -> Iterator[str]:
    known = {
        account
        for group in seen.groups_before
        if group["share"] >= seen.limits.share
        for account in _held(group)
    }
    for group in _highest(seen.result["groups"]):
        held = _held(group)
        if group["share"] >= seen.limits.share:
            old = sum(share for account, share in held.items() if account in known)
            if old <= HALF * sum(held.values()):
                yield f"Group {group['id']} holds {group['share']:.2%}, and held less."


def _merged(seen: Seen) -> Iterator[str]:
    before = [
        _held(group)
        for group in _highest(seen.groups_before)
        if group["share"] >= seen.limits.merged
    ]
    for group in _highest(seen.result["groups"]):
        held = _held(group)
        inside = [old for old in before if mostly_in(old, held)]
        if len(inside) > 1:
            shares = " and ".join(f"{sum(old.values()):.2%}" for old in inside)
            yield f"Groups that held {shares} are one now: {group['id']}, {group['share']:.2%}."


def _evidence(seen: Seen) -> Iterator[str]:
    if seen.before is None:
        return
    for family, said in sorted(seen.evidence.items()):
        old = seen.before["evidence"].get(family, {"pairs": 0, "bits": 0.0})
        if (
            said["pairs"] >= seen.limits.least_pairs
            and said["bits"] > seen.limits.evidence * old["bits"]
        ):
            yield (
                f"What {family} says doubled: {said['bits']:,.0f} bits on {said['pairs']:,} "
                f"pairs, {old['bits']:,.0f} on {old['pairs']:,} before."
            )


def _highest(groups: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Each group once, though it is over several lines, with a few more at a lower one: at the
    highest."""
    found: list[Mapping[str, Any]] = []
    for group in sorted(groups, key=lambda one: (-one["line"], -one["share"], one["id"])):
        held = _held(group)
        if len(held) > 1 and not any(mostly_in(held, _held(other)) for other in found):
            found.append(group)
    return found


def _held(group: Mapping[str, Any]) -> dict[str, float]:
    return {one["account"]: one["share"] for one in group["members"]}


ALARMS = {
    "shrunk": (_shrunk, "Was the export whole? `inconcert store withdraw BATCH` takes it back."),
    "stale": (_stale, "Does the feed still get its files?"),
    "supply": (_supply, "Was it issued or burnt? `inconcert supply set` states it."),
    "quarantined": (_quarantined, "The quarantine file of the batch says why."),
    "large": (_large, "Look at what joined them: is it a fault of the facts?"),
    "merged": (_merged, "Look at what joined them: is it a fault of the facts?"),
    "evidence": (_evidence, "A column that holds one value for all would do this."),
}
"""By name: what looks for it, and what to look at then."""
