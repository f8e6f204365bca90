"""Innocents who look guilty: each crowd holds about as much together as a hidden group.

A new one is one function under `@crowd(...)`: it gets the scene, its cast and a random
generator of its own. Members come from the population as it is (rich ones for a rich crowd),
so a crowd may share people with another; only crowds that hold most of a fortune by their
nature claim it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from inconcert.simulate.adversary.life import circle_pairs, monthly, wages
from inconcert.simulate.adversary.scene import (
    Claims,
    Part,
    Scene,
    between,
    mesh,
    open_as_a_team,
    relay,
    seen,
    ties,
    tree,
    usual,
)
from inconcert.simulate.frame import (
    Floats,
    Ints,
    Rng,
    capped,
    payments,
    rows,
    tidy_cents,
)
from inconcert.simulate.innocents import Cast

Bools = npt.NDArray[np.bool_]
Live = Callable[[Scene, Cast, Rng], Part]


@dataclass(frozen=True)
class Crowd:
    """One innocent crowd: its size in a world of 100,000 accounts and what it holds.

    `heads`: the institution it belongs to, if any. `claimed`: its members' fortunes are its
    own. `apart`: no member is in another crowd with the same word here. `public`: members of hidden
    groups take part like anybody. `spread`: standard deviation of the logarithm of the
    holdings.
    """

    name: str
    live: Live
    size: int
    least: int
    share: tuple[float, float]
    heads: str | None
    claimed: bool
    apart: str
    public: bool
    spread: float
    teams: int

    @property
    def labels(self) -> list[str]:
        """A name for each of its teams."""
        if self.teams == 1:
            return [self.name]
        return [f"{self.name}-{team}" for team in range(1, self.teams + 1)]

    def count(self, accounts: int) -> int:
        """How many members it has in a world of so many accounts."""
        scaled = round(self.size * math.pow(accounts / 100_000, 0.6))
        return max(self.least, min(self.size, scaled))


CROWDS: dict[str, Crowd] = {}
"""All registered crowds by name."""


def crowd(
    *,
    size: int,
    least: int = 8,
    share: tuple[float, float] = (0.046, 0.058),
    heads: str | None = None,
    claimed: bool = False,
    apart: str = "",
    public: bool = False,
    spread: float = 0.9,
    teams: int = 1,
) -> Callable[[Live], Live]:
    """Registers a crowd under its function's name; the fields are those of `Crowd`."""

    def register(live: Live) -> Live:
        name = live.__name__
        CROWDS[name] = Crowd(
            name, live, size, least, share, heads, claimed, apart, public, spread, teams
        )
        return live

    return register


def claim(take: Callable[[int], Ints], rng: Rng, accounts: int) -> tuple[dict[str, Ints], Claims]:
    """The members of the crowds whose fortunes are their own, and these fortunes."""
    members, claims = {}, []
    for name, one in CROWDS.items():
        if not one.claimed:
            continue
        members[name] = take(one.count(accounts))
        if name == "household":
            held = np.array([rng.uniform(0.0435, 0.0485), 0.003, 0.002, 0.0012])
        else:
            weights = rng.lognormal(0.0, one.spread, len(members[name]))
            held = capped(weights, float(rng.uniform(*one.share)), 0.028)
        claims.append((members[name], held))
    return members, claims


def gather(scene: Scene, claimed: dict[str, Ints], taken: Ints) -> dict[str, tuple[Crowd, Cast]]:
    """Chooses the members of every crowd (`taken` belong to groups)."""
    rng = scene.rng("crowds")
    anybody = np.zeros(scene.platform.accounts, dtype=bool)
    anybody[scene.platform.people] = True
    anybody[np.concatenate(list(claimed.values()))] = False
    free = anybody.copy()
    free[taken] = False
    alone = {one.apart: free.copy() for one in CROWDS.values()}
    chosen = dict(claimed)
    for one in sorted(CROWDS.values(), key=lambda one: not one.apart):
        for label in one.labels:
            if not one.claimed:
                pool = anybody if one.public else alone[one.apart]
                chosen[label] = _fitting(scene.platform.share, pool, one, rng)
                alone[one.apart][chosen[label]] &= not one.apart
    return {
        label: (one, _cast(scene, one, chosen[label]))
        for one in CROWDS.values()
        for label in one.labels
    }


def _cast(scene: Scene, one: Crowd, members: Ints) -> Cast:
    heads = scene.institutions[one.heads] if one.heads else np.zeros(0, dtype=np.int64)
    return Cast(heads, members, scene.numbers(2 * len(members) + 8))


