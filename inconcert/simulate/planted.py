"""Planted groups: several accounts with one will, each below the line.

A new kind is one function under `@planted(...)`: it gets the platform, the group and a
random generator of its own, and returns facts. Members also live the ordinary life of the
accounts they are; amounts and hours come from the frame, like everybody's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from inconcert.simulate.frame import (
    Facts,
    Floats,
    Ints,
    Platform,
    Rng,
    payments,
    purchases,
    sightings,
)

DAYS_A_STEP = 1.0
"""How long an amount that is passed on rests with each account, on average."""


@dataclass(frozen=True)
class Group:
    """One planted group.

    `holders` hold the group's share, `mules` pass on and hold nothing; `numbers` is where
    the group's own identifier numbers begin.
    """

    name: str
    kind: str
    holders: Ints
    mules: Ints
    numbers: int

    @property
    def members(self) -> Ints:
        """Holders, then mules."""
        return np.concatenate([self.holders, self.mules])


Plant = Callable[[Platform, Group, Rng], Facts]


@dataclass(frozen=True)
class Kind:
    """One way of acting in concert: how many holders, what they hold, what they do."""

    name: str
    plant: Plant
    smallest: int
    largest: int
    part: float
    """With more accounts up to this part of them, within the two bounds."""
    mules: float
    """Mules for each holder."""
    share: float | None
    """The group's share where the kind fixes it."""
    spread: float
    """Standard deviation of the logarithm of holdings."""
    recruits: bool
    """Whether the members were opened in a short time, one after the other."""
    devices: bool
    """Whether a group may share a few devices beside what its kind does."""

    def holders(self, rng: Rng, accounts: int) -> int:
        """How many holders a group has in a world of so many accounts."""
        most = int(np.clip(round(self.part * accounts), self.smallest, self.largest))
        return int(rng.integers(max(self.smallest, most // 2), most + 1))


KINDS: dict[str, Kind] = {}
"""All registered kinds by name."""


def planted(
    *,
    smallest: int = 12,
    largest: int = 40,
    part: float = 0.001,
    mules: float = 0.0,
    share: float | None = None,
    spread: float = 0.4,
    recruits: bool = False,
    devices: bool = True,
) -> Callable[[Plant], Plant]:
    """Registers a kind under its function's name; the fields are those of `Kind`."""

    def register(plant: Plant) -> Plant:
        name = plant.__name__
        KINDS[name] = Kind(
            name, plant, smallest, largest, part, mules, share, spread, recruits, devices
        )
        return plant

    return register


def calls(platform: Platform, members: Ints, ratio: float, least: int = 5) -> Ints:
    """Inside transfers that each member starts: a ratio of its ordinary ones, or the least."""
    usual = ratio * platform.pace * platform.activity[members]
    return np.maximum(least, np.rint(usual)).astype(np.int64)


def few_devices(platform: Platform, group: Group, rng: Rng) -> Facts:
    """A few devices shared by half of the members."""
    sharing = rng.permutation(group.members)[: max(4, len(group.members) // 2)]
    device = group.numbers + np.arange(len(sharing)) // 4
    return Facts(
        sightings=sightings(
            sharing, "device", device, platform.calendar.at(rng.random(len(sharing)))
        )
    )


def _gather(platform: Platform, members: Ints, ratio: float, rng: Rng) -> pl.DataFrame:
    """All pay into one hub, which pays a fifth of it back out."""
    hub, others = members[0], members[1:]
    src = np.repeat(others, calls(platform, others, ratio))
    dst = np.full(len(src), hub)
    out = rng.random(len(src)) < 0.2
    src, dst = np.where(out, dst, src), np.where(out, src, dst)
    return payments(platform, rng, src, dst, rng.random(len(src)))


def _mingle(
    platform: Platform, members: Ints, ratio: float, partners: int, rng: Rng
) -> pl.DataFrame:
    """Each pays a few fixed partners among the members."""
    seats = rng.permutation(members)
    src = np.repeat(np.arange(len(seats)), calls(platform, seats, ratio))
    step = 1 + rng.integers(0, min(partners, len(seats) - 1), len(src))
    dst = (src + step) % len(seats)
    return payments(platform, rng, seats[src], seats[dst], rng.random(len(src)))


def _relay(platform: Platform, paths: Ints, rng: Rng, amount: Floats) -> pl.DataFrame:
    """Amounts walk along paths (one a row), a little less at each step, days between.

    A step takes less where the path would not end inside the world.
    """
    walks, steps = paths.shape[0], paths.shape[1] - 1
    pause = rng.exponential(platform.calendar.busy_days(DAYS_A_STEP), (walks, steps))
    offset = np.cumsum(pause, axis=1)
    offset *= np.minimum(1.0, 0.5 / offset[:, -1:])
    busy = offset + rng.random((walks, 1)) * (1.0 - offset[:, -1:])
    kept = np.cumprod(rng.uniform(0.93, 1.0, (walks, steps)), axis=1)
    return payments(
        platform,
        rng,
        paths[:, :-1].ravel(),
        paths[:, 1:].ravel(),
        busy.ravel(),
        (amount[:, None] * kept).ravel(),
    )


def _starting_amounts(platform: Platform, first: Ints, rng: Rng) -> Floats:
    amounts: Floats = platform.typical[first] * np.exp(rng.standard_normal(len(first)))
    return amounts


@planted()
def funnel(platform: Platform, group: Group, rng: Rng) -> Facts:
    """All feed one collector."""
    return Facts(transfers=_gather(platform, group.members, 1.0, rng))


@planted(largest=24)
def chain(platform: Platform, group: Group, rng: Rng) -> Facts:
    """Each pays the next; some amounts walk a part of the way."""
    members = group.members
    length = 4
    each = int(calls(platform, members, 1.0).mean() / (length - 1)) + 1
    first = np.repeat(np.arange(1 - length // 2, len(members) - length // 2), each)
    seats = np.clip(first[:, None] + np.arange(length), 0, len(members) - 1)
    paths = members[seats]
    amount = _starting_amounts(platform, paths[:, 0], rng)
    return Facts(transfers=_relay(platform, paths, rng, amount))


@planted(largest=30)
def wash(platform: Platform, group: Group, rng: Rng) -> Facts:
    """A ring around which the same points run again and again."""
    members = group.members
    rounds = int(calls(platform, members, 1.0).mean()) + 1
    first = rng.integers(0, len(members), rounds)
    paths = members[(first[:, None] + np.arange(len(members) + 1)) % len(members)]
    amount = _starting_amounts(platform, paths[:, 0], rng)
    return Facts(transfers=_relay(platform, paths, rng, amount))


@planted()
def mesh(platform: Platform, group: Group, rng: Rng) -> Facts:
    """Everybody pays several others."""
    return Facts(transfers=_mingle(platform, group.members, 1.0, 8, rng))


@planted(smallest=24, largest=600, part=0.006, recruits=True, devices=False)
def farm(platform: Platform, group: Group, rng: Rng) -> Facts:
    """Recruited one by one; each pays up to whoever brought it in."""
    members = group.members
    place = np.arange(1, len(members))
    parent = np.floor(place * rng.random(len(place)) ** 2).astype(np.int64)
    referrals = pl.DataFrame(
        {
            "referrer": members[parent].astype(np.int32),
            "referred": members[place].astype(np.int32),
        }
    )
    times = calls(platform, members[place], 0.8, least=4)
    src = np.repeat(members[place], times)
    dst = np.repeat(members[parent], times)
    up = payments(platform, rng, src, dst, rng.random(len(src)))
    return Facts(referrals=referrals, transfers=up)


@planted(devices=False)
def device(platform: Platform, group: Group, rng: Rng) -> Facts:
    """A chain of devices, each used by a few members, two devices a member."""
    members = group.members
    number = np.concatenate([np.arange(len(members)) // 4, (np.arange(len(members)) + 2) // 4])
    number[len(members) :] += len(members)
    seen = sightings(
        np.concatenate([members, members]),
        "device",
        group.numbers + number,
        platform.calendar.at(rng.random(2 * len(members))),
    )
    return Facts(sightings=seen, transfers=_mingle(platform, members, 0.2, 3, rng))


@planted(smallest=8, largest=24)
def split(platform: Platform, group: Group, rng: Rng) -> Facts:
    """One owner: a parent hands its holdings to its own wallets, in a few payments each."""
    parent, wallets = group.members[0], group.members[1:]
    parts = rng.integers(2, 6, len(wallets))
    dst = np.repeat(wallets, parts)
    amount = (platform.cents[wallets] / 100.0 / parts).repeat(parts) * rng.uniform(
        0.8, 1.1, len(dst)
    )
    src = np.full(len(dst), parent)
    handed = payments(platform, rng, src, dst, 0.4 * rng.random(len(dst)), amount)
    later = _gather(platform, group.members, 0.3, rng)
    return Facts(transfers=pl.concat([handed, later]))


@planted(smallest=15, largest=50)
def lockstep(platform: Platform, group: Group, rng: Rng) -> Facts:
    """Nothing among themselves: the same counterparties and purchases at the same times."""
    members = group.members
    events = max(20, int(calls(platform, members, 1.0).mean()))
    moment = rng.random(events)
    target = platform.draw_people(rng, 6 + len(members))
    target = target[~np.isin(target, members)][:6]
    chosen = rng.choice(target, events)
    taking = rng.random((events, len(members))) < 0.8
    event, member = np.nonzero(taking)
    jitter = rng.exponential(platform.calendar.busy_days(1 / 24), len(event))
    busy = np.minimum(moment[event] + jitter, 0.999999)
    buying = event % 5 == 0
    who = members[member]
    sent = payments(platform, rng, who[~buying], chosen[event[~buying]], busy[~buying])
    amount = platform.typical[who[buying]] * 2.0 * np.exp(rng.standard_normal(buying.sum()))
    bought = purchases(platform, rng, who[buying], busy[buying], amount)
    return Facts(transfers=sent, purchases=bought)


@planted(smallest=15)
def camouflaged(platform: Platform, group: Group, rng: Rng) -> Facts:
    """A mesh or a funnel with most of each member's flow outside."""
    shape = _gather if rng.random() < 0.5 else _thin_mesh
    return Facts(transfers=shape(platform, group.members, 0.25, rng))


def _thin_mesh(platform: Platform, members: Ints, ratio: float, rng: Rng) -> pl.DataFrame:
    return _mingle(platform, members, ratio, 5, rng)


@planted(smallest=14, largest=30, mules=0.5)
def mules(platform: Platform, group: Group, rng: Rng) -> Facts:
    """Holders pay each other only through two layers of mules that keep nothing."""
    layer = np.array_split(group.mules, 2)
    src = np.repeat(np.arange(len(group.holders)), calls(platform, group.holders, 0.8))
    step = 1 + rng.integers(0, min(4, len(group.holders) - 1), len(src))
    paths = np.column_stack(
        [
            group.holders[src],
            layer[0][(src + rng.integers(0, 2, len(src))) % len(layer[0])],
            layer[1][(src + rng.integers(0, 2, len(src))) % len(layer[1])],
            group.holders[(src + step) % len(group.holders)],
        ]
    )
    amount = _starting_amounts(platform, paths[:, 0], rng)
    return Facts(transfers=_relay(platform, paths, rng, amount))


@planted(smallest=60, largest=60, share=0.054, spread=0.01)
def sixty(platform: Platform, group: Group, rng: Rng) -> Facts:
    """Sixty members of 0.09 % each, a few partners each."""
    return Facts(transfers=_mingle(platform, group.members, 0.8, 6, rng))
