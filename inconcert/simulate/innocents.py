"""Innocent structure: what looks like concert and is none.

A new one is one function under `@innocent(...)`: it gets the platform, its cast (who was
reserved for it) and a random generator of its own, and returns facts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from inconcert.simulate.frame import (
    ROLES,
    Facts,
    Floats,
    Ints,
    Platform,
    Rng,
    by_weight,
    capped,
    links,
    payments,
    rows,
    sightings,
)


@dataclass(frozen=True)
class Cast:
    """The accounts reserved for one structure.

    `heads` are institutions, `members` people with a claimed holding; `numbers` is where the
    structure's own identifier numbers begin.
    """

    heads: Ints
    members: Ints
    numbers: int


@dataclass(frozen=True)
class Innocent:
    """One innocent structure: how many accounts it reserves, what they hold, how they live."""

    name: str
    live: Callable[[Platform, Cast, Rng], Facts]
    heads: Callable[[int], int]
    head_share: float
    role: int
    members: Callable[[int], int]
    member_share: float
    largest: float
    exact: tuple[float, ...]

    def member_shares(self, rng: Rng, count: int) -> Floats:
        """What the members hold, as shares of the supply."""
        if self.exact or not count:
            return np.array(self.exact)
        return capped(rng.lognormal(0.0, 0.5, count), self.member_share, self.largest)


INNOCENTS: dict[str, Innocent] = {}
"""All registered structures by name."""

Life = Callable[[Platform, Cast, Rng], Facts]


def scaled(part: float, least: int, most: int) -> Callable[[int], int]:
    """A number that grows with the accounts between two bounds."""
    return lambda accounts: int(np.clip(round(part * accounts), least, most))


def _count(number: Callable[[int], int] | int) -> Callable[[int], int]:
    return number if callable(number) else lambda _: number


def innocent(
    *,
    heads: Callable[[int], int] | int = 0,
    head_share: float = 0.0,
    role: str | None = None,
    members: Callable[[int], int] | int = 0,
    member_share: float = 0.0,
    largest: float = 1.0,
    exact: tuple[float, ...] = (),
) -> Callable[[Life], Life]:
    """Registers a structure under its function's name.

    `heads` institutions of a `role` hold `head_share` together; `members` people hold
    `member_share` together and none above `largest`, or `exact` shares one by one.
    """

    def register(live: Life) -> Life:
        name = live.__name__
        INNOCENTS[name] = Innocent(
            name,
            live,
            _count(heads),
            head_share,
            ROLES.index(role),
            (lambda _: len(exact))
            if exact
            else members
            if callable(members)
            else lambda _: members,
            member_share,
            largest,
            exact,
        )
        return live

    return register


@innocent(heads=scaled(1 / 400, 10, 5000), head_share=0.01, role="merchant")
def merchants(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """Shops of all sizes; everybody buys from a few of them; some sell subscriptions."""
    size = rng.pareto(1.1, len(cast.heads)) + 1.0
    price = rng.lognormal(0.0, 0.7, len(cast.heads))
    buyers = np.repeat(platform.people, rng.poisson(1.5, len(platform.people)))
    shop = rng.permutation(by_weight(rng, size, len(buyers)))
    weight = 0.3 * platform.activity[buyers] * rng.lognormal(-0.5, 1.0, len(buyers))
    amount = 0.5 * price[shop] * platform.typical[buyers]
    trade = links(buyers, cast.heads[shop], weight, amount, back=0.03, kind="payment")
    return Facts(links=trade, transfers=_subscriptions(platform, cast.heads, rng))


def _subscriptions(platform: Platform, shops: Ints, rng: Rng) -> pl.DataFrame:
    """The same amount every thirty days from the same subscriber."""
    sellers = shops[: max(1, len(shops) // 20)]
    subscribers = platform.draw_people(rng, int(0.02 * min(platform.transfers, platform.accounts)))
    days = platform.calendar.days
    times = np.arange(max(1, days // 30))
    fee = rng.choice(np.array([499, 999, 1500, 2999]), len(subscribers))
    who = np.repeat(np.arange(len(subscribers)), len(times))
    begin = rng.random(len(subscribers)) * min(30.0, days) / days
    busy = begin[who] * 0.99 + np.tile(times, len(subscribers)) * platform.calendar.busy_days(30)
    seller = rng.choice(sellers, len(subscribers))
    at_us = platform.calendar.at(np.minimum(busy, 0.999999))
    return rows(subscribers[who], seller[who], fee[who], at_us, "payment")


@innocent(heads=1, head_share=0.01, role="exchange")
def exchange(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """One known exchange: a hub with a twentieth of all accounts as customers."""
    customers = platform.draw_people(rng, platform.accounts // 20)
    return _custody(platform, cast.heads, customers, rng, "deposit")


@innocent(heads=3, head_share=0.003)
def small_exchanges(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """Three exchanges that the platform does not know as such."""
    customers = platform.draw_people(rng, max(60, platform.accounts // 70))
    return _custody(platform, cast.heads, customers, rng, "transfer")


def _custody(platform: Platform, hubs: Ints, customers: Ints, rng: Rng, kind: str) -> Facts:
    hub = rng.choice(hubs, len(customers))
    weight = 0.4 * platform.activity[customers] * rng.lognormal(-0.5, 1.0, len(customers))
    amount = 3.0 * platform.typical[customers]
    return Facts(links=links(customers, hub, weight, amount, back=0.45, kind=kind))


@innocent(heads=1, head_share=0.01, role="treasury")
def treasury(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """Two airdrops of equal amounts to very many."""
    count = int(0.04 * min(platform.transfers, 2 * platform.accounts))
    drops = []
    for cents in (2500, 10000):
        lucky = rng.permutation(platform.people)[:count]
        begin = platform.calendar.at(np.array([rng.uniform(0.1, 0.9)]))[0]
        at_us = begin + 1000 * rng.integers(0, 3_600_000, len(lucky))
        at_us = np.minimum(at_us, platform.calendar.end_us - 1_000_000)
        giver = np.full(len(lucky), cast.heads[0])
        drops.append(rows(giver, lucky, np.full(len(lucky), cents), at_us, "airdrop"))
    return Facts(transfers=pl.concat(drops))


@innocent(
    heads=1,
    head_share=0.005,
    role="payroll",
    members=scaled(0.0025, 20, 5000),
    member_share=0.055,
    largest=0.02,
)
def payroll(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """A large employer whose staff together hold over 5 %."""
    return _wages(platform, np.repeat(cast.heads, len(cast.members)), cast.members, rng, "salary")


@innocent(heads=scaled(1 / 4000, 2, 2000), head_share=0.002)
def small_employers(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """Employers that the platform does not know as such; anybody may work there."""
    staff = rng.permutation(platform.people)[: max(10, platform.accounts // 125)]
    return _wages(platform, rng.choice(cast.heads, len(staff)), staff, rng, "transfer")


def _wages(platform: Platform, employer: Ints, staff: Ints, rng: Rng, kind: str) -> Facts:
    """The same wage on every payday, all within one hour."""
    paydays = platform.calendar.paydays(hour=9)
    wage = np.maximum(1, np.rint(rng.lognormal(5.5, 0.5, len(staff)) / 10)).astype(np.int64) * 1000
    who = np.tile(np.arange(len(staff)), len(paydays))
    at_us = np.repeat(paydays, len(staff)) + 1000 * rng.integers(0, 3_600_000, len(who))
    return Facts(transfers=rows(employer[who], staff[who], wage[who], at_us, kind))


@innocent()
def marketplace(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """People who sell to many strangers, mostly once."""
    sellers = platform.draw_people(rng, max(10, platform.accounts // 100))
    popularity = rng.pareto(1.2, len(sellers)) + 1.0
    buyers = rng.permutation(by_weight(rng, platform.activity, platform.accounts // 2))
    seller = sellers[by_weight(rng, popularity, len(buyers))]
    amount = 0.5 * platform.typical[buyers] * rng.lognormal(0.0, 0.5, len(buyers))
    weight = 0.2 * rng.lognormal(-0.5, 1.0, len(buyers))
    return Facts(links=links(buyers, seller, weight, amount, back=0.03))


@innocent()
def referral_pyramid(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """Referral trees in order of opening; the largest holds over 40 % of all accounts."""
    people = platform.people[np.argsort(platform.opened_us[platform.people], kind="stable")]
    tree = rng.choice(4, len(people), p=[0.46, 0.1, 0.04, 0.4])
    branches = []
    for number in range(3):
        tree_people = people[tree == number]
        place = np.arange(1, len(tree_people))
        parent = np.floor(place * rng.random(len(place)) ** 2).astype(np.int64)
        branches.append(
            pl.DataFrame(
                {
                    "referrer": tree_people[parent].astype(np.int32),
                    "referred": tree_people[place].astype(np.int32),
                }
            )
        )
    return Facts(referrals=pl.concat(branches))


@innocent()
def households(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """Two to five people who share a line, often a device, and pay each other."""
    people = rng.permutation(platform.people)[: max(6, int(0.06 * platform.accounts))]
    household = _circles(rng, len(people), 2, 5)
    return _home(platform, people, household, cast.numbers, rng)


@innocent(exact=(0.045, 0.0025, 0.002, 0.0015))
def rich_household(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """A household over the line, nearly all of it with one member."""
    household = np.zeros(len(cast.members), dtype=np.int64)
    facts = _home(platform, cast.members, household, cast.numbers, rng)
    device = sightings(
        cast.members,
        "device",
        np.full(len(cast.members), cast.numbers),
        platform.calendar.at(rng.random(len(cast.members))),
    )
    return replace(facts, sightings=pl.concat([facts.sightings, device]))


def _home(platform: Platform, people: Ints, household: Ints, numbers: int, rng: Rng) -> Facts:
    shared = rng.random(int(household.max()) + 1) < 0.5
    with_device = np.flatnonzero(shared[household])
    at_line = platform.calendar.at(rng.random(len(people)))
    at_device = platform.calendar.at(rng.random(len(with_device)))
    value = numbers + household
    seen = [
        sightings(people, "ip", value, at_line),
        sightings(people[with_device], "device", value[with_device], at_device),
    ]
    return Facts(
        links=_closeness(platform, people, household, 0.25, rng), sightings=pl.concat(seen)
    )


@innocent()
def friends(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """Circles of three to six friends who pay each other back and forth."""
    people = rng.permutation(platform.people)[: max(6, platform.accounts // 20)]
    circle = _circles(rng, len(people), 3, 6)
    return Facts(links=_closeness(platform, people, circle, 0.2, rng))


def _circles(rng: Rng, count: int, smallest: int, largest: int) -> Ints:
    """The number of the circle of each of `count` people; sizes uniform between two bounds."""
    sizes = rng.integers(smallest, largest + 1, count // smallest + 1)
    return np.repeat(np.arange(len(sizes)), sizes)[:count]


def _closeness(
    platform: Platform, people: Ints, circle: Ints, strength: float, rng: Rng
) -> pl.DataFrame:
    """A link between any two people of one circle."""
    seats = pl.DataFrame({"circle": circle, "who": people, "seat": np.arange(len(people))})
    pairs = (
        seats.join(seats, on="circle", maintain_order="left_right")
        .filter(pl.col("seat") < pl.col("seat_right"))
        .select("who", "who_right")
    )
    a, b = pairs["who"].to_numpy(), pairs["who_right"].to_numpy()
    weight = strength * np.sqrt(platform.activity[a] * platform.activity[b])
    amount = np.sqrt(platform.typical[a] * platform.typical[b])
    return links(a, b, weight * rng.lognormal(-0.5, 1.0, len(a)), amount, back=0.45)


@innocent(members=scaled(0.003, 24, 3000), member_share=0.06, largest=0.02)
def club(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """A dense hobby club that trades among itself and holds over 5 %."""
    partners = min(10, len(cast.members) // 3)
    a = np.repeat(cast.members, partners)
    b = rng.choice(cast.members, len(a))
    weight = 1.2 * platform.activity[a] / partners * rng.lognormal(-0.5, 1.0, len(a))
    amount = np.sqrt(platform.typical[a] * platform.typical[b])
    return Facts(links=links(a, b, weight, amount, back=0.5))


@innocent()
def public_wifi(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """Cafés, stations, campuses: hundreds on one IP."""
    places = max(2, platform.accounts // 20_000)
    visitors = int(np.clip(0.01 * platform.accounts, 20, 400))
    who = rng.choice(platform.people, places * visitors)
    place = cast.numbers + np.repeat(np.arange(places), visitors)
    at_us = platform.calendar.at(rng.random(len(who)))
    return Facts(
        sightings=sightings(who, "ip", place, at_us).unique(
            ("account", "value"), keep="first", maintain_order=True
        )
    )


@innocent(exact=(0.0305, 0.0285))
def otc(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """Two whales of about 3 % each and one large deal between them."""
    seller, buyer = cast.members[:1], cast.members[1:]
    amount = np.array([0.002 * platform.accounts * 10_000.0])
    return Facts(transfers=payments(platform, rng, seller, buyer, rng.random(1), amount))


@innocent(members=10, member_share=0.04, largest=0.02)
def whales(platform: Platform, cast: Cast, rng: Rng) -> Facts:
    """Rich people who have nothing to do with each other: being rich is no sign."""
    return Facts()
