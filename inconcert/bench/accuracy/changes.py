"""What may be wrong with the facts, or done by operators: a world changed before it is loaded.

A change is one function under `@change("words")`: it gets a town and a random generator and
gives another town. The truth stays what it was, unless the change is about the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from inconcert.bench.accuracy.town import LINE, Hidden, Town

Change = Callable[[Town, np.random.Generator], Town]

MISSING_PART = 0.1
WRONG_PART = 0.01
BELOW, ABOVE = (0.045, 0.0495), (0.0501, 0.0525)
"""What a group just below and just above the line holds."""

CHANGES: dict[str, Change] = {}
"""Every change by its words."""


def change(words: str) -> Callable[[Change], Change]:
    """Registers a change."""

    def register(function: Change) -> Change:
        CHANGES[words] = function
        return function

    return register


def near_the_line(town: Town, rng: np.random.Generator) -> Town:
    """Groups just below the line and just above it, in turn; what they lose or gain goes to
    or comes from people of no group and no crowd, in proportion."""
    bounds = [BELOW if place % 2 == 0 else ABOVE for place in range(len(town.groups))]
    wanted = [rng.uniform(low, high) for low, high in bounds]
    held = town.frames["holdings"].sort("account")
    cents = (held["amount"] * 100).cast(pl.Int64).to_numpy().copy()
    supply = int(cents.sum())
    ordinary = np.ones(len(cents), np.bool_)
    special = [group.members for group in town.groups] + [one.members for one in town.crowds]
    for members in special:
        ordinary[sorted(members)] = False
    for group, share in zip(town.groups, wanted, strict=True):
        places = sorted(group.members)
        cents[places] = np.floor(cents[places] * (share * supply / cents[places].sum()))
    rest = supply - int(cents[~ordinary].sum())
    cents[ordinary] = np.floor(cents[ordinary] * (rest / cents[ordinary].sum()))
    cents[np.flatnonzero(ordinary)[np.argmax(cents[ordinary])]] += supply - int(cents.sum())
    amounts = (pl.Series(cents).cast(pl.Decimal(18, 2)) / 100).cast(pl.Decimal(18, 2))
    groups = [
        Hidden(one.kind, one.members, int(cents[sorted(one.members)].sum()) / supply)
        for one in town.groups
    ]
    frames = {**town.frames, "holdings": held.with_columns(amount=amounts)}
    return Town(frames, groups, town.crowds)


@change("as they are")
def unchanged(town: Town, rng: np.random.Generator) -> Town:
    """Nothing is wrong."""
    return town


@change("10 % of transfers missing")
def missing_transfers(town: Town, rng: np.random.Generator) -> Town:
    """Each transfer is lost with the same chance."""
    transfers = town.frames["transfers"]
    kept = pl.Series(rng.random(len(transfers)) >= MISSING_PART)
    return _with(town, transfers=transfers.filter(kept))


@change("no amounts")
def no_amounts(town: Town, rng: np.random.Generator) -> Town:
    """Transfers and purchases without amounts; purchases are worthless then."""
    return _without(_with(town, transfers=town.frames["transfers"].drop("amount")), "purchases")


@change("no times")
def no_times(town: Town, rng: np.random.Generator) -> Town:
    """Nothing has a time but the statement of holdings."""
    frames = {
        kind: frame if kind in ("holdings", "accounts") else frame.drop("at")
        for kind, frame in town.frames.items()
    }
    return replace(town, frames={**frames, "accounts": frames["accounts"].drop("opened_at")})


@change("transfers only")
def transfers_only(town: Town, rng: np.random.Generator) -> Town:
    """Transfers with amounts and times, and holdings: no roles, devices, referrals, purchases."""
    return _without(town, "accounts", "sightings", "referrals", "purchases")


@change("who paid whom and holdings only")
def bare(town: Town, rng: np.random.Generator) -> Town:
    """Transfers without amounts or times, and holdings."""
    alone = transfers_only(town, rng)
    return _with(alone, transfers=alone.frames["transfers"].select("src", "dst", "id"))


@change("1 % of identifiers wrong")
def wrong_identifiers(town: Town, rng: np.random.Generator) -> Town:
    """Such sightings show the identifier of another sighting of the same kind."""
    seen = town.frames["sightings"]
    values, kinds = seen["value"].to_numpy().copy(), seen["identifier_kind"].to_numpy()
    wrong = rng.random(len(seen)) < WRONG_PART
    for kind in sorted(set(kinds.tolist())):
        here = np.flatnonzero(kinds == kind)
        hit = here[wrong[here]]
        values[hit] = values[rng.choice(here, len(hit))]
    return _with(town, sightings=seen.with_columns(value=pl.Series(values, dtype=pl.String)))


@change("each group in two halves below the line")
def halved(town: Town, rng: np.random.Generator) -> Town:
    """Each group parts into halves that deal with each other through one courier only; what
    crossed before stays in the sender's half, and no identifier or referral joins the two."""
    for group in town.groups:
        town = _parted(town, *_halves(town, group), rng)
    return town


