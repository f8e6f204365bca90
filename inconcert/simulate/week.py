"""A week on a platform: ordinary life before it, then a hidden group from day to day.

The ordinary life, the people and the innocents are those of the plain maker; the group's
story is told in `campaign`. What is held fits what was moved: the statement of a day is the
one before, with the day's transfers and purchases.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl
from numba import njit

from graph.errors import UserError
from inconcert.simulate.campaign import (
    FEWEST_MEMBERS,
    MOST_MEMBERS,
    Campaign,
    Days,
    live,
    ordinary_lots,
)
from inconcert.simulate.frame import (
    DAY_US,
    Facts,
    Ints,
    Platform,
    rng_for,
    tidy_cents,
    together,
)
from inconcert.simulate.world import (
    Advance,
    CastInnocent,
    Pool,
    World,
    account_ids,
    cast_innocents,
    check_room,
    check_size,
    crowds,
    everyday,
    populated,
    silent,
    statement,
)

HISTORY_DAYS = 60
FEWEST_DAYS, MOST_DAYS = 7, 60
FEWEST_ACCOUNTS, MOST_ACCOUNTS = 1000, 200_000

FROM_PLATFORM = -1
"""Who 'sends' a purchase."""


@dataclass(frozen=True)
class Week:
    """The world over history and week, and what everybody holds at the end of each day.

    `world` has the holdings and the truth of the last day; `cents` has a row for the end of
    the history and one for each day of the week, and a column an account.
    """

    world: World
    campaign: Campaign
    days: Days
    cents: Ints

    def date(self, day: int) -> date:
        """The date of a day; days count from 1."""
        return datetime.fromtimestamp(self.days.end_us(day) // 1_000_000, tz=UTC).date()

    def holdings(self, day: int) -> pl.DataFrame:
        """The complete statement at the end of a day; day 0 is the last before the week."""
        return statement(self.cents[day], self.days.end_us(day))

    @property
    def truth(self) -> list[dict[str, Any]]:
        """The truth of the world, with `days`: what the group holds, and in which parts."""
        told = [self._told(day) for day in range(1, self.days.count + 1)]
        return [{**entry, "days": told} for entry in self.world.truth]

    def _told(self, day: int) -> dict[str, Any]:
        parts = [self._part(day, part) for part in self.campaign.parts(day)]
        whole = self._part(day, self.campaign.members)
        supply = _decimal(int(self.cents[day].sum()))
        return {
            "day": day,
            "date": self.date(day).isoformat(),
            "supply": supply,
            "holdings": whole["holdings"],
            "share": whole["share"],
            "parts": parts,
        }

    def _part(self, day: int, members: Ints) -> dict[str, Any]:
        held, supply = int(self.cents[day, members].sum()), int(self.cents[day].sum())
        return {
            "members": account_ids(members),
            "holdings": _decimal(held),
            "share": held / supply,
        }


def make_week(
    accounts: int, transfers: int, seed: int = 0, days: int = 7, advance: Advance = silent
) -> Week:
    """A week of so many days after 60 days of history; so many transfers over both.

    The same arguments give the same week. Raises UserError where a number is out of bounds.
    """
    _check(accounts, transfers, days, seed)
    advance(0, "people")
    pool = Pool(accounts, seed)
    innocents = cast_innocents(pool, seed)
    rng = rng_for(seed, "campaign")
    members = pool.take(int(rng.integers(FEWEST_MEMBERS, MOST_MEMBERS + 1)))
    campaign = Campaign.of(members, pool.numbers(), rng)
    claims = [(campaign.members, campaign.shares)]
    platform = populated(accounts, transfers, seed, HISTORY_DAYS + days, innocents, claims)
    advance(0, "who deals with whom")
    calendar = Days(platform, days)
    facts = _facts(calendar, campaign, innocents)
    check_room(facts.transfers.height, transfers)
    return _held(calendar, campaign, World(platform, facts, [], _casts(innocents)))


def _check(accounts: int, transfers: int, days: int, seed: int) -> None:
    if not FEWEST_ACCOUNTS <= accounts <= MOST_ACCOUNTS:
        raise UserError(
            f"A week is lived by {FEWEST_ACCOUNTS} to {MOST_ACCOUNTS} accounts, not {accounts}."
        )
    if not FEWEST_DAYS <= days <= MOST_DAYS:
        raise UserError(f"The story of a week takes {FEWEST_DAYS} to {MOST_DAYS} days, not {days}.")
    check_size(accounts, transfers, HISTORY_DAYS + days, seed)


def _casts(innocents: list[CastInnocent]) -> dict[str, Any]:
    return {one.part.name: one.cast for one in innocents}


def _facts(days: Days, campaign: Campaign, innocents: list[CastInnocent]) -> Facts:
    platform = days.platform
    taken = [part for one in innocents for part in (one.cast.heads, one.cast.members)]
    strangers = np.setdiff1d(platform.people, np.concatenate([*taken, campaign.members]))
    return together(
        [
            live(days, campaign, strangers, rng_for(platform.seed, "campaign of the week")),
            ordinary_lots(platform, strangers, rng_for(platform.seed, "lots")),
            *crowds(platform, innocents),
            everyday(platform),
        ]
    )


def _held(days: Days, campaign: Campaign, world: World) -> Week:
    """The week with its statements; who lacks points to send buys them first."""
    moved = _moved(days, world)
    bought = _bought_first(days, moved)
    facts = replace(world.facts, purchases=pl.concat([world.facts.purchases, bought]))
    cents = _statements(days, pl.concat([moved, _as_moved(bought)]))
    platform = replace(world.platform, cents=cents[-1])
    truth = [_truth(platform, campaign)]
    return Week(World(platform, facts, truth, world.casts), campaign, days, cents)


def _truth(platform: Platform, campaign: Campaign) -> dict[str, Any]:
    members = account_ids(campaign.members)
    share = int(platform.cents[campaign.members].sum()) / int(platform.cents.sum())
    return {
        "group": "g1",
        "kind": "campaign",
        "members": members,
        "holders": members,
        "share": share,
    }


def _moved(days: Days, world: World) -> pl.DataFrame:
    """src, dst, cents, at_us of the week's transfers and purchases, in order of time."""
    week = pl.col("at_us") >= days.start_us
    sent = pl.concat([piece.filter(week).drop("kind") for piece in world.drawn()])
    bought = _as_moved(world.facts.purchases.filter(week))
    return pl.concat([bought, sent]).sort("at_us", maintain_order=True)


