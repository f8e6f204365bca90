"""A campaign: accounts that begin to act as one on a day, buy up points, and split.

The story by days of the week. Until day 2 the members are ordinary accounts. From day 3 on
one of them pays the others, they are seen on a few phones, pay each other and collect points
from many sellers: over 3 % of the supply at the end of day 3, over 4 % of day 4, over 5 % of
day 5. From day 6 on there are two halves with phones of their own, which pay only among
themselves; on day 6 they sell a part of what they hold.

Members go on with their ordinary life; amounts and hours come from the frame, like everybody's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from inconcert.simulate.frame import (
    DAY_US,
    Facts,
    Floats,
    Ints,
    Platform,
    Rng,
    by_weight,
    capped,
    payments,
    sightings,
    together,
)

ONSET, SPLIT = 3, 6
"""The day from which they act as one, and the day of the split; days count from 1."""

FEWEST_MEMBERS, MOST_MEMBERS = 12, 20
PAYER_SHARE = 0.006
OTHERS_SHARE = 0.0165
LARGEST_OTHER = 0.003
"""What they hold before: the payer, the others together, the largest of these."""

BOUGHT = {3: 0.0105, 4: 0.0105, 5: 0.0105, 6: -0.005}
HANDED_OUT = 0.004
"""Parts of the supply: bought by day (less than 0: sold); what the payer hands out on day 3."""

LARGEST_LOT = 0.0006
FEWEST_LOTS = 40
ACCOUNTS_A_LOT = 500
INSIDE_A_DAY = 3
PARTNERS = 4
MEMBERS_A_PHONE = 5
HANDED_ON_A_DAY = 2
SEEN_PART = 0.8


@dataclass(frozen=True)
class Campaign:
    """The group. Accounts are integers.

    `members`: the first is the payer; `halves`: the same accounts as two parts; `numbers`:
    where the group's own identifier numbers begin.
    """

    members: Ints
    halves: tuple[Ints, Ints]
    shares: Floats
    numbers: int

    @classmethod
    def of(cls, members: Ints, numbers: int, rng: Rng) -> Campaign:
        """A campaign of these accounts, its shares and halves drawn."""
        weights = rng.lognormal(0.0, 0.4, len(members) - 1)
        others = capped(weights, OTHERS_SHARE, LARGEST_OTHER)
        mixed = rng.permutation(members)
        middle = len(members) // 2
        halves = (mixed[:middle], mixed[middle:])
        return cls(members, halves, np.concatenate([[PAYER_SHARE], others]), numbers)

    def parts(self, day: int) -> list[Ints]:
        """Who acts as one on a day: nobody, all, or each half for itself."""
        if day < ONSET:
            return []
        return [self.members] if day < SPLIT else list(self.halves)


@dataclass(frozen=True)
class Days:
    """The days of the week on the platform's calendar; they are its last ones."""

    platform: Platform
    count: int

    @property
    def start_us(self) -> int:
        """The first moment of day 1."""
        return self.platform.calendar.end_us - self.count * DAY_US

    def end_us(self, day: int) -> int:
        """The last microsecond of a day; of day 0, the one before the week."""
        return self.start_us + day * DAY_US - 1

    def moments(self, day: int, count: int, rng: Rng) -> Floats:
        """So many points in busy time, at the common rhythm of a day's hours."""
        calendar, begin = self.platform.calendar, self.start_us + (day - 1) * DAY_US
        edges = calendar.busy(begin), calendar.busy(begin + DAY_US)
        return rng.uniform(*edges, count)


def live(days: Days, campaign: Campaign, strangers: Ints, rng: Rng) -> Facts:
    """All that the group does. `strangers`: accounts that it may buy from and sell to."""
    acting = range(ONSET, days.count + 1)
    facts = [_act(days, campaign, day, rng) for day in acting]
    facts.append(Facts(transfers=_handed_out(days, campaign, rng)))
    facts += _trade(days, campaign, strangers, rng)
    return together(facts)


def _act(days: Days, campaign: Campaign, day: int, rng: Rng) -> Facts:
    """On one day each part pays among itself and is seen on its phones."""
    first = campaign.numbers + (0 if day < SPLIT else len(campaign.members))
    facts = []
    for number, part in enumerate(campaign.parts(day)):
        phones = first + number * len(part)
        seen = _phones(days, part, phones, day, rng)
        facts.append(Facts(transfers=_inside(days, part, day, rng), sightings=seen))
    return together(facts)


