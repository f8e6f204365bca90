"""The scene of an adversary's world: who lives where, who is rich, who is busy, since when.

Accounts are the integers 0 … n-1, in no order. Everything that happens is said in two ways:
*ties*, pairs that keep dealing with each other and from which nearly all transfers are
drawn, and *rows*, transfers at a moment. What an operator lets happen freely is a tie like
any other, so that its amounts, hours, bursts and repayments are everybody's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields

import numpy as np
import polars as pl

from inconcert.simulate.frame import (
    CENTS_AN_ACCOUNT,
    ROLES,
    TRANSFER_KINDS,
    Calendar,
    Facts,
    Floats,
    Ints,
    Platform,
    Rng,
    capped,
    payments,
    rng_for,
)

ALL_ROLES = (*ROLES, "custodian")
ALL_IDENTIFIER_KINDS = ("device", "ip", "card")

SPREAD_OF_WEALTH = 2.4
LARGEST_ORDINARY_SHARE = 0.012
EMPTY_PART = 0.04
LATE_PART = 0.1
WEALTH_OF_LATE = 0.85
HOOD_SIZE, TOWN_HOODS, REGION_TOWNS = 110, 6, 8
INTEREST_SIZE = 280
LARGEST_ACTIVITY = 30.0
LEAST_KEPT = 0.04
DAYS_A_CAMPAIGN = 45
PROMOTED_PART = 0.05

TIES = pl.Schema(
    {
        "a": pl.Int32(),
        "b": pl.Int32(),
        "weight": pl.Float64(),
        "amount": pl.Float64(),
        "back": pl.Float64(),
        "kind": pl.UInt8(),
        "begin": pl.Float64(),
        "end": pl.Float64(),
    }
)
"""Pairs: weight is the expected number of transfers, back the part that flows from b to a,
begin and end in busy time."""

SIGHTINGS = pl.Schema(
    {"account": pl.Int32(), "kind": pl.UInt8(), "value": pl.Int64(), "at_us": pl.Int64()}
)


@dataclass(frozen=True)
class Part:
    """What one part of the world adds: ties, and facts as in `Facts`."""

    ties: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TIES))
    transfers: pl.DataFrame = field(default_factory=lambda: Facts().transfers)
    referrals: pl.DataFrame = field(default_factory=lambda: Facts().referrals)
    sightings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SIGHTINGS))
    purchases: pl.DataFrame = field(default_factory=lambda: Facts().purchases)


def joined(parts: Iterable[Part]) -> Part:
    """Several parts as one."""
    listed = [Part(), *parts]
    return Part(
        **{f.name: pl.concat([getattr(part, f.name) for part in listed]) for f in fields(Part)}
    )


@dataclass
class Scene:
    """The platform and what only its maker knows. Arrays have one entry an account.

    `hood`, `town`, `region` nest; `interest` cuts across them. `ends` is the expected number
    of transfers with the account at either end from its ordinary ties, `steady` that of its
    ordinary rows (wages, standing orders, …), `kept` the part of its ordinary ties that it
    keeps up beside a crowd or a group. `campaigns` are the moments (busy time) at which
    campaigns begin, when everybody does more.
    """

    platform: Platform
    hood: Ints
    town: Ints
    region: Ints
    interest: Ints
    institutions: dict[str, Ints]
    ends: Floats
    steady: Floats
    kept: Floats
    campaigns: Floats
    next_number: int

    @property
    def calendar(self) -> Calendar:
        """The days of the world."""
        return self.platform.calendar

    def rng(self, part: str) -> Rng:
        """A generator of its own for each part."""
        return rng_for(self.platform.seed, f"adversary {part}")

    def numbers(self, count: int) -> int:
        """The first of so many identifier numbers that nobody else uses."""
        self.next_number += count
        return self.next_number - count

    def commit(self, members: Ints, inside: Floats) -> Floats:
        """Sets aside a part of the members' lives; the transfer ends that makes for each."""
        ends = self.ends[members]
        free = np.maximum(0.0, self.kept[members] - LEAST_KEPT) * ends
        taken = np.minimum(inside * (ends + self.steady[members]), free)
        self.kept[members] -= taken / np.maximum(ends, 1e-9)
        budget: Floats = np.maximum(taken, 1.0)
        return budget

    def moments(self, rng: Rng, begin: Floats, length: Floats) -> Floats:
        """Busy times within spans, a part of them in the rush of a campaign."""
        fresh = begin + length * rng.random(len(begin))
        rush = self.campaigns[rng.integers(0, len(self.campaigns), len(begin))]
        rush = rush + rng.exponential(self.days(0.5), len(begin))
        joins = rng.random(len(begin)) < PROMOTED_PART
        busy: Floats = np.where(
            joins & (rush > begin) & (rush < begin + length * 0.9999), rush, fresh
        )
        return busy

    def some_time(self, rng: Rng, count: int, until: float = 1.0) -> Floats:
        """So many busy times, any before `until`."""
        return self.moments(rng, np.zeros(count), np.full(count, until))

    def days(self, days: float) -> float:
        """A span of days as busy time."""
        return self.calendar.busy_days(days)


