"""The frame of a simulated world: who there is, what they hold, how active they are, when.

Everything that has a share in a world (innocent structure, planted groups) speaks in two
ways: *rows*, single transfers at a moment, and *links*, pairs that keep dealing with each
other and from which the bulk of the transfers is drawn. Both take their amounts and their
hours from here, so that no hour and no round number tells one part of a world from another.

Accounts are the integers 0 … n-1, in no order: names carry no information.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Rng = np.random.Generator

END = datetime(2026, 7, 1, tzinfo=UTC)
"""Every world ends here (exclusive), whatever the present is."""

CENTS_AN_ACCOUNT = 1_000_000
"""The supply is 10,000.00 for each account, so amounts look alike in worlds of any size."""

TRANSFER_KINDS = ("transfer", "payment", "salary", "airdrop", "deposit")
ROLES = (None, "person", "exchange", "treasury", "merchant", "payroll")
IDENTIFIER_KINDS = ("device", "ip")

LARGEST_ORDINARY_SHARE = 0.012
EMPTY_SHARE = 0.05
COMMUNITY_SIZE = 150
COMMUNITIES_A_REGION = 20
CONTACTS_AN_ACCOUNT = 3.0
ROUND_SHARE = 0.3
SEEN_AGAIN_PART = 0.3

_HOUR_US = 3_600_000_000
DAY_US = 24 * _HOUR_US
_HOUR_WEIGHTS = np.array(
    [4, 2, 1, 1, 1, 2, 4, 7, 10, 12, 12, 11, 12, 11, 10, 10, 11, 12, 13, 14, 14, 12, 9, 6], float
)
_WEEKDAY_WEIGHTS = np.array([1.0, 1.0, 1.0, 1.05, 1.15, 0.85, 0.75])


class Calendar:
    """Days, and the rhythm of hours and weekdays that everybody shares.

    *Busy time* runs from 0 to 1 over the world at the pace of the platform: what is uniform
    in busy time has the common rhythm, and stays so when a delay is added in busy time.
    """

    def __init__(self, days: int) -> None:
        self.days = days
        self.end_us = int(END.timestamp()) * 1_000_000
        self.start_us = self.end_us - days * DAY_US
        first_weekday = (END - timedelta(days=days)).weekday()
        weekdays = (first_weekday + np.arange(days)) % 7
        weights = np.outer(_WEEKDAY_WEIGHTS[weekdays], _HOUR_WEIGHTS).ravel()
        self._busy = np.concatenate([[0.0], np.cumsum(weights) / weights.sum()])
        self._edges = self.start_us + _HOUR_US * np.arange(days * 24 + 1, dtype=np.float64)

    def at(self, busy: Floats) -> Ints:
        """Moments (microseconds since 1970, whole milliseconds) of points in busy time."""
        moments = np.interp(busy, self._busy, self._edges).astype(np.int64)
        return np.minimum(moments, self.end_us - 1_000_000) // 1000 * 1000

    def busy(self, at_us: int) -> float:
        """The point in busy time of a moment: the inverse of `at`."""
        return float(np.interp(at_us, self._edges, self._busy))

    def busy_days(self, days: float) -> float:
        """A span of days as a part of the world's busy time."""
        return days / self.days

    def paydays(self, hour: int) -> Ints:
        """Moments of pay: the 25th of each month; weekly on Fridays where no 25th falls twice."""
        all_days = [END - timedelta(days=back) for back in range(self.days, 0, -1)]
        monthly = [day for day in all_days if day.day == 25]
        chosen = monthly if len(monthly) >= 2 else [d for d in all_days if d.weekday() == 4]
        return np.array([int(day.timestamp()) * 1_000_000 + hour * _HOUR_US for day in chosen])


@dataclass
class Platform:
    """The population. Arrays have one entry an account.

    `share` is the part of the supply, `cents` the exact holding, `activity` how much an
    account initiates (mean 1, institutions 0), `typical` the account's usual amount, `role`
    an index into ROLES, `opened_us` the moment of opening.
    """

    accounts: int
    transfers: int
    seed: int
    calendar: Calendar
    share: Floats
    cents: Ints
    activity: Floats
    typical: Floats
    community: Ints
    role: Ints
    opened_us: Ints

    @property
    def pace(self) -> float:
        """Transfers that an account of mean activity initiates over the world."""
        return self.transfers / self.accounts

    @property
    def people(self) -> Ints:
        """The accounts that are no institution."""
        return np.flatnonzero(self.role <= 1)

    def draw_people(self, rng: Rng, count: int) -> Ints:
        """Different people, the more active the likelier; fewer where there are too few."""
        people = self.people
        score = rng.standard_exponential(len(people)) / np.maximum(self.activity[people], 1e-9)
        count = min(count, len(people))
        return people[np.argpartition(score, count - 1)[:count]] if count else people[:0]


