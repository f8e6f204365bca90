"""The accounts that are compared with each other, and the facts that indicators look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.family import INSTITUTIONS
from detectors.meetings import Meetings
from graph.snapshot import Snapshot
from graph.threads import shared_property
from review.genuine import Genuine, mixed
from review.movements import Movements, fellow_rows

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

FEWEST_TRANSFERS = 5
"""A share of an account's transfers says something from so many on."""


@dataclass(frozen=True)
class Population:
    """A snapshot as indicators see it, several of them at a time. What is costly is made once, when
    first asked for.

    `groups`: the members (numbers) of the findings by which accounts are judged; `limits`:
    amounts just below which transfers are looked for, ascending; `mixing`, `receipts_needed`:
    see `review.genuine.mixed`; `added`: purchases that an appeal brings, see
    `review.movements.purchases`; `met`: who meets whom, of a detection that looked at the same
    facts.
    """

    snapshot: Snapshot
    groups: Mapping[str, Sequence[int]] = field(default_factory=dict)
    mixing: str = "pro_rata"
    receipts_needed: bool = False
    limits: tuple[float, ...] = ()
    added: pl.DataFrame | None = None
    met: Meetings | None = None

    @property
    def size(self) -> int:
        """How many accounts the snapshot numbers."""
        return len(self.snapshot.accounts)

    @shared_property
    def moves(self) -> pl.DataFrame:
        """Transfers between two accounts: `src`, `dst` (numbers), `amount` (rounded), `at` and,
        where any has one, `step`: 24 bytes a transfer, without it. Those of an account to itself
        are left out."""
        rows = (
            self.snapshot.facts("transfers")
            .filter(pl.col("src") != pl.col("dst"))
            .select("src", "dst", pl.col("amount").cast(pl.Float64), "at", "step")
            .collect(engine="streaming")
        )
        stepped = rows["step"].null_count() < len(rows)
        return (rows if stepped else rows.drop("step")).rechunk()

    @shared_property
    def institutions(self) -> Bools:
        """Which accounts deal with everyone by their role, or are left out of the base."""
        accounts = self.snapshot.accounts
        public = accounts["role"].is_in(INSTITUTIONS).fill_null(False) | accounts["excluded"]
        return public.to_numpy()

    @shared_property
    def transfers(self) -> npt.NDArray[np.int64]:
        """How many transfers each account takes part in."""
        return self.count_ends(pl.lit(True))

    def count_ends(self, chosen: pl.Expr | pl.Series) -> npt.NDArray[np.int64]:
        """How many of some of `moves` each account takes part in."""
        moves = self.moves.lazy().filter(chosen).select("src", "dst").collect()
        ends = [np.bincount(moves[end].to_numpy(), minlength=self.size) for end in ("src", "dst")]
        return ends[0] + ends[1]

    @shared_property
    def compared(self) -> Bools:
        """The accounts of which percentiles are taken: they hold or deal, and are not left
        out of the base."""
        accounts = self.snapshot.accounts
        holds = (accounts["holdings"] > 0).to_numpy()
        compared: Bools = (holds | (self.transfers > 0)) & ~accounts["excluded"].to_numpy()
        return compared

    @shared_property
    def fellow(self) -> Bools:
        """Of each of `moves` whether both ends are members of one group."""
        return fellow_rows(self.moves, self.groups, self.size)

    @shared_property
    def movements(self) -> Movements:
        """What came to each account and left it, by time."""
        return Movements.of(self.snapshot, self.moves, self.fellow, self.institutions, self.added)

    @shared_property
    def genuine(self) -> Genuine:
        """How much of what each account holds comes from its own purchases."""
        return mixed(self.snapshot, self.movements, self.mixing, self.receipts_needed)

    def by_account(
        self, known: Bools, value: npt.NDArray[np.float64], **more: npt.NDArray[np.generic]
    ) -> pl.DataFrame:
        """What an indicator measures, of arrays with a place for each account: `account`,
        `value` and more, where the account has the facts for it."""
        columns = {"value": value.astype(np.float64), **more}
        chosen = np.flatnonzero(known).astype(np.int32)
        return pl.DataFrame(
            {"account": chosen, **{name: every[chosen] for name, every in columns.items()}}
        )


def counted(number: float, noun: str) -> str:
    """`1 account`, `1,234 accounts`."""
    return f"{number:,.0f} {noun if number == 1 else noun + 's'}"


def points(amount: float) -> str:
    """An amount of points as a sentence has it: `1,234.5 points`."""
    text = f"{amount:,.2f}".rstrip("0").rstrip(".")
    return f"{text} {'point' if text == '1' else 'points'}"


def percent(part: float) -> str:
    """A part of one as a sentence has it: 0.975 is `97.5 %`; more decimals for small parts."""
    text = f"{100 * part:.1f}" if part == 0 or part >= 0.001 else f"{100 * part:.2g}"
    return f"{text.removesuffix('.0')} %"