Claims = list[tuple[Ints, Floats]]


def settle(
    accounts: int,
    transfers: int,
    seed: int,
    days: int,
    claims: Claims,
    institutions: dict[str, tuple[Ints, Ints, float]],
    settled: Ints,
) -> Scene:
    """People and institutions with homes, holdings, activity and age.

    `claims`: accounts and their shares of the supply; `institutions`: accounts, role codes
    (into ALL_ROLES) and what they hold together; `settled`: accounts opened before the world
    begins whatever they hold.
    """
    rng = rng_for(seed, "adversary scene")
    role = (rng.random(accounts) < 0.6).astype(np.int64)
    for who, codes, _ in institutions.values():
        role[who] = codes
    bodies = np.concatenate([who for who, _, _ in institutions.values()])
    share = _shares(rng, accounts, claims, institutions)
    cents = np.rint(share * accounts * CENTS_AN_ACCOUNT).astype(np.int64)
    cents[institutions["treasury"][0]] += accounts * CENTS_AN_ACCOUNT - cents.sum()
    calendar = Calendar(days)
    platform = Platform(
        accounts=accounts,
        transfers=transfers,
        seed=seed,
        calendar=calendar,
        share=share,
        cents=cents,
        activity=_activity(rng, share * accounts, bodies),
        typical=15.0 + 0.4 * (cents / 100.0) ** 0.6 * rng.lognormal(0.0, 0.4, accounts),
        community=np.zeros(accounts, dtype=np.int64),
        role=role,
        opened_us=_opened(rng, calendar, share, np.concatenate([bodies, settled])),
    )
    hood, town, region = _homes(rng, accounts)
    platform.community = town
    return Scene(
        platform,
        hood,
        town,
        region,
        rng.integers(0, max(2, accounts // INTEREST_SIZE), accounts),
        {name: who for name, (who, _, _) in institutions.items()},
        np.zeros(accounts),
        np.zeros(accounts),
        np.ones(accounts),
        rng.random(max(2, days // DAYS_A_CAMPAIGN)),
        4 * accounts,
    )


def _shares(
    rng: Rng, accounts: int, claims: Claims, institutions: dict[str, tuple[Ints, Ints, float]]
) -> Floats:
    share = rng.lognormal(0.0, SPREAD_OF_WEALTH, accounts) * (rng.random(accounts) >= EMPTY_PART)
    ordinary = np.ones(accounts, dtype=bool)
    every = [*claims]
    for who, _, together in institutions.values():
        every.append((who, capped(rng.lognormal(0.0, 1.0, len(who)), together, 0.02)))
    for who, _ in every:
        ordinary[who] = False
    rest = 1.0 - sum(float(held.sum()) for _, held in every)
    share[ordinary] = capped(share[ordinary], rest, LARGEST_ORDINARY_SHARE)
    for who, held in every:
        share[who] = held
    return share


def _activity(rng: Rng, relative_wealth: Floats, bodies: Ints) -> Floats:
    """Heavy-tailed, growing with wealth, mean 1; institutions start nothing of themselves."""
    wealth = np.log(np.clip(relative_wealth, 0.02, 3000.0))
    activity = np.exp(0.3 * wealth + 0.9 * rng.standard_normal(len(wealth)))
    activity[bodies] = 0.0
    activity = np.minimum(activity / activity.mean(), LARGEST_ACTIVITY)
    scaled: Floats = activity / activity.mean()
    return scaled


def _opened(rng: Rng, calendar: Calendar, share: Floats, settled: Ints) -> Ints:
    """Growing year by year; of those who hold little, some open while the world runs."""
    ago = rng.beta(1.0, 2.0, len(share)) * 4 * 365
    opened = calendar.start_us - ((1.0 + ago) * 86_400_000).astype(np.int64) * 1000
    late = rng.random(len(share)) < LATE_PART / WEALTH_OF_LATE
    late &= share < np.quantile(share, WEALTH_OF_LATE)
    late[settled] = False
    opened[late] = calendar.at(0.9 * rng.random(int(late.sum())))
    return opened


def _homes(rng: Rng, accounts: int) -> tuple[Ints, Ints, Ints]:
    """Hoods in towns in regions, of very different sizes."""
    hoods = max(6, accounts // HOOD_SIZE)
    towns = max(3, hoods // TOWN_HOODS)
    regions = max(2, towns // REGION_TOWNS)
    town_region = rng.choice(regions, towns, p=_uneven(rng, regions))
    hood_town = rng.choice(towns, hoods, p=_uneven(rng, towns))
    hood = rng.choice(hoods, accounts, p=_uneven(rng, hoods))
    town = hood_town[hood]
    return hood, town, town_region[town]


def _uneven(rng: Rng, count: int) -> Floats:
    weights = rng.lognormal(0.0, 0.7, count)
    parts: Floats = weights / weights.sum()
    return parts


def ties(
    a: Ints,
    b: Ints,
    weight: Floats,
    amount: Floats,
    back: float,
    kind: str = "transfer",
    begin: Floats | float = 0.0,
) -> pl.DataFrame:
    """Pairs that keep dealing with each other (`TIES`)."""
    frame = pl.DataFrame(
        {
            "a": a.astype(np.int32),
            "b": b.astype(np.int32),
            "weight": weight.astype(np.float64),
            "amount": amount.astype(np.float64),
            "back": np.full(len(a), back),
            "kind": np.full(len(a), TRANSFER_KINDS.index(kind), dtype=np.uint8),
            "begin": np.broadcast_to(begin, len(a)),
            "end": np.ones(len(a)),
        },
        schema=TIES,
    )
    return frame.filter(pl.col("a") != pl.col("b"))


def between(platform: Platform, a: Ints, b: Ints) -> Floats:
    """The usual amount between two accounts."""
    usual: Floats = np.sqrt(platform.typical[a] * platform.typical[b])
    return usual


def mesh(
    scene: Scene,
    members: Ints,
    budget: Floats,
    partners: int,
    rng: Rng,
    begin: float = 0.0,
    back: float = 0.45,
) -> pl.DataFrame:
    """Ties of each member with some others, the busier the likelier, for a budget of ends."""
    seat = np.arange(len(members))
    partners = min(partners, len(members) - 1)
    who = np.repeat(seat, partners)
    other = rng.choice(seat, len(who), p=budget / budget.sum())
    other = np.where(other == who, (other + 1) % len(members), other)
    weight = budget[who] * rng.lognormal(0.0, 1.0, len(who))
    weight *= budget.sum() / 2.0 / weight.sum()
    a, b = members[who], members[other]
    return ties(a, b, weight, between(scene.platform, a, b), back, begin=begin)


def seen(scene: Scene, accounts: Ints, kind: str, values: Ints, busy: Floats) -> pl.DataFrame:
    """Accounts seen with identifiers, given as numbers (`SIGHTINGS`)."""
    return pl.DataFrame(
        {
            "account": accounts.astype(np.int32),
            "kind": np.full(len(accounts), ALL_IDENTIFIER_KINDS.index(kind), dtype=np.uint8),
            "value": values.astype(np.int64),
            "at_us": scene.calendar.at(busy),
        },
        schema=SIGHTINGS,
    )


def relay(
    scene: Scene, rng: Rng, paths: Ints, pause: Floats, amount: Floats, begin: Floats
) -> pl.DataFrame:
    """Amounts walk along paths (one a row), a little less at each step.

    `pause`: days before each step after the first; steps after the end of the world are left
    out.
    """
    offset = np.cumsum(pause, axis=1) * scene.days(1.0)
    busy = np.concatenate([begin[:, None], begin[:, None] + offset], axis=1)
    kept = np.cumprod(rng.uniform(0.93, 1.0, pause.shape), axis=1)
    kept = np.concatenate([np.ones((len(paths), 1)), kept], axis=1)
    inside = (busy < 1.0).ravel()
    return payments(
        scene.platform,
        rng,
        paths[:, :-1].ravel()[inside],
        paths[:, 1:].ravel()[inside],
        busy.ravel()[inside],
        (amount[:, None] * kept).ravel()[inside],
    )


def usual(scene: Scene, rng: Rng, who: Ints) -> Floats:
    """An amount as each usually sends."""
    amount: Floats = scene.platform.typical[who] * np.exp(rng.standard_normal(len(who)))
    return amount


def tree(scene: Scene, members: Ints, rng: Rng) -> pl.DataFrame:
    """A referral tree over members, in order of their opening (the first is the top)."""
    place = np.arange(1, len(members))
    parent = np.floor(place * rng.random(len(place)) ** 1.5).astype(np.int64)
    return pl.DataFrame(
        {
            "referrer": members[parent].astype(np.int32),
            "referred": members[place].astype(np.int32),
        }
    )


def open_as_a_team(scene: Scene, members: Ints, rng: Rng) -> Ints:
    """The members in the order in which they now open: one after the other within a year."""
    first = rng.uniform(400, 1200)
    ago = np.sort(first - rng.uniform(0, min(365.0, first - 30), len(members)))[::-1]
    opened = scene.calendar.start_us - (ago * 86_400_000).astype(np.int64) * 1000
    scene.platform.opened_us[members] = opened
    return members
