"""Onset: a group that begins at a date.

Accounts that were rented, or called together for a campaign, begin to deal with each other
in one short time, while people meet one by one. Time is cut into PERIODS in each of which
equally many contacts began. A contact is a sign only where both ends were known before: a
new account's contacts must begin after it, and in the first period everything seems to
begin, since the facts do. How many contacts usually begin in a period is taken from those
that are as frequent, between accounts as busy and known as long (METHOD section 5 item 5).

Strength of a pair: how unusual it is that each end began so many contacts in the period in
which theirs began; the less unusual end counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from detectors.contacts import PERIODS, Contacts
from detectors.family import (
    MOST_CITED,
    NOTHING,
    Facts,
    Floats,
    Inside,
    Ints,
    Layer,
    Reason,
    rank_millibits,
)
from detectors.moves import DAY, Longs, day_of
from detectors.onward import MICRO
from detectors.relay import surplus_bits

Counts = npt.NDArray[np.signedinteger[Any]]

FEWEST_BITS = 1.0
"""A pair with fewer is no evidence."""

FEWEST_BEGUN = 2

MOST_BEGUN = 10
SUDDEN_BITS = 6.0
"""An account that began more in a period, and so unusually many, is one cause."""

HALF = 0.5


class Onset:
    """Evidence from when contacts began."""

    name = "onset"
    source = "transfers"
    help = (
        "Looks for accounts that were there before and began to deal with each other in one "
        "short time: rented accounts, campaigns. Misses groups that were there from the first "
        "day of the facts, and those whose accounts are all new. A club, a team or a shop that "
        "opened then looks like it: who founded it settles it."
    )

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        """Contacts that began when both ends began unusually many; strength in 1/1000 bits."""
        a, b, bits = _together(facts.contacts, *_begun_in(facts))
        strength = np.rint(1000 * bits).astype(np.int32)
        return nw.from_native(pl.LazyFrame({"a": a, "b": b, "strength": strength}))

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """By rank among all pairs of the population."""
        return rank_millibits(strengths, counts, accounts)

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """Late contacts of each period, given how often two deal with each other, and since when
        both are known."""
        contacts = facts.contacts
        counted = _counted(contacts, *_begun_in(facts))
        layers = []
        for period in range(1, PERIODS):
            one = counted & (contacts.period == period)
            if one.any():
                ends = contacts.a[one], contacts.b[one]
                rates = contacts.rates(*ends, often=True, since=True)
                layers.append(Layer(f"onset:{period}", *ends, NOTHING, rates=rates))
        return layers

    def reason(self, inside: Inside) -> Reason:
        """The shortest time in which half of the inside contacts began."""
        begun = _begun(inside)
        if len(begun) < 2:
            return Reason("Their contacts began at one time", [])
        first, last, half = _densest(begun["at"].to_numpy())
        days = max(1, round((last - first) / DAY))
        text = (
            f"{half} of the {len(begun)} contacts among these {len(inside.members)} accounts "
            f"began within {days} {'day' if days == 1 else 'days'}, from {day_of(first)} to "
            f"{day_of(last)}"
        )
        cited = begun.filter(pl.col("at").is_between(first, last))
        return Reason(text, cited["uid"].head(MOST_CITED).to_list())

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """When two began to deal with each other."""
        begun = {(a, b): at for a, b, at in _begun(inside).select("a", "b", "at").iter_rows()}
        return [
            f"{inside.name(a)} and {inside.name(b)} have dealt with each other since "
            f"{day_of(begun[a, b])}"
            if (a, b) in begun
            else ""
            for a, b in pairs
        ]


def _late(contacts: Contacts) -> npt.NDArray[np.bool_]:
    """Contacts that began in a period after one in which both ends were known."""
    late: npt.NDArray[np.bool_] = (contacts.period > contacts.known_since) & (
        contacts.period < PERIODS
    )
    return late


def _begun_in(facts: Facts) -> tuple[Counts, Counts]:
    return facts.once("begun", lambda: _begun_by(facts.contacts, _late(facts.contacts)))


def _together(contacts: Contacts, found: Counts, expected: Counts) -> tuple[Ints, Ints, Floats]:
    """Late contacts of which both ends began several in the period, and unusually many: a, b,
    and the bits of the less unusual end."""
    late = _late(contacts)
    cells = _cells(contacts, late)
    several = np.minimum(*(found[cell] for cell in cells)) >= FEWEST_BEGUN
    bits = np.minimum(*(surplus_bits(found[cell], expected[cell] / MICRO) for cell in cells))
    kept = several & (bits >= FEWEST_BITS)
    return contacts.a[late][kept], contacts.b[late][kept], bits[kept]


def _counted(contacts: Contacts, found: Counts, expected: Counts) -> npt.NDArray[np.bool_]:
    """Late contacts by which a set is judged: without those of an account that suddenly began
    very many. That is one cause, and those it met are not each other's."""
    counted = _late(contacts)
    sudden = found > MOST_BEGUN
    sudden[sudden] = surplus_bits(found[sudden], expected[sudden] / MICRO) >= SUDDEN_BITS
    one, other = _cells(contacts, counted)
    counted[counted] = ~(sudden[one] | sudden[other])
    return counted