def _inside(days: Days, part: Ints, day: int, rng: Rng) -> pl.DataFrame:
    """Each pays a few of the next members in a fixed order."""
    times = rng.poisson(INSIDE_A_DAY, len(part))
    seat = np.repeat(np.arange(len(part)), times)
    step = 1 + rng.integers(0, PARTNERS, len(seat))
    busy = days.moments(day, len(seat), rng)
    return payments(days.platform, rng, part[seat], part[(seat + step) % len(part)], busy)


def _phones(days: Days, part: Ints, first: int, day: int, rng: Rng) -> pl.DataFrame:
    """Most are seen, each on the phone of whoever handles its account; that changes by day."""
    seat = np.flatnonzero(rng.random(len(part)) < SEEN_PART)
    handled = (seat + HANDED_ON_A_DAY * day) % len(part) // MEMBERS_A_PHONE
    at_us = days.platform.calendar.at(days.moments(day, len(seat), rng))
    return sightings(part[seat], "device", first + handled, at_us)


def _handed_out(days: Days, campaign: Campaign, rng: Rng) -> pl.DataFrame:
    """The payer gives each of the others a start, in one to three payments."""
    payer, others = campaign.members[0], campaign.members[1:]
    dst = np.repeat(others, rng.integers(1, 4, len(others)))
    weights = rng.lognormal(0.0, 0.4, len(dst))
    amount = _points(days.platform, HANDED_OUT) * weights / weights.sum()
    busy = days.moments(ONSET, len(dst), rng)
    return payments(days.platform, rng, np.full(len(dst), payer), dst, busy, amount)


def _trade(days: Days, campaign: Campaign, strangers: Ints, rng: Rng) -> Iterator[Facts]:
    """Lots bought from strangers and sold to them, each stranger at most once."""
    platform = days.platform
    lots = FEWEST_LOTS + platform.accounts // ACCOUNTS_A_LOT
    chosen = owners(platform, strangers, lots * len(BOUGHT), rng)
    split = np.array_split(chosen, len(BOUGHT))
    for (day, part), other in zip(BOUGHT.items(), split, strict=True):
        member = np.resize(rng.permutation(campaign.members[1:]), len(other))
        amount = lot_sizes(platform, other, abs(part), rng)
        src, dst = (other, member) if part > 0 else (member, other)
        busy = days.moments(day, len(other), rng)
        yield Facts(transfers=payments(platform, rng, src, dst, busy, amount))


def owners(platform: Platform, among: Ints, count: int, rng: Rng) -> Ints:
    """Different accounts, the richer the likelier, in random order."""
    score = rng.standard_exponential(len(among)) / np.maximum(platform.share[among], 1e-12)
    return rng.permutation(among[np.argsort(score, kind="stable")[:count]])


def lot_sizes(platform: Platform, sellers: Ints, part: float, rng: Rng) -> Floats:
    """Points in lots that are `part` of the supply together: more from who holds more."""
    weights = platform.share[sellers] * rng.uniform(0.1, 0.4, len(sellers))
    # several lots at the cap would be of one size, which nobody else's are
    sizes = capped(weights, part, LARGEST_LOT) * rng.uniform(0.7, 1.3, len(sellers))
    lots: Floats = _points(platform, part) * sizes / sizes.sum()
    return lots


def ordinary_lots(platform: Platform, people: Ints, rng: Rng) -> Facts:
    """Anybody may sell a good part of what it holds to somebody as rich, once in a while."""
    count = max(10, platform.accounts // 10)
    sellers = people[by_weight(rng, platform.share[people], count)]
    buyers = rng.permutation(people[by_weight(rng, platform.share[people], count)])
    most = np.minimum(platform.share[sellers], LARGEST_LOT)
    amount = _points(platform, 1.0) * most * rng.uniform(0.1, 0.4, count)
    return Facts(transfers=payments(platform, rng, sellers, buyers, rng.random(count), amount))


def _points(platform: Platform, part: float) -> float:
    """A part of the supply, in points."""
    return part * float(platform.cents.sum()) / 100.0