def _halves(town: Town, group: Hidden) -> tuple[pl.Series, pl.Series]:
    """Two halves of a group (ids), both below the line: by holdings, turn about."""
    ours = pl.col("account").is_in(town.ids(group.members).implode())
    held = town.frames["holdings"].filter(ours)
    ids = held.sort("amount", "account", descending=True)["account"]
    turns = np.arange(len(ids)) % 4
    first = (turns == 0) | (turns == 3)
    return ids.filter(pl.Series(first)).sort(), ids.filter(pl.Series(~first)).sort()


def _parted(town: Town, one: pl.Series, other: pl.Series, rng: np.random.Generator) -> Town:
    here, there = one.implode(), other.implode()
    seen, referred = town.frames["sightings"], town.frames["referrals"]
    shared = seen.filter(pl.col("account").is_in(here))["value"].unique().implode()
    return _with(
        town,
        transfers=_kept_in_halves(town.frames["transfers"], one, other, rng),
        sightings=seen.filter(~(pl.col("account").is_in(there) & pl.col("value").is_in(shared))),
        referrals=referred.filter(~_across("referrer", "referred", here, there)),
    )


def _across(one: str, other: str, here: pl.Series, there: pl.Series) -> pl.Expr:
    """Whether the ends of a fact are in different halves."""
    a, b = pl.col(one), pl.col(other)
    return (a.is_in(here) & b.is_in(there)) | (a.is_in(there) & b.is_in(here))


def _kept_in_halves(
    transfers: pl.DataFrame, one: pl.Series, other: pl.Series, rng: np.random.Generator
) -> pl.DataFrame:
    """What goes from one half to the other goes to somebody of the sender's own half instead,
    but for what the courier gives and takes."""
    rows = transfers.with_row_index("row")
    across = rows.filter(_across("src", "dst", one.implode(), other.implode()))
    if across.is_empty():
        return transfers
    courier = _courier(across, one.implode())
    moved = across.filter((pl.col("src") != courier) & (pl.col("dst") != courier))
    from_one = moved["src"].is_in(one.implode()).to_numpy()
    drawn = [rng.choice(half.to_numpy(), len(moved)) for half in (one, other)]
    receiver = pl.Series("instead", np.where(from_one, *drawn), dtype=pl.String)
    instead = moved.select("row", receiver)
    return (
        rows.join(instead, on="row", how="left", maintain_order="left")
        .with_columns(dst=pl.coalesce("instead", "dst"))
        .filter(pl.col("src") != pl.col("dst"))
        .drop("row", "instead")
    )


def _courier(across: pl.DataFrame, here: pl.Series) -> str:
    """The member of the first half that deals with the other half most."""
    ends = pl.concat([across["src"], across["dst"]])
    counts = ends.filter(ends.is_in(here)).value_counts()
    return str(counts.sort(["count", ends.name], descending=[True, False])[ends.name][0])


def _with(town: Town, **frames: pl.DataFrame) -> Town:
    return replace(town, frames={**town.frames, **frames})


def _without(town: Town, *kinds: str) -> Town:
    return replace(
        town, frames={kind: frame for kind, frame in town.frames.items() if kind not in kinds}
    )


assert BELOW[1] < LINE <= ABOVE[0]