def _cells(contacts: Contacts, late: npt.NDArray[np.bool_]) -> tuple[Longs, Longs]:
    """Of each late contact the places of its ends and its period in `_begun_by`."""
    period = contacts.period[late]
    return (
        contacts.a[late].astype(np.int64) * PERIODS + period,
        contacts.b[late].astype(np.int64) * PERIODS + period,
    )


def _begun_by(contacts: Contacts, late: npt.NDArray[np.bool_]) -> tuple[Counts, Counts]:
    """For each account and period, in one row, how many late contacts it began, and in
    millionths how many are usual for contacts between accounts known as long."""
    since, period = contacts.known_since[late], contacts.period[late]
    table = np.bincount(since * PERIODS + period, minlength=PERIODS * PERIODS)
    table = table.reshape(PERIODS, PERIODS)
    usual = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    cells = contacts.accounts * PERIODS
    # nobody has more than MOST_CONTACTS: small numbers do
    found, known = np.zeros(cells, np.int16), np.zeros(cells, np.int16)
    for ends in (contacts.a[late], contacts.b[late]):
        _tally(ends, period, found)
        _tally(ends, since, known)
    return found, _expected(known, np.rint(MICRO * usual).astype(np.int64))


@njit(cache=True, nogil=True)
def _tally(accounts, periods, counts):  # type: ignore[no-untyped-def]
    for row in range(len(accounts)):
        counts[np.int64(accounts[row]) * PERIODS + periods[row]] += 1


@njit(cache=True, nogil=True)
def _expected(known, usual):  # type: ignore[no-untyped-def]
    """Of contacts by the period since which both ends are known, those usual for each period."""
    expected = np.zeros(len(known), np.int32)
    for begin in range(0, len(known), PERIODS):
        for since in range(PERIODS):
            if known[begin + since]:
                for period in range(PERIODS):
                    expected[begin + period] += known[begin + since] * usual[since, period]
    return expected


def _begun(inside: Inside) -> pl.DataFrame:
    """Inside contacts: `a`, `b`, when they began (`at`, microseconds), the first transfer's
    `uid`; the earliest first. Those with a missing time are left out."""
    members = pl.Series(inside.members).implode()
    return (
        inside.facts.filter(
            pl.col("src").is_in(members) & pl.col("dst").is_in(members) & (pl.col("amount") > 0)
        )
        .with_columns(
            a=pl.min_horizontal("src", "dst"),
            b=pl.max_horizontal("src", "dst"),
            at=pl.col("at").dt.epoch("us"),
        )
        .sort("at", "uid", nulls_last=True)
        .group_by("a", "b", maintain_order=True)
        .agg(pl.col("at").first(), pl.col("uid").first(), undated=pl.col("at").has_nulls())
        .filter(~pl.col("undated"))
        .drop("undated")
        .sort("at", "a", "b")
    )


def _densest(times: npt.NDArray[np.int64]) -> tuple[int, int, int]:
    """The shortest time that holds half of some ascending times: begin, end, how many."""
    half = max(2, int(np.ceil(HALF * len(times))))
    spans = times[half - 1 :] - times[: len(times) - half + 1]
    begin = int(np.argmin(spans))
    return int(times[begin]), int(times[begin + half - 1]), half


DETECTOR = Onset()
