"""A whole world: casts the parts, lets each live, fills up with everyday life, writes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from graph.errors import UserError
from inconcert.simulate.frame import (
    IDENTIFIER_KINDS,
    ROLES,
    TRANSFER_KINDS,
    Facts,
    Floats,
    Ints,
    Platform,
    acquaintances,
    by_mass,
    capped,
    everyday_purchases,
    everyday_sightings,
    populate,
    rng_for,
    tidy_cents,
    together,
)
from inconcert.simulate.innocents import INNOCENTS, Cast, Innocent
from inconcert.simulate.planted import KINDS, Group, few_devices

FEWEST_ACCOUNTS = 500
MOST_ACCOUNTS = 10_000_000
FEWEST_DAYS = 7
MOST_DAYS = 3650
MOST_GROUPS = 11
MOST_SHARE_OF_GROUPS = 0.6
SMALLEST_GROUP_SHARE = 0.052
LARGEST_MEMBER = 0.028
LARGEST_OF_MANY = 0.009
MANY_MEMBERS = 30
MOST_CAST_PART = 0.7
MOST_GIVEN_PART = 0.8
ORDINARY_PART_OF_ACTIVITY = 0.6
"""What a member does with its group is part of its activity, not on top of it."""

ROWS_A_PIECE = 2_000_000

FILES = (
    "truth.json",
    "transfers.parquet",
    "referrals.parquet",
    "sightings.parquet",
    "purchases.parquet",
    "holdings.parquet",
    "accounts.parquet",
    "innocents.json",
)
"""The first is what marks a folder as a world."""

PART = ".part"

Advance = Callable[..., None]
"""`advance(done, note)`: transfers made so far, and what is being made."""


def silent(done: float | None = None, note: str | None = None) -> None:
    """An `Advance` for nobody who waits."""


@dataclass(frozen=True)
class World:
    """A simulated platform and the truth about it.

    Every frame has the columns of the file of its name; account ids are text, amounts exact
    decimals with two places, times UTC.
    """

    platform: Platform
    facts: Facts
    truth: list[dict[str, Any]]
    """One entry a group: group, kind, members, holders, share."""
    casts: dict[str, Cast]
    """The accounts reserved for each innocent structure (as integers, see `crowd`)."""
    roles: Sequence[str | None] = ROLES
    """What the role numbers of the platform mean."""
    identifier_kinds: Sequence[str] = IDENTIFIER_KINDS
    """What the kind numbers of sightings mean."""

    @property
    def innocents(self) -> list[dict[str, Any]]:
        """One entry an innocent crowd: crowd, kind, members, heads (institutions), share.

        `crowd` is the name of the cast, `kind` that name without the number of a team.
        """
        supply = int(self.platform.cents.sum())
        return [
            {
                "crowd": name,
                "kind": name.partition("-")[0],
                "members": self.crowd(name),
                "heads": self.institutions(name),
                "share": int(self.platform.cents[cast.members].sum()) / supply,
            }
            for name, cast in self.casts.items()
            if len(cast.members)
        ]

    def crowd(self, structure: str) -> list[str]:
        """The people reserved for an innocent structure: payroll, club, rich_household, …"""
        return account_ids(self.casts[structure].members)

    def institutions(self, structure: str) -> list[str]:
        """The institutions of an innocent structure: merchants, exchange, small_exchanges, …"""
        return account_ids(self.casts[structure].heads)

    @property
    def accounts(self) -> pl.DataFrame:
        """account, opened_at, role (null where the platform does not know)."""
        everyone = np.arange(self.platform.accounts)
        roles = pl.Series(self.roles, dtype=pl.String)
        return pl.DataFrame(
            {
                "account": _names(everyone),
                "opened_at": _moments(self.platform.opened_us),
                "role": roles.gather(self.platform.role),
            }
        )

    @property
    def holdings(self) -> pl.DataFrame:
        """account, amount, at: what each holds in the last second of the world."""
        return statement(self.platform.cents, self.platform.calendar.end_us - 1_000_000)

    @property
    def referrals(self) -> pl.DataFrame:
        """referrer, referred, at (the opening of the referred account)."""
        pairs = self.facts.referrals.unique("referred", keep="first", maintain_order=True)
        opened = self.platform.opened_us[pairs["referred"].to_numpy()]
        pairs = pairs.with_columns(pl.Series("at_us", opened)).sort("at_us", maintain_order=True)
        return pl.DataFrame(
            {
                "referrer": _names(pairs["referrer"].to_numpy()),
                "referred": _names(pairs["referred"].to_numpy()),
                "at": _moments(pairs["at_us"].to_numpy()),
            }
        )

    @property
    def sightings(self) -> pl.DataFrame:
        """account, identifier_kind, value, at."""
        seen = self.facts.sightings.sort("at_us", maintain_order=True)
        return seen.select(
            _names(seen["account"].to_numpy()).alias("account"),
            pl.Series(self.identifier_kinds).gather(seen["kind"]).alias("identifier_kind"),
            pl.when(pl.col("kind") == self.identifier_kinds.index("ip"))
            .then(_ip(pl.col("value")))
            .when(pl.col("kind") == self.identifier_kinds.index("device"))
            .then(_scrambled("d", pl.col("value")))
            .otherwise(_scrambled("c", pl.col("value")))
            .alias("value"),
            _moments(seen["at_us"].to_numpy()).alias("at"),
        )

    @property
    def purchases(self) -> pl.DataFrame:
        """account, amount, at, receipt."""
        bought = self.facts.purchases.sort("at_us", maintain_order=True)
        return pl.DataFrame(
            {
                "account": _names(bought["account"].to_numpy()),
                "amount": _amounts(bought["cents"].to_numpy()),
                "at": _moments(bought["at_us"].to_numpy()),
                "receipt": _numbered("r", 0, bought.height),
            }
        )

    @cached_property
    def transfers(self) -> pl.DataFrame:
        """src, dst, amount, at, kind, id, in order of time. All at once: see `pieces`."""
        return pl.concat(list(self.pieces()), rechunk=True)

    def pieces(self) -> Iterator[pl.DataFrame]:
        """`transfers` in pieces of a bounded size, in order of time."""
        number = 0
        for piece in self.drawn():
            yield pl.DataFrame(
                {
                    "src": _names(piece["src"].to_numpy()),
                    "dst": _names(piece["dst"].to_numpy()),
                    "amount": _amounts(piece["cents"].to_numpy()),
                    "at": _moments(piece["at_us"].to_numpy()),
                    "kind": pl.Series(TRANSFER_KINDS).gather(piece["kind"]),
                    "id": _numbered("t", number, piece.height),
                }
            )
            number += piece.height

    def drawn(self) -> Iterator[pl.DataFrame]:
        """Rows as given and rows drawn from links, in order of time, by slices of busy time.

        Columns as `Facts.transfers`: accounts as integers, amounts in cents.
        """
        platform, given = self.platform, self.facts.transfers.sort("at_us", maintain_order=True)
        count = -(-platform.transfers // ROWS_A_PIECE)
        edges = np.linspace(0.0, 1.0, count + 1)
        cuts = np.searchsorted(given["at_us"].to_numpy(), platform.calendar.at(edges[1:-1]))
        bounds = [0, *cuts.tolist(), given.height]
        fill = np.diff(np.linspace(0, platform.transfers - given.height, count + 1).astype(int))
        links = _Links(self.facts.links)
        for piece in range(count):
            rng = rng_for(platform.seed, f"everyday {piece}")
            busy = edges[piece] + (edges[piece + 1] - edges[piece]) * rng.random(fill[piece])
            drawn = links.draw(rng, platform.calendar.at(busy))
            slice_given = given.slice(bounds[piece], bounds[piece + 1] - bounds[piece])
            yield pl.concat([slice_given, drawn]).sort("at_us", maintain_order=True)


class _Links:
    """The links as arrays, ready to draw from."""

    def __init__(self, links: pl.DataFrame) -> None:
        self.columns = {name: links[name].to_numpy() for name in links.columns}
        self.mass = np.cumsum(self.columns["weight"], dtype=np.float64)

    def draw(self, rng: np.random.Generator, at_us: Ints) -> pl.DataFrame:
        """One transfer at each moment, its link by weight; none needs no links."""
        if not len(at_us):
            return Facts().transfers
        link = by_mass(rng, self.mass, len(at_us))
        a, b = self.columns["a"][link], self.columns["b"][link]
        back = rng.random(len(link), dtype=np.float32) < self.columns["back"][link]
        spread = np.exp(rng.standard_normal(len(link), dtype=np.float32))
        return pl.DataFrame(
            {
                "src": np.where(back, b, a),
                "dst": np.where(back, a, b),
                "cents": tidy_cents(rng, self.columns["amount"][link] * spread),
                "at_us": at_us,
                "kind": self.columns["kind"][link],
            }
        )


def make_world(
    accounts: int,
    transfers: int,
    seed: int = 0,
    days: int = 60,
    groups: int | None = None,
    kinds: Sequence[str] = (),
    advance: Advance = silent,
) -> World:
    """A world of so many accounts and exactly so many transfers over the days before END.

    `groups` hidden groups (None: as many as suit the size), their kinds in rotation from
    `kinds` (none named: all, in an order drawn by the seed). The same arguments give the
    same world. Raises UserError where a number is too small or the groups do not fit.
    """
    check_size(accounts, transfers, days, seed)
    wanted = _wanted_kinds(accounts, seed, groups, kinds)
    advance(0, "people")
    pool = Pool(accounts, seed)
    innocents = cast_innocents(pool, seed)
    planned = _plan_groups(pool, seed, wanted)
    claims = [(group.holders, shares) for group, shares in planned]
    claims += [(group.mules, np.zeros(len(group.mules))) for group, _ in planned]
    platform = populated(accounts, transfers, seed, days, innocents, claims)
    for group, _ in planned:
        _settle(platform, group)
    advance(0, "who deals with whom")
    facts = together(
        [*_grouped(platform, planned), *crowds(platform, innocents), everyday(platform)]
    )
    check_room(facts.transfers.height, transfers)
    truth = [_truth(platform, group) for group, _ in planned]
    return World(platform, facts, truth, {one.part.name: one.cast for one in innocents})


def check_size(accounts: int, transfers: int, days: int, seed: int) -> None:
    """UserError where a number is out of bounds."""
    if accounts < FEWEST_ACCOUNTS:
        raise UserError(
            f"A world of {accounts} accounts is too small to hide anything in.",
            f"Ask for at least {FEWEST_ACCOUNTS}.",
        )
    if accounts > MOST_ACCOUNTS:
        raise UserError(
            f"A world of {accounts} accounts is too large.", f"Ask for at most {MOST_ACCOUNTS}."
        )
    if transfers < accounts:
        raise UserError(
            f"{transfers} transfers are too few for {accounts} accounts.",
            "Ask for at least one transfer an account.",
        )
    if not FEWEST_DAYS <= days <= MOST_DAYS:
        raise UserError(f"A world lasts {FEWEST_DAYS} to {MOST_DAYS} days, not {days}.")
    if seed < 0:
        raise UserError(f"A seed is 0 or more, not {seed}.")


def check_room(given: int, transfers: int) -> None:
    """Everyday life needs its part of the transfers."""
    if given > MOST_GIVEN_PART * transfers:
        raise UserError(
            f"{transfers} transfers are too few for this world: its groups and institutions "
            f"alone make {given}.",
            f"Ask for {2 * given} transfers, or for fewer groups.",
        )


def _wanted_kinds(accounts: int, seed: int, groups: int | None, kinds: Sequence[str]) -> list[str]:
    """The kind of each group: the named kinds, or all in a seeded order, in rotation."""
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise UserError(
            f"There is no kind of group '{unknown[0]}'.", f"The kinds are {', '.join(KINDS)}."
        )
    if groups is None:
        groups = len(kinds) or (6 if accounts >= 5000 else 3)
    if not 0 <= groups <= MOST_GROUPS:
        raise UserError(
            f"A world holds 0 to {MOST_GROUPS} groups, not {groups}.",
            "Each holds over 5 %, and innocent crowds hold a third.",
        )
    order = list(kinds) or rng_for(seed, "kinds").permutation(list(KINDS)).tolist()
    return [order[number % len(order)] for number in range(groups)]


class Pool:
    """Hands out accounts, each once, and ranges of identifier numbers."""

    def __init__(self, accounts: int, seed: int) -> None:
        self.accounts = accounts
        self._order = rng_for(seed, "who is who").permutation(accounts)
        self._taken = 0
        self._ranges = 0

    def take(self, count: int) -> Ints:
        """The next `count` accounts. UserError when too few are left for ordinary people."""
        self._taken += count
        if self._taken > MOST_CAST_PART * self.accounts:
            raise UserError(
                f"So many groups do not fit among {self.accounts} accounts.",
                "Ask for more accounts or fewer groups.",
            )
        taken: Ints = self._order[self._taken - count : self._taken]
        return taken

    def numbers(self) -> int:
        """The first of a range of numbers, twice as long as there are accounts."""
        self._ranges += 1
        return 2 * self.accounts * self._ranges


@dataclass(frozen=True)
class CastInnocent:
    """An innocent structure, its accounts, and the shares that its members hold."""

    part: Innocent
    cast: Cast
    shares: Floats


def cast_innocents(pool: Pool, seed: int) -> list[CastInnocent]:
    """Reserves the accounts of every innocent structure."""
    casts = []
    for name, part in INNOCENTS.items():
        heads = pool.take(part.heads(pool.accounts))
        members = pool.take(part.members(pool.accounts))
        shares = part.member_shares(rng_for(seed, f"holdings {name}"), len(members))
        casts.append(CastInnocent(part, Cast(heads, members, pool.numbers()), shares))
    return casts


def _plan_groups(pool: Pool, seed: int, wanted: Sequence[str]) -> list[tuple[Group, Floats]]:
    """Groups with the shares of their holders."""
    totals = _group_shares(rng_for(seed, "shares"), len(wanted))
    planned = []
    for number, name in enumerate(wanted):
        kind, rng = KINDS[name], rng_for(seed, f"members {number}")
        holders = pool.take(kind.holders(rng, pool.accounts))
        mules = pool.take(round(kind.mules * len(holders)))
        cap = LARGEST_OF_MANY if len(holders) >= MANY_MEMBERS else LARGEST_MEMBER
        weights = rng.lognormal(0.0, kind.spread, len(holders))
        shares = capped(weights, kind.share or float(totals[number]), cap)
        planned.append((Group(f"g{number + 1}", name, holders, mules, pool.numbers()), shares))
    return planned


def _group_shares(rng: np.random.Generator, count: int) -> Floats:
    """5.2 to 8 % each, nearer to the lower end where they would take too much together."""
    above: Floats = rng.uniform(0.0, 0.028, count)
    room = MOST_SHARE_OF_GROUPS - SMALLEST_GROUP_SHARE * count
    return SMALLEST_GROUP_SHARE + above * min(1.0, room / max(float(above.sum()), 1e-9))


def populated(
    accounts: int,
    transfers: int,
    seed: int,
    days: int,
    innocents: Sequence[CastInnocent],
    claims: Sequence[tuple[Ints, Floats]],
) -> Platform:
    """The population: the innocents hold their shares, groups what they claim.

    `claims`: accounts and their shares of the supply.
    """
    claimed = [*claims, *((one.cast.members, one.shares) for one in innocents)]
    claimed += [
        (one.cast.heads, np.full(len(one.cast.heads), one.part.head_share / len(one.cast.heads)))
        for one in innocents
        if len(one.cast.heads)
    ]
    institutions = [(one.cast.heads, one.part.role) for one in innocents]
    return populate(accounts, transfers, seed, days, claimed, institutions)


def _settle(platform: Platform, group: Group) -> None:
    platform.activity[group.members] *= ORDINARY_PART_OF_ACTIVITY
    if KINDS[group.kind].recruits:
        _open_in_a_row(platform, group)


def _open_in_a_row(platform: Platform, group: Group) -> None:
    """The members were opened one after the other within three weeks."""
    rng = rng_for(platform.seed, f"opening {group.name}")
    first_day, days = -rng.uniform(60, 700), np.sort(rng.uniform(0, 21, len(group.members)))
    opened = platform.calendar.start_us + (first_day + days) * 86_400_000_000
    platform.opened_us[group.members] = opened.astype(np.int64) // 1000 * 1000


def _grouped(platform: Platform, planned: Sequence[tuple[Group, Floats]]) -> Iterator[Facts]:
    """What the groups do; every third also shares a few devices, where its kind allows."""
    for number, (group, _) in enumerate(planned):
        kind = KINDS[group.kind]
        yield kind.plant(platform, group, rng_for(platform.seed, f"group {group.name}"))
        if kind.devices and number % 3 == 2:
            yield few_devices(platform, group, rng_for(platform.seed, f"devices {group.name}"))


def crowds(platform: Platform, innocents: Sequence[CastInnocent]) -> Iterator[Facts]:
    """What each innocent structure adds."""
    for one in innocents:
        yield one.part.live(platform, one.cast, rng_for(platform.seed, one.part.name))


def everyday(platform: Platform) -> Facts:
    """What everybody does: deal with acquaintances, be seen, buy points."""
    return Facts(
        links=acquaintances(platform),
        sightings=everyday_sightings(platform),
        purchases=everyday_purchases(platform),
    )


def _truth(platform: Platform, group: Group) -> dict[str, Any]:
    supply = int(platform.cents.sum())
    return {
        "group": group.name,
        "kind": group.kind,
        "members": account_ids(group.members),
        "holders": account_ids(group.holders),
        "share": int(platform.cents[group.members].sum()) / supply,
    }


def _of_a_world(name: str) -> bool:
    return name.removesuffix(PART) in FILES


def check_directory(directory: Path, ours: Callable[[str], bool] = _of_a_world) -> None:
    """UserError unless a world may be written there: new, empty, or an earlier world.

    `ours` says of a name in the folder whether a world of this form has it.
    """
    if not directory.exists():
        return
    if not directory.is_dir():
        raise UserError(f"{directory} is a file; a world is written into a folder.")
    names = {entry.name for entry in directory.iterdir()}
    foreign = sorted(name for name in names if not ours(name))
    unmarked = sorted(name for name in names if not name.endswith(PART))
    if foreign or (unmarked and FILES[0] not in names):
        raise UserError(
            f"{directory} holds files of other origin ({(foreign or unmarked)[0]}); "
            "nothing was written.",
            "Name a new or empty folder, or that of an earlier world.",
        )


def write_world(world: World, directory: Path | str, advance: Advance = silent) -> dict[str, int]:
    """Writes the files of a world into a folder; returns the rows of each file.

    An earlier world there is replaced when the new one is complete. Raises UserError where
    the folder holds anything else.
    """
    folder = Path(directory)
    check_directory(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts = {file: folder / (file + PART) for file in FILES}
    try:
        counts = {"transfers.parquet": _write_transfers(world, parts["transfers.parquet"], advance)}
        for name in ("referrals", "sightings", "purchases", "holdings", "accounts"):
            advance(world.platform.transfers, name)
            frame: pl.DataFrame = getattr(world, name)
            frame.write_parquet(parts[f"{name}.parquet"], compression_level=1)
            counts[f"{name}.parquet"] = frame.height
        for name, entries in (("truth", world.truth), ("innocents", world.innocents)):
            text = json.dumps(entries, indent=1) + "\n"
            parts[f"{name}.json"].write_text(text, encoding="utf-8")
        for file, part in parts.items():
            part.replace(folder / file)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return counts


def _write_transfers(world: World, path: Path, advance: Advance) -> int:
    """A row group a piece, so that a world may be larger than memory."""
    done = 0
    advance(done, "transfers")
    with ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for piece in world.pieces():
            table: pa.Table = piece.to_arrow(compat_level=pl.CompatLevel.oldest())
            if writer is None:
                writer = stack.enter_context(
                    pq.ParquetWriter(path, table.schema, compression="zstd", compression_level=1)
                )
            writer.write_table(table, row_group_size=ROWS_A_PIECE)
            done += piece.height
            advance(done, "transfers")
    return done


def _names(accounts: Ints) -> pl.Series:
    return _numbered_text("u", pl.Series(accounts), 7)


def statement(cents: Ints, at_us: int) -> pl.DataFrame:
    """account, amount, at: what each account holds at a moment (microseconds since 1970)."""
    return pl.DataFrame(
        {
            "account": _names(np.arange(len(cents))),
            "amount": _amounts(cents),
            "at": _moments(np.full(len(cents), at_us)),
        }
    )


def account_ids(accounts: Ints) -> list[str]:
    """The ids of accounts given as integers, in order."""
    return _names(np.sort(accounts)).to_list()


def _numbered(prefix: str, first: int, count: int) -> pl.Series:
    return _numbered_text(prefix, pl.int_range(first, first + count, eager=True), 9)


def _numbered_text(prefix: str, numbers: pl.Series, digits: int) -> pl.Series:
    text = pl.concat_str(pl.lit(prefix), pl.col("n").cast(pl.String).str.zfill(digits))
    return numbers.alias("n").to_frame().select(text.alias("text")).to_series()


def _moments(at_us: Ints) -> pl.Series:
    return pl.Series(at_us).cast(pl.Datetime("us", "UTC"))


def _amounts(cents: Ints) -> pl.Series:
    """Exact decimals with two places, made from the cents without a detour over floats."""
    words = np.zeros((len(cents), 2), dtype=np.int64)
    words[:, 0] = cents
    buffers = [None, pa.py_buffer(words)]
    series = pl.from_arrow(pa.Array.from_buffers(pa.decimal128(18, 2), len(cents), buffers))
    assert isinstance(series, pl.Series)
    return series


def _scrambled(prefix: str, number: pl.Expr) -> pl.Expr:
    """Scrambled one to one, so that neighbours in number are none in name."""
    scrambled = (number * 8_589_934_663 + 77_777_777_777) % 2**40
    return pl.concat_str(pl.lit(prefix), scrambled.cast(pl.String).str.zfill(13))


def _ip(number: pl.Expr) -> pl.Expr:
    """Scrambled one to one over 11.0.0.0 to 126.255.255.255."""
    scrambled = (number * 1_103_515_245 + 12_345) % (116 * 2**24)
    octets = [11 + scrambled // 2**24, *(scrambled // 2**bits % 256 for bits in (16, 8, 0))]
    return pl.concat_str([octet.cast(pl.String) for octet in octets], separator=".")
