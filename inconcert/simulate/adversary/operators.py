"""Operators who know that they are watched: several accounts with one will.

A new kind is one function under `@operated(...)`: it gets the scene, the group and a random
generator of its own. Members keep the larger part of an ordinary life; wherever a scheme
leaves it free, its transfers are ties like everybody's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from inconcert.simulate.adversary.scene import (
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
from inconcert.simulate.frame import Floats, Ints, Rng, payments, rows, tidy_cents


@dataclass(frozen=True)
class Group:
    """One group of an operator.

    `holders` hold the group's share, `mules` pass on, feed or pay and hold what anybody
    holds; `core` are the holders who act (all of them but under cover of a team); `inside`
    is the part of a member's transfers that the scheme takes.
    """

    name: str
    kind: str
    holders: Ints
    mules: Ints
    core: Ints
    inside: tuple[float, float]

    @property
    def members(self) -> Ints:
        """Holders, then mules."""
        return np.concatenate([self.holders, self.mules])


Operate = Callable[[Scene, Group, Rng], Part]


@dataclass(frozen=True)
class Kind:
    """One way to act in concert under watch."""

    name: str
    operate: Operate
    smallest: int
    largest: int
    inside: tuple[float, float]
    """Between which bounds the part of a member's transfers lies that the scheme takes."""
    mules: float
    """Mules for each holder."""
    fewest_mules: int
    core: float
    """The part of the holders who act."""
    busy: float
    """How much busier the members are than others who hold as much."""

    def holders(self, rng: Rng, accounts: int) -> int:
        """How many holders: small groups as often as large ones, by orders of size."""
        most = round(300 * math.pow(accounts / 100_000, 0.6))
        most = max(self.smallest, min(self.largest, most))
        return round(self.smallest * math.pow(most / self.smallest, rng.random()))


KINDS: dict[str, Kind] = {}
"""All registered kinds by name."""


def operated(
    *,
    inside: tuple[float, float] = (0.25, 0.4),
    smallest: int = 12,
    largest: int = 300,
    mules: float = 0.0,
    fewest_mules: int = 0,
    core: float = 1.0,
    busy: float = 1.0,
) -> Callable[[Operate], Operate]:
    """Registers a kind under its function's name; the fields are those of `Kind`."""

    def register(operate: Operate) -> Operate:
        name = operate.__name__
        KINDS[name] = Kind(
            name, operate, smallest, largest, inside, mules, fewest_mules, core, busy
        )
        return operate

    return register


def _budget(scene: Scene, group: Group, members: Ints, rng: Rng, part: float = 1.0) -> Floats:
    """Transfer ends of each member that go into the scheme."""
    low, high = group.inside
    return scene.commit(members, part * rng.uniform(low, high, len(members)))


def _routes(members: Ints, starts: int, steps: int, budget: Floats, rng: Rng) -> Ints:
    """Paths over members: each has a few to whom it passes on."""
    count = len(members)
    onward = rng.integers(1, count, (count, min(5, count - 1)))
    seat = np.empty((starts, steps + 1), dtype=np.int64)
    seat[:, 0] = rng.choice(count, starts, p=budget / budget.sum())
    for step in range(steps):
        choice = rng.integers(0, onward.shape[1], starts)
        seat[:, step + 1] = (seat[:, step] + onward[seat[:, step], choice]) % count
    return members[seat]


@operated()
def jitter(scene: Scene, group: Group, rng: Rng) -> Part:
    """Everybody now and then deals with a few others, days apart."""
    budget = _budget(scene, group, group.holders, rng)
    return Part(ties=mesh(scene, group.holders, budget, 7, rng))


