"""Ordinary life: who deals with whom when nobody plots anything.

Nested places, wealth that seeks wealth, friends of friends, shops, exchanges, agents, wages,
subscriptions, campaigns, shared bills; shared lines, devices and cards; referrals.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from inconcert.simulate.adversary.scene import (
    Part,
    Scene,
    between,
    joined,
    seen,
    ties,
    tree,
    usual,
)
from inconcert.simulate.frame import (
    Floats,
    Ints,
    Rng,
    by_weight,
    purchases,
    rows,
    tidy_cents,
)

PEOPLE_PART, SHOPS_PART, EXCHANGE_PART, CLOSE_PART, AGENTS_PART = 0.62, 0.16, 0.08, 0.11, 0.03
"""How the expected transfers of ordinary ties are divided."""

CONTACTS_AN_ACCOUNT = 4.5
CLOSED_PART = 0.25
EMPLOYED_PART = 0.25
FREE_PART = 0.86
"""The part of all transfers that is drawn from ties; the rest are rows (wages and the like)."""


def ordinary(scene: Scene) -> Part:
    """Everything ordinary; sets the expected transfer ends of each account (`ends`, `steady`)."""
    home = _households(scene)
    people = _acquaintances(scene)
    parts = (
        (people, PEOPLE_PART),
        (_shops(scene), SHOPS_PART),
        (_exchanges(scene), EXCHANGE_PART),
        (_close(scene, home), CLOSE_PART),
        (_agents(scene), AGENTS_PART),
    )
    total = FREE_PART * scene.platform.transfers
    drawn = pl.concat(
        [
            part.with_columns(weight=pl.col("weight") * (share * total / pl.col("weight").sum()))
            for part, share in parts
        ]
    )
    for end in ("a", "b"):
        scene.ends += np.bincount(
            drawn[end].to_numpy(), drawn["weight"].to_numpy(), scene.platform.accounts
        )
    whole = joined(
        [
            Part(ties=drawn, sightings=_own_sightings(scene, home)),
            _work(scene),
            Part(transfers=_subscriptions(scene)),
            Part(transfers=_campaigns(scene)),
            Part(transfers=_bills(scene, people)),
            Part(sightings=_public_lines(scene)),
            Part(purchases=_purchases(scene)),
        ]
    )
    for end in ("src", "dst"):
        scene.steady += np.bincount(
            whole.transfers[end].to_numpy(), minlength=scene.platform.accounts
        )
    return whole


def _near(place: Ints, nearness: Floats, mass: Floats, who: Ints, spread: float, rng: Rng) -> Ints:
    """A partner for each of `who` from its place: by mass, near in `nearness`."""
    order = np.lexsort((nearness, place))
    total = np.cumsum(mass[order])
    placed = place[order]
    first = np.searchsorted(placed, placed, side="left")
    last = np.searchsorted(placed, placed, side="right") - 1
    seat = np.empty(len(order), dtype=np.int64)
    seat[order] = np.arange(len(order))
    at = seat[who]
    below = np.where(first[at] > 0, total[first[at] - 1], 0.0)
    width = np.maximum(total[last[at]] - below, 1e-12)
    shift = rng.laplace(0.0, spread, len(who)) * width
    target = below + np.mod(total[at] - below + shift, width)
    found = np.searchsorted(total, target, side="right")
    return order[np.clip(found, first[at], last[at])]


def _acquaintances(scene: Scene) -> pl.DataFrame:
    """Ties by hood, town, region, interest, anywhere and among equals in wealth; and closure."""
    rng, platform = scene.rng("acquaintances"), scene.platform
    wealth = np.log(platform.share + 1e-10) + 0.8 * rng.standard_normal(platform.accounts)
    pull = platform.activity**0.8
    wanted = platform.activity**0.6 * rng.lognormal(0.0, 0.4, platform.accounts)
    wanted *= CONTACTS_AN_ACCOUNT / wanted.mean()
    everywhere = np.zeros_like(scene.hood)
    found_a, found_b = [], []
    for place, part, spread in (
        (scene.hood, 0.24, 0.3),
        (scene.town, 0.2, 0.2),
        (scene.region, 0.12, 0.1),
        (scene.interest, 0.16, 0.3),
        (everywhere, 0.08, 0.05),
        (everywhere, 0.2, 0.003),
    ):
        who = np.repeat(np.arange(platform.accounts), rng.poisson(part * wanted))
        found_a.append(who)
        found_b.append(_near(place, wealth, pull, who, spread, rng))
    a, b = np.concatenate(found_a), np.concatenate(found_b)
    a, b = _with_closure(a, b, rng)
    weight = platform.activity[a] / np.maximum(wanted[a], 0.2) * rng.lognormal(0.0, 1.2, len(a))
    weight *= (
        np.minimum(1.0, (platform.activity[b] / np.maximum(platform.activity[a], 1e-9))) ** 0.3
    )
    return ties(a, b, weight, between(platform, a, b), 0.42)


def _with_closure(a: Ints, b: Ints, rng: Rng) -> tuple[Ints, Ints]:
    """Some pairs become triangles: a friend's friend."""
    ends, others = np.concatenate([a, b]), np.concatenate([b, a])
    order = np.argsort(ends, kind="stable")
    ends, others = ends[order], others[order]
    start = rng.integers(0, len(a), int(CLOSED_PART * len(a)))
    low = np.searchsorted(ends, b[start], side="left")
    high = np.searchsorted(ends, b[start], side="right")
    third = others[low + (rng.random(len(start)) * (high - low)).astype(np.int64)]
    return np.concatenate([a, a[start]]), np.concatenate([b, third])


