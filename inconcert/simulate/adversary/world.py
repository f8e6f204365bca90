"""A world by an adversary: settles the people, lets them live, hides the operators in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from graph.errors import UserError
from inconcert.simulate.adversary.innocents import claim, gather, live
from inconcert.simulate.adversary.life import ordinary, referrals
from inconcert.simulate.adversary.operators import KINDS, Group
from inconcert.simulate.adversary.scene import (
    ALL_IDENTIFIER_KINDS,
    ALL_ROLES,
    Claims,
    Part,
    Scene,
    joined,
    settle,
)
from inconcert.simulate.frame import (
    Facts,
    Floats,
    Ints,
    Rng,
    by_mass,
    capped,
    rng_for,
    tidy_cents,
)
from inconcert.simulate.innocents import Cast
from inconcert.simulate.world import World, account_ids

FEWEST_ACCOUNTS = 2000
MOST_ACCOUNTS = 1_000_000
MOST_GROUPS = 8
MOST_SHARE_OF_GROUPS = 0.44
SHARE_OF_A_GROUP = (0.0505, 0.08)
LARGEST_MEMBER = 0.028
SPREAD_OF_HOLDINGS = 0.9
AGAIN_PART = 0.3
REPAID_PART = 0.15
HABIT_PART = 0.12
MOST_GIVEN_PART = 0.6

Advance = Callable[..., None]


def _silent(done: float | None = None, note: str | None = None) -> None:
    pass


@dataclass(frozen=True)
class _Plan:
    group: Group
    claims: Claims


def make_world(
    accounts: int = 100_000,
    transfers: int | None = None,
    seed: int = 0,
    days: int = 180,
    groups: int | None = None,
    kinds: Sequence[str] = (),
    advance: Advance = _silent,
    *,
    inside: float | None = None,
    held: float | None = None,
) -> World:
    """A world of an adversary, with exactly so many transfers (None: 15 an account).

    `groups` hidden groups (None: as many as suit the size), their kinds in rotation from
    `kinds` (none named: all, in an order drawn by the seed). `inside`: the part of a member's
    transfers that the scheme takes (None: as the kind does); `held`: the share of the supply
    that each group holds (None: 5.05 to 8 %). The same arguments give the same world. Raises
    UserError where a number is out of bounds or the groups do not fit.
    """
    transfers = 15 * accounts if transfers is None else transfers
    _check(accounts, transfers, days, seed, inside, held)
    wanted = _wanted_kinds(accounts, seed, groups, kinds, held)
    advance(0, "people")
    plans, claimed, scene = _cast(accounts, transfers, seed, days, wanted, inside, held)
    taken = np.concatenate([np.zeros(0, np.int64), *(plan.group.members for plan in plans)])
    crowds = gather(scene, claimed, taken)
    _move_together(scene, plans, {name: cast for name, (_, cast) in crowds.items()})
    advance(0, "who deals with whom")
    everyday = ordinary(scene)
    special = joined([*live(scene, crowds), *_operations(scene, plans)])
    special = replace(special, referrals=pl.concat([special.referrals, referrals(scene)]))
    facts = _happened(scene, everyday, special)
    truth = [_truth(scene, plan.group) for plan in plans]
    nobody = np.zeros(0, dtype=np.int64)
    casts = {name: Cast(heads, nobody, 0) for name, heads in scene.institutions.items()}
    casts |= {name: cast for name, (_, cast) in crowds.items()}
    return World(scene.platform, facts, truth, casts, ALL_ROLES, ALL_IDENTIFIER_KINDS)


def _check(
    accounts: int, transfers: int, days: int, seed: int, inside: float | None, held: float | None
) -> None:
    if not FEWEST_ACCOUNTS <= accounts <= MOST_ACCOUNTS:
        raise UserError(
            f"An adversary's world has {FEWEST_ACCOUNTS} to {MOST_ACCOUNTS} accounts, "
            f"not {accounts}."
        )
    if transfers < 4 * accounts:
        raise UserError(
            f"{transfers} transfers are too few for {accounts} accounts.",
            "Ask for at least four transfers an account.",
        )
    if not 30 <= days <= 1000:
        raise UserError(f"An adversary's world lasts 30 to 1000 days, not {days}.")
    if seed < 0:
        raise UserError(f"A seed is 0 or more, not {seed}.")
    if inside is not None and not 0.0 < inside <= 0.85:
        raise UserError(
            f"The part of transfers inside a group lies over 0 and up to 0.85, not {inside}."
        )
    if held is not None and not 0.005 <= held <= 0.2:
        raise UserError(f"A group holds 0.005 to 0.2 of the supply, not {held}.")


def _wanted_kinds(
    accounts: int, seed: int, groups: int | None, kinds: Sequence[str], held: float | None
) -> list[str]:
    """The kind of each group: the named kinds, or all in a seeded order, in rotation."""
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise UserError(
            f"There is no kind of group '{unknown[0]}' in an adversary's world.",
            f"The kinds are {', '.join(KINDS)}.",
        )
    if groups is None:
        groups = len(kinds) or (6 if accounts >= 20_000 else 3)
    least = SHARE_OF_A_GROUP[0] if held is None else held
    most = min(MOST_GROUPS, int(MOST_SHARE_OF_GROUPS / least))
    if not 0 <= groups <= most:
        raise UserError(
            f"An adversary's world holds 0 to {most} groups of this share, not {groups}.",
            "Innocents must hold more than the groups.",
        )
    order = list(kinds) or rng_for(seed, "adversary kinds").permutation(list(KINDS)).tolist()
    return [order[number % len(order)] for number in range(groups)]


def _cast(
    accounts: int,
    transfers: int,
    seed: int,
    days: int,
    wanted: Sequence[str],
    inside: float | None,
    held: float | None,
) -> tuple[list[_Plan], dict[str, Ints], Scene]:
    """Who is an institution, who is in a group, who in a crowd with a fortune of its own."""
    order = rng_for(seed, "adversary cast").permutation(accounts)
    used = 0

    def take(count: int) -> Ints:
        nonlocal used
        used += count
        taken: Ints = order[used - count : used]
        return taken

    institutions = _institutions(take, rng_for(seed, "adversary institutions"), accounts)
    claimed, claims = claim(take, rng_for(seed, "adversary fortunes"), accounts)
    totals = _group_shares(rng_for(seed, "adversary shares"), len(wanted), held)
    plans = [
        _plan(take, seed, number, name, accounts, inside, total)
        for number, (name, total) in enumerate(zip(wanted, totals, strict=True))
    ]
    claims += [one for plan in plans for one in plan.claims]
    settled = np.concatenate([np.zeros(0, np.int64), *(who for who, _ in claims)])
    scene = settle(accounts, transfers, seed, days, claims, institutions, settled)
    return plans, claimed, scene


def _institutions(
    take: Callable[[int], Ints], rng: Rng, accounts: int
) -> dict[str, tuple[Ints, Ints, float]]:
    """Institutions: accounts, role codes (unknown to the platform in part), share together."""

    def some(count: int, role: str | None, known: float, held: float) -> tuple[Ints, Ints, float]:
        code = ALL_ROLES.index(role)
        return take(count), np.where(rng.random(count) < known, code, 0), held

    return {
        "treasury": some(1, "treasury", 1.0, 0.01),
        "exchange": some(1, "exchange", 1.0, 0.012),
        "small_exchanges": some(3, "exchange", 0.0, 0.004),
        "merchants": some(max(16, accounts // 250), "merchant", 0.7, 0.01),
        "employers": some(max(6, accounts // 2500), "payroll", 0.5, 0.004),
        "agents": some(max(4, accounts // 1500), None, 1.0, 0.002),
        "rich_employer": some(1, "payroll", 0.5, 0.004),
        "custodian": some(1, "custodian", 0.5, 0.008),
    }


def _group_shares(rng: Rng, count: int, held: float | None) -> Floats:
    """5.05 to 8 % each, nearer to the lower end where they would take too much together."""
    if held is not None:
        return np.full(count, held)
    low, high = SHARE_OF_A_GROUP
    above: Floats = (high - low) * rng.random(count) ** 1.5
    room = MOST_SHARE_OF_GROUPS - low * count
    return low + above * min(1.0, room / max(float(above.sum()), 1e-9))


def _plan(
    take: Callable[[int], Ints],
    seed: int,
    number: int,
    name: str,
    accounts: int,
    inside: float | None,
    total: float,
) -> _Plan:
    """A group and what its members hold."""
    kind, rng = KINDS[name], rng_for(seed, f"adversary members {number}")
    holders = take(kind.holders(rng, accounts))
    mules = take(max(kind.fewest_mules, round(kind.mules * len(holders))))
    core = holders[: max(12, round(kind.core * len(holders)))]
    bounds = kind.inside if inside is None else (0.85 * inside, 1.15 * inside)
    group = Group(f"g{number + 1}", name, holders, mules, core, bounds)
    small = rng.lognormal(-1.5, 1.2, len(mules)) / accounts
    weights = rng.lognormal(0.0, SPREAD_OF_HOLDINGS, len(holders))
    weights[len(core) :] *= 0.4
    rest = total - float(small.sum())
    held = capped(weights, rest, min(LARGEST_MEMBER, 5.0 * rest / len(holders)))
    return _Plan(group, [(holders, held), (mules, small)])


def _move_together(scene: Scene, plans: Sequence[_Plan], casts: dict[str, Cast]) -> None:
    """Some groups and crowds live in one region or town; members of groups are in use."""
    rng = scene.rng("moving")
    platform = scene.platform
    for plan in plans:
        members = plan.group.members
        usual = np.median(platform.activity[platform.people])
        platform.activity[members] = np.maximum(platform.activity[members], usual)
        platform.activity[members] *= KINDS[plan.group.kind].busy
        if rng.random() < 0.4:
            _move(scene, members[rng.random(len(members)) < 0.7], scene.region, rng)
    for cast in casts.values():
        place = scene.town if rng.random() < 0.5 else scene.region
        _move(scene, cast.members[rng.random(len(cast.members)) < 0.7], place, rng)


def _move(scene: Scene, who: Ints, place: Ints, rng: Rng) -> None:
    """They move to hoods of the town or region where one of them lives."""
    if not len(who):
        return
    there = np.flatnonzero(place == place[who[0]])
    model = rng.choice(there, len(who))
    for home in (scene.hood, scene.town, scene.region):
        home[who] = home[model]


def _operations(scene: Scene, plans: Sequence[_Plan]) -> Iterator[Part]:
    for plan in plans:
        group = plan.group
        yield KINDS[group.kind].operate(scene, group, scene.rng(f"group {group.name}"))


def _happened(scene: Scene, everyday: Part, special: Part) -> Facts:
    """The facts: everyday ties as far as they are kept up, and nothing before an opening."""
    opened = scene.platform.opened_us
    ordinary_ties = everyday.ties.with_columns(
        weight=pl.col("weight")
        * pl.Series(scene.kept[everyday.ties["a"].to_numpy()])
        * pl.Series(scene.kept[everyday.ties["b"].to_numpy()])
    )
    both = joined([everyday, special])
    given = both.transfers.filter(
        pl.col("at_us") > pl.Series(_later(opened, both.transfers, "src", "dst"))
    )
    room = scene.platform.transfers - given.height
    if room < (1.0 - MOST_GIVEN_PART) * scene.platform.transfers:
        raise UserError(
            f"{scene.platform.transfers} transfers are too few for this world: its groups and "
            f"crowds alone make {given.height}.",
            f"Ask for {3 * given.height} transfers, or for fewer groups.",
        )
    drawn = _drawn(scene, pl.concat([ordinary_ties, special.ties]), room)
    return Facts(
        transfers=pl.concat([given, drawn]),
        referrals=both.referrals,
        sightings=both.sightings.filter(
            pl.col("at_us") > pl.Series(opened[both.sightings["account"].to_numpy()])
        ),
        purchases=both.purchases.filter(
            pl.col("at_us") > pl.Series(opened[both.purchases["account"].to_numpy()])
        ),
    )


def _later(opened: Ints, frame: pl.DataFrame, a: str, b: str) -> Ints:
    """The moment from which both accounts are open."""
    later: Ints = np.maximum(opened[frame[a].to_numpy()], opened[frame[b].to_numpy()])
    return later


def _drawn(scene: Scene, ties: pl.DataFrame, count: int) -> pl.DataFrame:
    """So many transfers drawn from ties, those of a tie partly soon after one another."""
    rng, calendar = scene.rng("drawn"), scene.calendar
    both_open = _opened_busy(scene, ties)
    begin = np.maximum(ties["begin"].to_numpy(), both_open)
    length = ties["end"].to_numpy() - begin
    weight = ties["weight"].to_numpy() * np.maximum(length, 0.0)
    weight /= ties["end"].to_numpy() - ties["begin"].to_numpy()
    tie = by_mass(rng, np.cumsum(weight), count)
    again = (rng.random(count) < AGAIN_PART) & (tie == np.roll(tie, 1))
    again[0] = False
    busy = _moments_of_ties(scene, rng, begin[tie], length[tie], again)
    repaid = again & (rng.random(count) < REPAID_PART)
    repaid &= ~np.roll(repaid, 1)
    back = rng.random(count) < ties["back"].to_numpy()[tie]
    back = np.where(repaid, ~np.roll(back, 1), back)
    cents = _amounts_of_ties(rng, ties["amount"].to_numpy(), tie)
    cents = np.where(repaid, np.roll(cents, 1), cents)
    a, b = ties["a"].to_numpy()[tie], ties["b"].to_numpy()[tie]
    return pl.DataFrame(
        {
            "src": np.where(back, b, a),
            "dst": np.where(back, a, b),
            "cents": cents,
            "at_us": calendar.at(busy),
            "kind": ties["kind"].to_numpy()[tie],
        },
        schema=Facts().transfers.schema,
    )


def _opened_busy(scene: Scene, ties: pl.DataFrame) -> Floats:
    """The busy time (0 before the world) from which both ends of each tie are open."""
    points = np.linspace(0.0, 1.0, 24 * scene.calendar.days + 1)
    later = _later(scene.platform.opened_us, ties, "a", "b")
    busy: Floats = np.interp(later, scene.calendar.at(points), points, left=0.0)
    return np.where(busy > 0.0, busy + 1.0 / len(points), 0.0)


def _moments_of_ties(
    scene: Scene, rng: Rng, begin: Floats, length: Floats, again: np.ndarray
) -> Floats:
    """Busy times: a part in campaigns, a part within days after the one before."""
    count = len(begin)
    fresh = scene.moments(rng, begin, length)
    gap = np.cumsum(np.where(again, rng.exponential(scene.days(1.2), count), 0.0))
    anchor = np.maximum.accumulate(np.where(again, 0, np.arange(count)))
    busy = fresh[anchor] + gap - gap[anchor]
    return np.where(busy < np.minimum(begin + length, 0.9999), busy, fresh)


def _amounts_of_ties(rng: Rng, usual: Floats, tie: Ints) -> Ints:
    """Amounts about the usual one of the tie; some ties have a habit, always the same."""
    habit = rng.random(len(usual)) < HABIT_PART
    always = tidy_cents(rng, usual * np.exp(rng.standard_normal(len(usual))))
    cents = tidy_cents(rng, usual[tie] * np.exp(rng.standard_normal(len(tie))))
    return np.where(habit[tie], always[tie], cents)


def _truth(scene: Scene, group: Group) -> dict[str, Any]:
    cents = scene.platform.cents
    entry: dict[str, Any] = {
        "group": group.name,
        "kind": group.kind,
        "members": account_ids(group.members),
        "holders": account_ids(group.holders),
        "share": int(cents[group.members].sum()) / int(cents.sum()),
    }
    if len(group.core) < len(group.holders):
        entry["core"] = account_ids(group.core)
    return entry