def _as_moved(purchases: pl.DataFrame) -> pl.DataFrame:
    return purchases.select(
        pl.lit(FROM_PLATFORM, dtype=pl.Int32).alias("src"),
        pl.col("account").alias("dst"),
        "cents",
        "at_us",
    )


def _bought_first(days: Days, moved: pl.DataFrame) -> pl.DataFrame:
    """Purchases of those who send more than they have, minutes before (`Facts.purchases`).

    They buy what they usually buy, as often as it takes.
    """
    platform, rng = days.platform, rng_for(days.platform.seed, "bought first")
    src, at_us = moved["src"].to_numpy(), moved["at_us"].to_numpy()
    usual = platform.typical[src] * 2.0 * np.exp(rng.standard_normal(len(src)))
    dst, cents = moved["dst"].to_numpy(), moved["cents"].to_numpy()
    lacking = _lacking(platform.cents.copy(), src, dst, cents, tidy_cents(rng, usual))
    before = at_us - 1000 * rng.integers(60_000, 600_000, len(src))
    midnight = days.start_us + (at_us - days.start_us) // DAY_US * DAY_US
    frame = pl.DataFrame(
        {"account": src, "cents": lacking, "at_us": np.maximum(before, midnight)},
        schema=Facts().purchases.schema,
    )
    return frame.filter(pl.col("cents") > 0)


@njit(cache=True)
def _lacking(held: Ints, src: Ints, dst: Ints, cents: Ints, usual: Ints) -> Ints:
    """What each sender must buy before each row, in whole times the usual amount."""
    lacking = np.zeros(len(src), np.int64)
    for row in range(len(src)):
        sender, receiver, amount = src[row], dst[row], cents[row]
        if sender >= 0:
            missing = amount - held[sender]
            if missing > 0:
                lacking[row] = -(-missing // usual[row]) * usual[row]
            held[sender] += lacking[row] - amount
        held[receiver] += amount
    return lacking


def _statements(days: Days, moved: pl.DataFrame) -> Ints:
    """Cents by day (0 to the last) and account."""
    day = 1 + (moved["at_us"].to_numpy() - days.start_us) // DAY_US
    cents = np.zeros((days.count + 1, days.platform.accounts), dtype=np.int64)
    cents[0] = days.platform.cents
    src, dst, amount = (moved[name].to_numpy() for name in ("src", "dst", "cents"))
    np.add.at(cents, (day, dst), amount)
    sent = src >= 0
    np.subtract.at(cents, (day[sent], src[sent]), amount[sent])
    added: Ints = np.cumsum(cents, axis=0)
    return added


def _decimal(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