def _fitting(share: Floats, free: Bools, one: Crowd, rng: Rng) -> Ints:
    """Different free people whose holdings are spread and add up about as the crowd wants."""
    total = float(rng.uniform(*one.share))
    people = np.flatnonzero(free)
    people = people[np.argsort(-share[people], kind="stable")]
    count = min(one.count(len(share)), len(people))
    want = np.sort(rng.lognormal(0.0, one.spread, count))[::-1]
    want *= total / want.sum()
    chosen, seat = people[:count], np.arange(count)
    for _ in range(12):
        place = np.searchsorted(-share[people], -want, side="left")
        place = np.maximum.accumulate(place - seat) + seat
        chosen = people[np.minimum(place, len(people) - count + seat)]
        want *= np.clip(total / share[chosen].sum(), 0.3, 3.0)
    return rng.permutation(chosen)


def live(scene: Scene, casts: dict[str, tuple[Crowd, Cast]]) -> list[Part]:
    """What the crowds do."""
    return [one.live(scene, cast, scene.rng(label)) for label, (one, cast) in casts.items()]


def _inside(rng: Rng, count: int, low: float, high: float) -> Floats:
    part: Floats = rng.uniform(low, high, count)
    return part


def _months(scene: Scene) -> int:
    return max(1, scene.calendar.days // 30)


def _at_one_line(scene: Scene, who: Ints, number: int, part: float, times: int, rng: Rng) -> Part:
    """A part of them seen at the same IP, some of these again and again."""
    there = who[rng.random(len(who)) < part]
    often = np.repeat(there, rng.integers(1, times + 1, len(there)))
    number_each = np.full(len(often), number)
    return Part(sightings=seen(scene, often, "ip", number_each, rng.random(len(often))))


def _plus(part: Part, *more: Part) -> Part:
    """Parts put together."""
    for one in more:
        part = replace(
            part,
            **{
                name: pl.concat([getattr(part, name), getattr(one, name)])
                for name in ("ties", "transfers", "referrals", "sightings", "purchases")
            },
        )
    return part


@crowd(size=220, least=40, heads="rich_employer", apart="days", spread=0.8)
def employer(scene: Scene, cast: Cast, rng: Rng) -> Part:
    """A rich employer: wages, expenses, lunch among colleagues, one office line for all."""
    staff = cast.members
    budget = scene.commit(staff, _inside(rng, len(staff), 0.1, 0.22))
    boss = np.repeat(cast.heads, len(staff))
    expenses = ties(boss, staff, 0.15 * budget, 2.0 * scene.platform.typical[staff], 0.2)
    return _plus(
        Part(transfers=wages(scene, boss, staff, rng)),
        Part(ties=pl.concat([expenses, mesh(scene, staff, 0.8 * budget, 6, rng)])),
        _at_one_line(scene, staff, cast.numbers, 0.85, 6, rng),
    )


@crowd(size=90, least=16, heads="custodian", apart="days")
def custodian(scene: Scene, cast: Cast, rng: Rng) -> Part:
    """Rich customers who deal with hardly anybody but their custodian."""
    customers = cast.members
    budget = scene.commit(customers, _inside(rng, len(customers), 0.65, 0.9))
    hub = np.repeat(cast.heads, len(customers))
    amount = 3.0 * scene.platform.typical[customers]
    return Part(ties=ties(customers, hub, budget, amount, 0.45))


@crowd(size=45, least=14, share=(0.02, 0.055), apart="team", teams=3)
def distributors(scene: Scene, cast: Cast, rng: Rng) -> Part:
    """A sales team: recruited one by one, buys from whoever brought it in, earns a bonus."""
    team = open_as_a_team(scene, cast.members, rng)
    budget = scene.commit(team, _inside(rng, len(team), 0.15, 0.35))
    recruits = tree(scene, team, rng)
    up = recruits["referrer"].to_numpy().astype(np.int64)
    down = recruits["referred"].to_numpy().astype(np.int64)
    weight = budget[1:] * rng.lognormal(-0.3, 0.7, len(down))
    orders = ties(down, up, weight, between(scene.platform, down, up), 0.2)
    bonus_day = 30.0 * np.arange(1, _months(scene))
    who = np.tile(team[1:], len(bonus_day))
    top = np.full(len(who), team[0])
    busy = scene.days(1.0) * (np.repeat(bonus_day, len(team) - 1) + rng.random(len(who)))
    paid = payments(scene.platform, rng, top, who, busy, 0.3 * usual(scene, rng, who))
    return Part(ties=orders, referrals=recruits, transfers=paid)


@crowd(size=70, least=16)
def collectors(scene: Scene, cast: Cast, rng: Rng) -> Part:
    """A few collectors who buy whatever the others offer, and swap with each other."""
    few = max(2, len(cast.members) // 20)
    budget = scene.commit(cast.members, _inside(rng, len(cast.members), 0.2, 0.5))
    buyers, sellers = cast.members[:few], cast.members[few:]
    who = np.repeat(sellers, 2)
    buyer = rng.choice(buyers, len(who))
    weight = np.repeat(budget[few:], 2) * 0.5
    amount = 1.5 * between(scene.platform, buyer, who)
    return Part(
        ties=pl.concat(
            [
                ties(buyer, who, weight, amount, 0.08),
                mesh(scene, buyers, budget[:few], 3, rng),
            ]
        )
    )


@crowd(size=8, share=(0.0505, 0.056), claimed=True, spread=0.6)
def family_firm(scene: Scene, cast: Cast, rng: Rng) -> Part:
    """Eight relatives with one shop: common devices, line and card, money back and forth."""
    family = cast.members
    budget = scene.commit(family, _inside(rng, len(family), 0.4, 0.6))
    device = cast.numbers + rng.integers(0, 3, 3 * len(family))
    who = np.tile(family, 3)
    cards = seen(scene, family, "card", cast.numbers + np.arange(8) // 4, rng.random(8))
    devices = seen(scene, who, "device", device, rng.random(len(who)))
    return _plus(
        Part(ties=mesh(scene, family, budget, 5, rng)),
        Part(sightings=pl.concat([devices, cards])),
        _at_one_line(scene, family, cast.numbers, 1.0, 6, rng),
    )


@crowd(size=600, least=60, share=(0.04, 0.052), spread=1.6)
def campus(scene: Scene, cast: Cast, rng: Rng) -> Part:
    """Students and staff behind a few lines, circles of friends, one canteen."""
    people = cast.members
    budget = scene.commit(people, _inside(rng, len(people), 0.15, 0.4))
    sizes = rng.integers(4, 10, len(people) // 4 + 1)
    a, b = circle_pairs(people, np.repeat(np.arange(len(sizes)), sizes)[: len(people)])
    seat = np.zeros(scene.platform.accounts)
    seat[people] = budget
    weight = seat[a] * seat[b] / (seat[a] + seat[b]) * rng.lognormal(-1.5, 0.8, len(a))
    canteen = np.repeat(rng.choice(scene.institutions["merchants"], 1), len(people))
    lunch = 0.3 * scene.platform.typical[people]
    number = cast.numbers + rng.integers(0, 3, len(people))
    return Part(
        ties=pl.concat(
            [
                ties(a, b, weight, between(scene.platform, a, b), 0.45),
                ties(people, canteen, 0.3 * budget, lunch, 0.01, "payment"),
            ]
        ),
        sightings=seen(scene, people, "ip", number, rng.random(len(people))),
    )


@crowd(size=48, least=15, claimed=True, share=(0.043, 0.055))
def supply_chain(scene: Scene, cast: Cast, rng: Rng) -> Part:
    """Firms in four tiers: what a shop pays goes on to its wholesaler, and up."""
    firms = cast.members
    budget = scene.commit(firms, _inside(rng, len(firms), 0.3, 0.55))
    tiers = np.split(firms, np.cumsum((np.array([0.1, 0.2, 0.3]) * len(firms)).astype(int)))
    rounds = int(budget.sum() / 6.0) + 4
    paths = np.column_stack([tier[rng.integers(0, len(tier), rounds)] for tier in reversed(tiers)])
    steady = np.column_stack(
        [tier[(paths[:, 0] * (7 + level)) % len(tier)] for level, tier in enumerate(tiers[::-1])]
    )
    paths[:, 1:] = np.where(rng.random((rounds, 3)) < 0.8, steady[:, 1:], paths[:, 1:])
    pause = rng.exponential(6.0, (rounds, 2))
    amount = 1.5 * usual(scene, rng, paths[:, 0])
    goods = relay(scene, rng, paths, pause, amount, scene.some_time(rng, rounds))
    return Part(transfers=goods)


@crowd(size=160, least=30, public=True)
def charity(scene: Scene, cast: Cast, rng: Rng) -> Part:
    """Donors with standing orders to one of them, who hands it on to the needy."""
    treasurer, donors = cast.members[:1], cast.members[1:]
    gift = tidy_cents(rng, 0.4 * usual(scene, rng, donors))
    payee = np.repeat(treasurer, len(donors))
    orders = monthly(scene, rng, donors, payee, gift, _months(scene))
    poor = scene.platform.draw_people(rng, 3 * len(donors))
    given = payments(
        scene.platform,
        rng,
        np.repeat(treasurer, len(poor)),
        poor,
        scene.some_time(rng, len(poor)),
        0.5 * usual(scene, rng, np.repeat(donors, 3)[: len(poor)]),
    )
    return Part(transfers=pl.concat([orders, given]))


@crowd(size=14, least=12, share=(0.0505, 0.057), claimed=True, spread=0.5)
def otc_circle(scene: Scene, cast: Cast, rng: Rng) -> Part:
    """Rich traders who settle large deals with each other."""
    budget = scene.commit(cast.members, _inside(rng, len(cast.members), 0.3, 0.55))
    deals = mesh(scene, cast.members, budget, 6, rng)
    return Part(ties=deals.with_columns(amount=pl.col("amount") * 4.0))


@crowd(size=60, least=20, public=True)
def syndicate(scene: Scene, cast: Cast, rng: Rng) -> Part:
    """A lottery syndicate: the same stake each week to the organiser, prizes to all at once."""
    organiser, players = cast.members[:1], cast.members[1:]
    weeks = max(2, scene.calendar.days // 7)
    stake = tidy_cents(rng, rng.uniform(5, 40, 1))[0]
    who = np.tile(players, weeks)
    hub = np.repeat(organiser, len(who))
    day = np.repeat(7.0 * np.arange(weeks), len(players)) + rng.gamma(2.0, 0.8, len(who))
    at_us = scene.calendar.at(np.minimum(scene.days(1.0) * day, 0.9999))
    stakes = rows(who, hub, np.full(len(who), stake), at_us)
    prizes = []
    for _ in range(max(2, weeks // 5)):
        busy = 0.98 * rng.random() + scene.days(0.05) * rng.random(len(players))
        prize = np.full(len(players), tidy_cents(rng, stake / 100 * rng.uniform(0.5, 6.0, 1))[0])
        at = scene.calendar.at(busy)
        prizes.append(rows(np.repeat(organiser, len(players)), players, prize, at))
    return Part(transfers=pl.concat([stakes, *prizes]))


@crowd(size=240, least=40, apart="days")
def club(scene: Scene, cast: Cast, rng: Rng) -> Part:
    """A hobby club: members trade with each other, pay dues and meet in one place."""
    members = cast.members
    budget = scene.commit(members, _inside(rng, len(members), 0.2, 0.5))
    dues = np.repeat(tidy_cents(rng, rng.uniform(10, 60, 1)), len(members))
    payee = np.repeat(members[:1], len(members))
    return _plus(
        Part(ties=mesh(scene, members, budget, 9, rng)),
        Part(transfers=monthly(scene, rng, members, payee, dues, _months(scene))),
        _at_one_line(scene, members, cast.numbers, 0.5, 3, rng),
    )


@crowd(size=4, least=4, claimed=True)
def household(scene: Scene, cast: Cast, rng: Rng) -> Part:
    """A household just over or under the line, nearly all of it with one member."""
    family = cast.members
    budget = scene.commit(family, _inside(rng, len(family), 0.3, 0.6))
    device = seen(scene, family, "device", np.repeat(cast.numbers, 4), rng.random(4))
    return _plus(
        Part(ties=mesh(scene, family, budget, 3, rng), sightings=device),
        _at_one_line(scene, family, cast.numbers, 1.0, 5, rng),
    )


@crowd(size=32, least=14)
def gift_circle(scene: Scene, cast: Cast, rng: Rng) -> Part:
    """Relatives and friends: at each birthday and feast nearly all give to one or to all."""
    members = cast.members
    scene.commit(members, _inside(rng, len(members), 0.1, 0.25))
    feasts = len(members) + 3 * _months(scene)
    host = np.concatenate([members, rng.choice(members, feasts - len(members))])
    begin = rng.random(feasts) * 0.99
    feast, guest = np.nonzero(rng.random((feasts, len(members))) < 0.6)
    src, dst = members[guest], host[feast]
    out = (feast >= len(members)) & (rng.random(len(feast)) < 0.5)
    src, dst = np.where(out, dst, src), np.where(out, src, dst)
    busy = np.minimum(begin[feast] + scene.days(0.4) * rng.random(len(feast)), 0.9999)
    return Part(transfers=payments(scene.platform, rng, src, dst, busy))