def _shops(scene: Scene) -> pl.DataFrame:
    """Shops of all sizes, half of the trade within the region; some payments come back."""
    rng, platform = scene.rng("shops"), scene.platform
    shops = scene.institutions["merchants"]
    size = np.zeros(platform.accounts)
    size[shops] = rng.pareto(1.1, len(shops)) + 1.0
    price = np.ones(platform.accounts)
    price[shops] = rng.lognormal(0.0, 0.7, len(shops))
    people = platform.people
    buyers = np.repeat(people, rng.poisson(2.2, len(people)))
    local = np.isin(scene.region, scene.region[shops])[buyers] & (rng.random(len(buyers)) < 0.5)
    place = np.where(local, scene.region[buyers] + 1, 0)
    shop = rng.permutation(by_weight(rng, size, len(buyers)))
    near = _near(scene.region, rng.random(platform.accounts), size, buyers[local], 10.0, rng)
    shop[place > 0] = near
    real = size[shop] > 0
    buyers, shop = buyers[real], shop[real]
    weight = platform.activity[buyers] ** 0.8 * rng.lognormal(0.0, 1.0, len(buyers))
    amount = 0.4 * price[shop] * platform.typical[buyers]
    return ties(buyers, shop, weight, amount, 0.03, "payment")


def _exchanges(scene: Scene) -> pl.DataFrame:
    """One large exchange, and smaller ones that the platform does not know as such."""
    rng, platform = scene.rng("exchanges"), scene.platform
    known, unknown = scene.institutions["exchange"], scene.institutions["small_exchanges"]
    part = platform.draw_people(rng, platform.accounts // 7)
    chosen = rng.random(len(part)) < 0.65
    out = []
    for hubs, customers, kind in ((known, part[chosen], "deposit"), (unknown, part[~chosen], "")):
        hub = rng.choice(hubs, len(customers))
        weight = platform.activity[customers] * rng.lognormal(0.0, 1.0, len(customers))
        amount = 2.5 * platform.typical[customers]
        out.append(ties(customers, hub, weight, amount, 0.5, kind or "transfer"))
    return pl.concat(out)


def _agents(scene: Scene) -> pl.DataFrame:
    """Agents who change cash in their town and settle with an exchange."""
    rng, platform = scene.rng("agents"), scene.platform
    agents, exchange = scene.institutions["agents"], scene.institutions["exchange"]
    pull = np.zeros(platform.accounts)
    pull[agents] = 1.0 + rng.pareto(1.3, len(agents))
    who = rng.permutation(platform.people)[: platform.accounts // 8]
    agent = _near(scene.region, rng.random(platform.accounts), pull, who, 10.0, rng)
    who, agent = who[pull[agent] > 0], agent[pull[agent] > 0]
    weight = platform.activity[who] ** 0.7 * rng.lognormal(0.0, 0.8, len(who))
    served = np.bincount(agent, weight, platform.accounts)[agents].astype(np.float64)
    amount = 1.5 * platform.typical[who]
    hub = rng.choice(exchange, len(agents))
    settle = ties(agents, hub, 0.3 * served, 6.0 * platform.typical[agents], 0.5, "deposit")
    return pl.concat([ties(who, agent, weight, amount, 0.5), settle])


def _households(scene: Scene) -> Ints:
    """The household of each account: two in five people live with others of their hood."""
    rng, count = scene.rng("households"), scene.platform.accounts
    home = np.arange(count)
    people = scene.platform.people
    people = people[rng.random(len(people)) < 0.4]
    people = people[np.argsort(scene.hood[people] + rng.random(len(people)), kind="stable")]
    size = rng.choice([2, 3, 4, 5], len(people), p=[0.5, 0.25, 0.17, 0.08])
    number = np.repeat(np.arange(len(size)), size)[: len(people)]
    first = np.searchsorted(number, number, side="left")
    home[people] = people[first]
    return home


def circle_pairs(members: Ints, circle: Ints) -> tuple[Ints, Ints]:
    """All pairs of members of the same circle."""
    seats = pl.DataFrame({"circle": circle, "who": members, "seat": np.arange(len(members))})
    pairs = seats.join(seats, on="circle", maintain_order="left_right").filter(
        pl.col("seat") < pl.col("seat_right")
    )
    return pairs["who"].to_numpy(), pairs["who_right"].to_numpy()


def _close(scene: Scene, home: Ints) -> pl.DataFrame:
    """Households and circles of friends: everybody in them deals with everybody."""
    rng, platform = scene.rng("close"), scene.platform
    people = platform.people
    families = circle_pairs(people, home[people])
    some = people[rng.random(len(people)) < 0.35]
    rank = np.log(platform.share[some] + 1e-10) + rng.standard_normal(len(some))
    some = some[np.lexsort((rank, scene.town[some]))]
    sizes = rng.integers(3, 8, len(some) // 3 + 1)
    friends = circle_pairs(some, np.repeat(np.arange(len(sizes)), sizes)[: len(some)])
    a, b = (np.concatenate(pair) for pair in zip(families, friends, strict=True))
    weight = np.sqrt(platform.activity[a] * platform.activity[b]) * rng.lognormal(0, 1.0, len(a))
    return ties(a, b, weight, between(platform, a, b), 0.45)


def _work(scene: Scene) -> Part:
    """Employers of all sizes: wages, colleagues, an office line."""
    rng, platform = scene.rng("work"), scene.platform
    employers = scene.institutions["employers"]
    paydays = len(platform.calendar.paydays(9))
    most = int(0.07 * platform.transfers / max(1, paydays))
    wanted = min(int(EMPLOYED_PART * platform.accounts), most)
    staff = rng.permutation(platform.people)[:wanted]
    size = rng.pareto(1.0, len(employers)) + 1.0
    job = np.sort(rng.permutation(by_weight(rng, np.minimum(size, 60.0), len(staff))))
    pay = wages(scene, employers[job], staff, rng)
    in_office = rng.random(len(staff)) < 0.5
    number = scene.numbers(len(employers)) + job[in_office]
    line = seen(scene, staff[in_office], "ip", number, rng.random(int(in_office.sum())))
    return Part(transfers=pay, sightings=line)


def wages(scene: Scene, employer: Ints, staff: Ints, rng: Rng) -> pl.DataFrame:
    """The same wage on every payday of an employer, its whole staff within one hour."""
    platform = scene.platform
    paydays = platform.calendar.paydays(hour=0)
    hour = np.bincount(employer, minlength=platform.accounts) * 7 % 9 + 8
    shift = np.where(employer % 3 == 0, -10, 0) * 24 + hour[employer]
    wage = tidy_cents(rng, 3.0 * usual(scene, rng, staff) ** 0.8 + 100.0)
    who = np.tile(np.arange(len(staff)), len(paydays))
    at_us = np.repeat(paydays, len(staff)) + 3_600_000_000 * shift[who]
    at_us = at_us + 1000 * rng.integers(0, 3_600_000, len(who))
    inside = at_us >= platform.calendar.start_us
    who, at_us = who[inside], at_us[inside]
    known = (platform.role[employer] > 1)[who]
    return pl.concat(
        [
            rows(employer[who][part], staff[who][part], wage[who][part], at_us[part], kind)
            for kind, part in (("salary", known), ("transfer", ~known))
        ]
    )


def _subscriptions(scene: Scene) -> pl.DataFrame:
    """The same amount every thirty days, to a shop or to a person (rent, lessons)."""
    rng, platform = scene.rng("subscriptions"), scene.platform
    months = max(1, platform.calendar.days // 30)
    count = int(0.035 * platform.transfers / months)
    who = platform.draw_people(rng, count)
    shops = scene.institutions["merchants"]
    sellers = rng.choice(shops[: max(3, len(shops) // 8)], len(who))
    landlords = rng.choice(platform.people, len(who))
    payee = np.where(rng.random(len(who)) < 0.7, sellers, landlords)
    fee = tidy_cents(rng, 0.3 * usual(scene, rng, who))
    return monthly(scene, rng, who, payee, fee, months)


def monthly(
    scene: Scene, rng: Rng, who: Ints, payee: Ints, cents: Ints, months: int
) -> pl.DataFrame:
    """Standing orders: the same amount at the same hour every thirty days."""
    begin = rng.random(len(who)) * min(30.0, scene.calendar.days) * 0.99
    day = np.tile(begin, months) + np.repeat(30.0 * np.arange(months), len(who))
    at_us = scene.calendar.at(np.tile(begin, months) / scene.calendar.days)
    at_us = at_us + (np.repeat(np.arange(months), len(who)) * 30 * 86_400_000_000)
    inside = day < scene.calendar.days
    return rows(
        np.tile(who, months)[inside],
        np.tile(payee, months)[inside],
        np.tile(cents, months)[inside],
        np.minimum(at_us, scene.calendar.end_us - 1_000_000)[inside],
        "payment",
    )


def _campaigns(scene: Scene) -> pl.DataFrame:
    """Three gifts of equal amounts from the treasury to very many, each within hours."""
    rng, platform = scene.rng("campaigns"), scene.platform
    count = min(int(0.008 * platform.transfers), len(platform.people) // 3)
    out = []
    for _ in range(3):
        lucky = platform.draw_people(rng, count)
        cents = np.repeat(tidy_cents(rng, rng.uniform(5, 100, 1)), len(lucky))
        busy = rng.uniform(0.05, 0.93) + scene.days(0.3) * rng.random(len(lucky))
        giver = np.repeat(scene.institutions["treasury"], len(lucky))
        at_us = scene.calendar.at(np.minimum(busy, 0.9999))
        out.append(rows(giver, lucky, cents, at_us, "airdrop"))
    return pl.concat(out)


def _bills(scene: Scene, people: pl.DataFrame) -> pl.DataFrame:
    """One pays the bill, the others send it their part within two days."""
    rng, platform = scene.rng("bills"), scene.platform
    known = people.select("a", "b").sort("a", maintain_order=True)
    a, b = known["a"].to_numpy(), known["b"].to_numpy()
    events = int(0.004 * platform.transfers)
    payer_seat = rng.integers(0, len(a), events)
    low = np.searchsorted(a, a[payer_seat], side="left")
    high = np.searchsorted(a, a[payer_seat], side="right")
    guests = np.minimum(rng.integers(1, 7, events), high - low)
    event = np.repeat(np.arange(events), guests)
    friend = b[low[event] + (rng.random(len(event)) * (high - low)[event]).astype(np.int64)]
    payer = a[payer_seat].astype(np.int64)
    part = tidy_cents(rng, 0.5 * usual(scene, rng, payer))
    begin = rng.random(events)
    busy = begin[event] + rng.exponential(scene.days(0.6), len(event))
    at_us = scene.calendar.at(np.minimum(busy, 0.9999))
    paid_back = rows(friend.astype(np.int64), payer[event], part[event], at_us)
    shop = rng.choice(scene.institutions["merchants"], events)
    total = part * (guests + 1)
    bill = rows(payer, shop, total, scene.calendar.at(begin), "payment")
    return pl.concat([bill, paid_back])


def _own_sightings(scene: Scene, home: Ints) -> pl.DataFrame:
    """Own and family devices, phones replaced or sold, home lines, cards."""
    rng, platform = scene.rng("sightings"), scene.platform
    people = platform.people
    times = 1 + np.minimum(rng.poisson(0.5 * np.sqrt(platform.activity[people])), 5)
    who = np.repeat(people, times)
    busy = rng.random(len(who))
    n = platform.accounts
    change = np.where(rng.random(n) < 0.25, rng.random(n), 2.0)
    sold = rng.random(n) < 0.012
    second = np.where(sold, rng.integers(0, n, n), n + np.arange(n))
    device = np.where(busy < change[who], who, second[who])
    family = (rng.random(n) < 0.3)[home[who]] & (rng.random(len(who)) < 0.4)
    device = np.where(family, home[who] + 2 * n, device)
    at_home = rng.random(len(who)) < 0.8
    own_line = seen(scene, who[at_home], "ip", home[who[at_home]], busy[at_home])
    holders = people[rng.random(len(people)) < 0.6]
    joint = (rng.random(n) < 0.12)[home[holders]]
    card = np.where(joint, home[holders] + n, holders)
    paid = seen(scene, holders, "card", card, rng.random(len(holders)))
    return pl.concat([seen(scene, who, "device", device, busy), own_line, paid])


def _public_lines(scene: Scene) -> pl.DataFrame:
    """Cafés and stations with hundreds on a line, and providers that put a street behind one."""
    rng, platform = scene.rng("public lines"), scene.platform
    out = []
    for part, place, split in ((0.12, scene.town, 1), (0.2, scene.hood, 4)):
        who = rng.permutation(platform.people)[: int(part * platform.accounts)]
        number = place[who] * split + rng.integers(0, split, len(who))
        number += scene.numbers(split * (int(place.max()) + 1))
        out.append(seen(scene, who, "ip", number, rng.random(len(who))))
    return pl.concat(out)


def referrals(scene: Scene) -> pl.DataFrame:
    """A root over two fifths of all people, two more trees, and small ones within towns.

    To be called when everybody's opening is settled: who refers was there before.
    """
    rng, platform = scene.rng("referrals"), scene.platform
    people = platform.people[np.argsort(platform.opened_us[platform.people], kind="stable")]
    fate = rng.choice(5, len(people), p=[0.44, 0.08, 0.04, 0.2, 0.24])
    out = [tree(scene, people[fate == number], rng) for number in range(3)]
    local = people[fate == 3]
    local = local[np.argsort(scene.town[local], kind="stable")]
    same = scene.town[local[1:]] == scene.town[local[:-1]]
    out.append(
        pl.DataFrame(
            {
                "referrer": local[:-1][same].astype(np.int32),
                "referred": local[1:][same].astype(np.int32),
            }
        )
    )
    return pl.concat(out)


def _purchases(scene: Scene) -> pl.DataFrame:
    """Points bought from the platform, two for every five accounts."""
    rng, platform = scene.rng("purchases"), scene.platform
    who = by_weight(rng, platform.activity, 2 * platform.accounts // 5)
    return purchases(platform, rng, who, rng.random(len(who)), 2.0 * usual(scene, rng, who))