@operated()
def random_amounts(scene: Scene, group: Group, rng: Rng) -> Part:
    """What comes in goes on inside within days, but every amount is drawn anew."""
    budget = _budget(scene, group, group.holders, rng)
    steps = 3
    walks = int(budget.sum() / 2 / steps) + 2
    paths = _routes(group.holders, walks, steps, budget, rng)
    busy = scene.some_time(rng, walks, 0.97)[:, None]
    busy = np.hstack([busy, busy + np.cumsum(rng.gamma(2.0, 0.8, (walks, 2)), 1) * scene.days(1)])
    inside = (busy < 1.0).ravel()
    src, dst = paths[:, :-1].ravel()[inside], paths[:, 1:].ravel()[inside]
    return Part(transfers=payments(scene.platform, rng, src, dst, busy.ravel()[inside]))


@operated(inside=(0.1, 0.2), busy=3.0)
def busy_members(scene: Scene, group: Group, rng: Rng) -> Part:
    """Members with three times the ordinary traffic, in which their own disappears."""
    budget = _budget(scene, group, group.holders, rng)
    return Part(ties=mesh(scene, group.holders, budget, 8, rng))


@operated(inside=(0.08, 0.15), largest=120)
def rotated_devices(scene: Scene, group: Group, rng: Rng) -> Part:
    """Little trade; phones handed on in turns, none with more than three members."""
    holders = group.holders
    budget = _budget(scene, group, holders, rng)
    turns, seated = 3, rng.permutation(holders)
    who, number, busy = [], [], []
    first = scene.numbers(turns * (len(holders) + 3))
    for turn in range(turns):
        using = np.flatnonzero(rng.random(len(seated)) < 0.9)
        times = rng.integers(1, 4, len(using))
        often = np.repeat(using, times)
        who.append(seated[often])
        number.append(first + turn * (len(seated) + 3) + (often + turn) // 3)
        busy.append((turn + rng.random(len(often))) / turns)
    devices = seen(
        scene, np.concatenate(who), "device", np.concatenate(number), np.concatenate(busy)
    )
    return Part(ties=mesh(scene, holders, budget, 6, rng), sightings=devices)


@operated(fewest_mules=1)
def rented(scene: Scene, group: Group, rng: Rng) -> Part:
    """Old accounts of others, hired at a date: from then on they act, and somebody pays them."""
    holders = group.holders
    begin = float(rng.uniform(0.35, 0.6))
    budget = _budget(scene, group, holders, rng)
    payer = np.repeat(group.mules[:1], len(holders))
    weeks = int((1.0 - begin) / scene.days(7.0)) + 1
    who = np.tile(np.arange(len(holders)), weeks)
    day = 7.0 * np.repeat(np.arange(weeks), len(holders)) + rng.uniform(-2.5, 2.5, len(who))
    at = begin + day * scene.days(1.0)
    paid = (at < 1.0) & (rng.random(len(who)) < 0.4)
    amount = 0.4 * usual(scene, rng, holders[who])
    rent = payments(
        scene.platform, rng, payer[who[paid]], holders[who[paid]], at[paid], amount[paid]
    )
    fund = ties(
        group.mules[:1],
        scene.institutions["exchange"][:1],
        np.array([weeks * 0.5]),
        np.array([float(amount.mean()) * len(holders)]),
        0.95,
        "deposit",
        begin=max(0.0, begin - 0.05),
    )
    return Part(
        ties=pl.concat([mesh(scene, holders, 0.85 * budget, 7, rng, begin=begin), fund]),
        transfers=rent,
    )


@operated(fewest_mules=1, smallest=16)
def two_cells(scene: Scene, group: Group, rng: Rng) -> Part:
    """Two cells, each below the line, that meet only through one courier."""
    budget = _budget(scene, group, group.holders, rng)
    # Every second one, so that both cells hold about half: holdings come in random order.
    halves = [np.arange(side, len(group.holders), 2) for side in (0, 1)]
    cells = [mesh(scene, group.holders[half], budget[half], 6, rng) for half in halves]
    courier = group.mules[:1]
    trips = int(rng.integers(16, 40))
    contacts = [rng.permutation(group.holders[half])[:5] for half in halves]
    start = rng.integers(0, 2, trips)
    giver, taker = (
        np.where(start == side, rng.choice(contacts[0], trips), rng.choice(contacts[1], trips))
        for side in (0, 1)
    )
    paths = np.column_stack([giver, np.repeat(courier, trips), taker])
    carried = relay(
        scene,
        rng,
        paths,
        rng.gamma(2.0, 0.8, (trips, 1)),
        usual(scene, rng, giver),
        scene.some_time(rng, trips, 0.97),
    )
    return Part(ties=pl.concat(cells), transfers=carried)


@operated(mules=0.35, fewest_mules=6, largest=120)
def layered_mules(scene: Scene, group: Group, rng: Rng) -> Part:
    """Members pay each other only through two layers of mules that keep nothing."""
    budget = _budget(scene, group, group.holders, rng)
    layers = np.array_split(group.mules, 2)
    walks = int(budget.sum() / 2) + 2
    ends = _routes(group.holders, walks, 1, budget, rng)
    seat = np.searchsorted(np.sort(group.holders), ends[:, 0])
    paths = np.column_stack(
        [ends[:, 0]]
        + [layer[(seat + rng.integers(0, 3, walks)) % len(layer)] for layer in layers]
        + [ends[:, 1]]
    )
    pause = rng.gamma(1.5, 0.7, (walks, 2))
    begin = scene.some_time(rng, walks, 0.98)
    moved = relay(scene, rng, paths, pause, usual(scene, rng, ends[:, 0]), begin)
    return Part(transfers=moved)


@operated(largest=120)
def refunds(scene: Scene, group: Group, rng: Rng) -> Part:
    """One buys in a shop, another gets the refund some days later."""
    budget = _budget(scene, group, group.holders, rng)
    shops = scene.institutions["merchants"]
    used = rng.permutation(shops)[: max(3, len(group.holders) // 10)]
    walks = int(budget.sum() / 2) + 2
    ends = _routes(group.holders, walks, 1, budget, rng)
    seat = np.searchsorted(np.sort(group.holders), ends[:, 0])
    shop = used[(seat + rng.integers(0, 2, walks)) % len(used)]
    begin = scene.some_time(rng, walks, 0.97)
    end = begin + rng.gamma(2.0, 1.5, walks) * scene.days(1.0)
    cents = tidy_cents(rng, usual(scene, rng, ends[:, 0]))
    back = np.where(
        rng.random(walks) < 0.5, cents, tidy_cents(rng, cents / 100 * rng.uniform(0.9, 1, walks))
    )
    done = end < 1.0
    at = scene.calendar.at
    bought = rows(ends[:, 0], shop, cents, at(begin), "payment")
    refund = rows(shop[done], ends[done, 1], back[done], at(end[done]), "payment")
    return Part(transfers=pl.concat([bought, refund]))


@operated(core=0.5, smallest=24)
def referral_cover(scene: Scene, group: Group, rng: Rng) -> Part:
    """A sales team as cover: half of it acts, the rest lives as such teams do."""
    team = open_as_a_team(scene, group.holders, rng)
    active = np.isin(team, group.core)
    budget = _budget(scene, group, team, rng, 0.35)
    recruits = tree(scene, team, rng)
    up = recruits["referrer"].to_numpy().astype(np.int64)
    down = recruits["referred"].to_numpy().astype(np.int64)
    weight = budget[1:] * rng.lognormal(-0.3, 0.7, len(down))
    orders = ties(down, up, weight, between(scene.platform, up, down), 0.2)
    acting = mesh(scene, team[active], _budget(scene, group, team[active], rng, 0.9), 7, rng)
    return Part(ties=pl.concat([orders, acting]), referrals=recruits)


@operated(inside=(0.2, 0.35), mules=0.12, fewest_mules=4, largest=150)
def slow_accumulation(scene: Scene, group: Group, rng: Rng) -> Part:
    """A few feeders fill everybody in small amounts over 150 days; little goes between them."""
    holders, feeders = group.holders, group.mules
    budget = _budget(scene, group, holders, rng)
    begin = max(0.0, 1.0 - scene.days(150.0))
    who = np.repeat(np.arange(len(holders)), 3)
    feeder = feeders[(who + rng.integers(0, len(feeders), len(who))) % len(feeders)]
    amount = 0.4 * scene.platform.typical[holders[who]]
    weight = 0.28 * budget[who] * rng.lognormal(-0.3, 0.7, len(who))
    fed = ties(feeder, holders[who], weight, amount, 0.02, begin=begin)
    fund = ties(
        feeders,
        rng.choice(scene.institutions["exchange"], len(feeders)),
        np.full(len(feeders), 12.0),
        np.full(len(feeders), float(amount.sum())),
        0.95,
        "deposit",
        begin=begin,
    )
    return Part(ties=pl.concat([fed, fund, mesh(scene, holders, 0.16 * budget, 4, rng)]))


@operated(inside=(0.2, 0.35), smallest=15, largest=150)
def waves(scene: Scene, group: Group, rng: Rng) -> Part:
    """Nothing among themselves: they only receive, in waves, from one exchange."""
    holders = group.holders
    budget = _budget(scene, group, holders, rng)
    count = int(np.clip(np.median(budget) / 0.65, 8, 45))
    hubs = np.concatenate([scene.institutions[n] for n in ("exchange", "small_exchanges")])
    hub = int(rng.choice(hubs))
    wave, who = np.nonzero(rng.random((count, len(holders))) < 0.65)
    begin, width = rng.random(count) * 0.99, rng.uniform(2.0, 9.0, count)
    busy = begin[wave] + rng.random(len(wave)) * width[wave] / 24.0 * scene.days(1.0)
    kind = "deposit" if scene.platform.role[hub] else "transfer"
    amount = 2.5 * usual(scene, rng, holders[who])
    paid = payments(
        scene.platform,
        rng,
        np.full(len(who), hub),
        holders[who],
        np.minimum(busy, 0.9999),
        amount,
        kind,
    )
    return Part(transfers=paid)


@operated(largest=40)
def long_ring(scene: Scene, group: Group, rng: Rng) -> Part:
    """A ring on which amounts take weeks to come round."""
    ring = group.holders
    budget = _budget(scene, group, ring, rng)
    steps = 2 * len(ring)
    pause = rng.gamma(2.0, rng.uniform(0.6, 1.6), (4000, steps))
    begin = rng.random(4000) * 0.9 - 0.1
    done = (begin[:, None] + np.cumsum(pause, axis=1) * scene.days(1.0) < 1.0).sum(axis=1)
    tokens = int(np.searchsorted(np.cumsum(done), budget.sum() / 2)) + 2
    tokens = min(tokens, 4000)
    first = rng.integers(0, len(ring), tokens)
    paths = ring[(first[:, None] + np.arange(steps + 2)) % len(ring)]
    amount = usual(scene, rng, paths[:, 0])
    moved = relay(scene, rng, paths, pause[:tokens], amount, np.abs(begin[:tokens]))
    return Part(transfers=moved)


@operated()
def rotating_star(scene: Scene, group: Group, rng: Rng) -> Part:
    """All deal with one hub, and the hub is another one each week or two."""
    holders = group.holders
    budget = _budget(scene, group, holders, rng)
    terms = max(4, int(1.0 / scene.days(float(rng.uniform(6.0, 14.0)))))
    hubs = rng.permutation(np.arange(terms) % len(holders))
    who, term = (grid.ravel() for grid in np.meshgrid(np.arange(len(holders)), np.arange(terms)))
    hub, weight = hubs[term], budget[who] / 2 / terms * rng.lognormal(-0.3, 0.8, len(who))
    begin = term / terms
    a, b = holders[who], holders[hub]
    spokes = ties(a, b, weight, between(scene.platform, a, b), 0.45, begin=begin)
    return Part(ties=spokes.with_columns(end=pl.col("begin") + 1.0 / terms))