def rng_for(seed: int, part: str) -> Rng:
    """A generator of its own for each part, so that no part shifts another."""
    key = zlib.crc32(part.encode("utf-8"))
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))


def populate(
    accounts: int,
    transfers: int,
    seed: int,
    days: int,
    claims: Sequence[tuple[Ints, Floats]],
    institutions: Sequence[tuple[Ints, int]],
) -> Platform:
    """A population in which some accounts have claimed shares and the others share the rest.

    `claims`: accounts and their shares of the supply; `institutions`: accounts and their role
    (index into ROLES, 0 where the platform does not know what they are).
    """
    rng = rng_for(seed, "population")
    role = (rng.random(accounts) < 0.7).astype(np.int64)
    institutional = np.zeros(accounts, dtype=bool)
    for members, code in institutions:
        role[members] = code
        institutional[members] = True
    share = _shares(rng, accounts, claims)
    cents = _exact(share, accounts * CENTS_AN_ACCOUNT)
    calendar = Calendar(days)
    opened = calendar.start_us - (rng.random(accounts) * 3 * 365 * 86_400_000).astype(int) * 1000
    return Platform(
        accounts=accounts,
        transfers=transfers,
        seed=seed,
        calendar=calendar,
        share=share,
        cents=cents,
        activity=np.where(institutional, 0.0, _activity(rng, share * accounts)),
        typical=20.0 + 0.3 * (cents / 100.0) ** 0.6,
        community=rng.integers(0, max(1, accounts // COMMUNITY_SIZE), accounts),
        role=role,
        opened_us=opened - 1000,
    )


def _shares(rng: Rng, accounts: int, claims: Sequence[tuple[Ints, Floats]]) -> Floats:
    share = rng.lognormal(0.0, 2.1, accounts) * (rng.random(accounts) >= EMPTY_SHARE)
    ordinary = np.ones(accounts, dtype=bool)
    for members, _ in claims:
        ordinary[members] = False
    rest = 1.0 - sum(float(claimed.sum()) for _, claimed in claims)
    share[ordinary] = capped(share[ordinary], rest, LARGEST_ORDINARY_SHARE)
    for members, claimed in claims:
        share[members] = claimed
    return share


def capped(weights: Floats, total: float, cap: float) -> Floats:
    """Weights scaled to a total, none above the cap (the excess goes to the others)."""
    shares: Floats = weights * (total / weights.sum())
    for _ in range(50):
        over = shares > cap
        if not over.any() or over.all():
            break
        shares[over] = cap
        free = shares < cap
        shares[free] *= (total - cap * (~free).sum()) / shares[free].sum()
    return shares


def _exact(share: Floats, supply_cents: int) -> Ints:
    """Holdings in cents that add up to the supply; rounding goes to the median accounts."""
    cents = np.rint(share * supply_cents).astype(np.int64)
    missing = supply_cents - int(cents.sum())
    middle = np.argsort(cents, kind="stable")[len(cents) // 2 :]
    each, left = divmod(abs(missing), len(middle))
    step = np.full(len(middle), each, dtype=np.int64)
    step[:left] += 1
    cents[middle] += np.sign(missing) * step
    return cents


def _activity(rng: Rng, relative_wealth: Floats) -> Floats:
    """Heavy-tailed, growing with wealth, mean 1."""
    wealth = np.log(np.clip(relative_wealth, 0.05, 5000.0))
    activity = np.exp(0.3 * wealth + 0.8 * rng.standard_normal(len(wealth)))
    activity = np.minimum(activity / activity.mean(), 40.0)
    scaled: Floats = activity / activity.mean()
    return scaled


def _empty(**columns: pl.DataType) -> pl.DataFrame:
    return pl.DataFrame(schema=columns)


@dataclass(frozen=True)
class Facts:
    """What one part of the world adds. Accounts are integers, moments microseconds.

    transfers: src, dst, cents, at_us, kind · links: a, b, weight (expected transfers, in
    units of activity), amount (typical), back (part that flows from b to a), kind ·
    referrals: referrer, referred · sightings: account, kind, value, at_us · purchases:
    account, cents, at_us.
    """

    transfers: pl.DataFrame = field(
        default_factory=lambda: _empty(
            src=pl.Int32(), dst=pl.Int32(), cents=pl.Int64(), at_us=pl.Int64(), kind=pl.UInt8()
        )
    )
    links: pl.DataFrame = field(
        default_factory=lambda: _empty(
            a=pl.Int32(),
            b=pl.Int32(),
            weight=pl.Float32(),
            amount=pl.Float32(),
            back=pl.Float32(),
            kind=pl.UInt8(),
        )
    )
    referrals: pl.DataFrame = field(
        default_factory=lambda: _empty(referrer=pl.Int32(), referred=pl.Int32())
    )
    sightings: pl.DataFrame = field(
        default_factory=lambda: _empty(
            account=pl.Int32(), kind=pl.UInt8(), value=pl.Int64(), at_us=pl.Int64()
        )
    )
    purchases: pl.DataFrame = field(
        default_factory=lambda: _empty(account=pl.Int32(), cents=pl.Int64(), at_us=pl.Int64())
    )


def together(parts: Iterable[Facts]) -> Facts:
    """The facts of several parts as one."""
    listed = [Facts(), *parts]
    return Facts(
        **{f.name: pl.concat([getattr(part, f.name) for part in listed]) for f in fields(Facts)}
    )


def tidy_cents(rng: Rng, amount: Floats) -> Ints:
    """Amounts in whole cents, a part of them round (one or two leading digits)."""
    cents = np.maximum(1, np.rint(amount * 100)).astype(np.int64)
    chosen = np.flatnonzero(rng.random(len(cents), dtype=np.float32) < ROUND_SHARE)
    digits = rng.integers(0, 2, len(chosen))
    magnitude = np.floor(np.log10(cents[chosen])).astype(np.int64)
    unit = np.power(10, np.maximum(magnitude - digits, 0))
    cents[chosen] = (cents[chosen] + unit // 2) // unit * unit
    return cents


def payments(
    platform: Platform,
    rng: Rng,
    src: Ints,
    dst: Ints,
    busy: Floats,
    amount: Floats | None = None,
    kind: str = "transfer",
) -> pl.DataFrame:
    """Rows at points in busy time; amounts as given, else as the sender usually sends."""
    if amount is None:
        amount = platform.typical[src] * np.exp(rng.standard_normal(len(src)))
    return rows(src, dst, tidy_cents(rng, amount), platform.calendar.at(busy), kind)


def rows(src: Ints, dst: Ints, cents: Ints, at_us: Ints, kind: str = "transfer") -> pl.DataFrame:
    """Transfers exactly as given (`Facts.transfers`); transfers to oneself are left out."""
    frame = pl.DataFrame(
        {
            "src": src.astype(np.int32),
            "dst": dst.astype(np.int32),
            "cents": cents,
            "at_us": at_us,
            "kind": np.full(len(src), TRANSFER_KINDS.index(kind), dtype=np.uint8),
        }
    )
    return frame.filter(pl.col("src") != pl.col("dst"))


def links(
    a: Ints, b: Ints, weight: Floats, amount: Floats, back: float, kind: str = "transfer"
) -> pl.DataFrame:
    """Pairs that keep dealing with each other (`Facts.links`)."""
    frame = pl.DataFrame(
        {
            "a": a.astype(np.int32),
            "b": b.astype(np.int32),
            "weight": weight.astype(np.float32),
            "amount": amount.astype(np.float32),
            "back": np.full(len(a), back, dtype=np.float32),
            "kind": np.full(len(a), TRANSFER_KINDS.index(kind), dtype=np.uint8),
        }
    )
    return frame.filter(pl.col("a") != pl.col("b"))


def sightings(accounts: Ints, kind: str, values: Ints, at_us: Ints) -> pl.DataFrame:
    """Accounts seen with identifiers, given as numbers (`Facts.sightings`)."""
    return pl.DataFrame(
        {
            "account": accounts.astype(np.int32),
            "kind": np.full(len(accounts), IDENTIFIER_KINDS.index(kind), dtype=np.uint8),
            "value": values,
            "at_us": at_us,
        }
    )


def acquaintances(platform: Platform) -> pl.DataFrame:
    """The links of everyday life: by activity, community, region and, to a degree, wealth."""
    rng = rng_for(platform.seed, "acquaintances")
    region = platform.community // COMMUNITIES_A_REGION
    everywhere = np.zeros_like(region)
    wanted = np.sqrt(platform.activity)
    wanted *= CONTACTS_AN_ACCOUNT / wanted.mean()
    return pl.concat(
        [
            _level(platform, rng, place, wanted, part)
            for place, part in ((platform.community, 0.6), (region, 0.25), (everywhere, 0.15))
        ]
    )


def _level(
    platform: Platform, rng: Rng, place: Ints, contacts: Floats, part: float
) -> pl.DataFrame:
    """A part of the contacts, in one's place; by activity, near in (noisy) wealth."""
    wealth = np.log(platform.share + 1e-12) + rng.standard_normal(platform.accounts)
    wealth -= wealth.mean()
    order = np.argsort(place + 1.0 / (1.0 + np.exp(-wealth / 3.0)), kind="stable")
    mass = np.cumsum(platform.activity[order])
    first = np.searchsorted(place[order], place[order], side="left")
    last = np.searchsorted(place[order], place[order], side="right") - 1
    below = np.where(first > 0, mass[first - 1], 0.0)
    width = np.maximum(mass[last] - below, 1e-12)

    position = np.repeat(np.arange(len(order)), rng.poisson(part * contacts[order]))
    shift = rng.laplace(0.0, 0.15, len(position)) * width[position]
    target = below[position] + np.mod(mass[position] - below[position] + shift, width[position])
    found = np.searchsorted(mass, target, side="right")
    other = order[np.clip(found, first[position], last[position])]
    who = order[position]
    weight = platform.activity[who] / contacts[who] * rng.lognormal(-0.5, 1.0, len(who))
    amount = np.sqrt(platform.typical[who] * platform.typical[other])
    return links(who, other, weight, amount, back=0.4)


def everyday_sightings(platform: Platform) -> pl.DataFrame:
    """Everybody with a device and a line of their own, some seen again later."""
    rng = rng_for(platform.seed, "sightings")
    people = platform.people
    seen = []
    for kind in IDENTIFIER_KINDS:
        again = people[rng.random(len(people)) < SEEN_AGAIN_PART]
        who = np.concatenate([people, again])
        seen.append(sightings(who, kind, who, platform.calendar.at(rng.random(len(who)))))
    return pl.concat(seen)


def everyday_purchases(platform: Platform) -> pl.DataFrame:
    """Points that people buy from the platform, one for every two accounts."""
    rng = rng_for(platform.seed, "purchases")
    buyers = by_weight(rng, platform.activity, platform.accounts // 2)
    amount = platform.typical[buyers] * 2.0 * np.exp(rng.standard_normal(len(buyers)))
    return purchases(platform, rng, buyers, rng.random(len(buyers)), amount)


def purchases(
    platform: Platform, rng: Rng, buyers: Ints, busy: Floats, amount: Floats
) -> pl.DataFrame:
    """Purchases at points in busy time (`Facts.purchases`)."""
    return pl.DataFrame(
        {
            "account": buyers.astype(np.int32),
            "cents": tidy_cents(rng, amount),
            "at_us": platform.calendar.at(busy),
        }
    )


def by_weight(rng: Rng, weights: npt.NDArray[np.floating], count: int) -> Ints:
    """`count` indices drawn with replacement in proportion to the weights, in rising order.

    Sorted uniform keys come from exponential gaps, so that the look-up runs along memory.
    """
    return by_mass(rng, np.cumsum(weights, dtype=np.float64), count)


def by_mass(rng: Rng, mass: Floats, count: int) -> Ints:
    """`by_weight` from weights already added up."""
    keys = np.cumsum(rng.standard_exponential(count + 1))
    keys *= mass[-1] / keys[-1]
    found = np.searchsorted(mass, keys[:-1], side="right")
    return np.minimum(found, len(mass) - 1)
