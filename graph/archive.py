"""Retention: whole months of facts that happened, moved from a store to a folder.

What goes: transfers, sightings, referrals and purchases. A fact goes whole, with all its
revisions, in the month of its latest time, and only if it is visible and each revision has a
time. What stays: facts without a time, withdrawn ones, statements of holdings, accounts, links.

What is kept of them in the store: the uid and a digest of the content of each fact, so that it
is known again when it is delivered again; and by the holdings rules that add up transfers, what
they moved (`Carried`), so that holdings stay exactly what they were.

The *horizon* is the end of the latest month that is archived. What was true before it, and
what was known before the months were taken out, cannot be told without the archive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from graph import clock
from graph.errors import ArchivedError, UserError

HAPPENED = ("transfers", "sightings", "referrals", "purchases")
"""The kinds of fact that go to the archive."""

ACTION, UNDO = "archive", "unarchive"
"""As batches record them."""

BACK = "`inconcert store unarchive` brings them back."

ADDING_UP = ("rolled", "replayed")
"""The holdings rules that add up transfers."""


@dataclass(frozen=True)
class Archived:
    """A month, or what came late of one, that is in the archive and not in the store."""

    batch: int
    """The change that took it out."""
    month: str
    """2025-01."""
    folder: str
    """Where it was written."""
    sha256: str
    """Of its manifest, which has the digests of its files."""
    rows: Mapping[str, int]
    """By kind of fact."""
    batches: Mapping[str, int]
    """Rows by the load (its number as text) that brought them."""
    kept: str
    """The name of what the store keeps of it."""
    settled: bool = True
    """False while its rows may still, or again, stand in the store's tables. Readers pass
    over them; the next who writes takes them out."""

    @property
    def begin(self) -> datetime:
        """The first moment of the month."""
        return datetime.strptime(self.month, "%Y-%m").replace(tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first moment after the month."""
        return next_month(self.begin)


def next_month(begin: datetime) -> datetime:
    """The first moment of the month after."""
    years, month = divmod(begin.month, 12)
    return begin.replace(year=begin.year + years, month=month + 1)


def horizon(months: Sequence[Archived]) -> datetime | None:
    """The end of the latest month that is archived; None where none is."""
    return max((one.end for one in months), default=None)


def summary(one: Archived) -> dict[str, Any]:
    """What is shown of a month."""
    return {
        "month": one.month,
        "batch": one.batch,
        "rows": dict(one.rows),
        "sha256": one.sha256,
        "folder": one.folder,
    }


def rows_by_batch(months: Sequence[Archived]) -> dict[int, int]:
    """How many rows of each load are in the archive."""
    found: dict[int, int] = {}
    for one in months:
        for batch, rows in one.batches.items():
            found[int(batch)] = found.get(int(batch), 0) + rows
    return found


def rows_by_kind(months: Sequence[Archived]) -> dict[str, int]:
    """How many rows of each kind are in the archive."""
    found: dict[str, int] = {}
    for one in months:
        for kind, rows in one.rows.items():
            found[kind] = found.get(kind, 0) + rows
    return found


def before_of(text: str) -> datetime:
    """The first moment of a month given as 2026-01 or 2026-01-01. UserError for anything else,
    and where the months before it are not over."""
    try:
        begin = datetime.strptime(text if text.count("-") == 2 else f"{text}-01", "%Y-%m-%d")
    except ValueError:
        raise UserError(f"'{text}' is no month.", "Write it as 2026-01 or 2026-01-01.") from None
    if begin.day != 1:
        raise UserError(
            f"{text} is not the first of a month: whole months are archived.",
            f"Write it as {begin:%Y-%m}.",
        )
    moment = begin.replace(tzinfo=UTC)
    if moment > clock.now():
        raise UserError(f"The month before {text} is not over yet.")
    return moment


def refuse_past(months: Sequence[Archived], as_of: datetime) -> None:
    """ArchivedError for a time before the horizon: it cannot be told without the archive."""
    edge = horizon(months)
    if edge is not None and as_of < edge:
        raise ArchivedError(
            f"The facts before {edge:%Y-%m-%d} are archived, and {clock.iso(as_of)} cannot be "
            f"told without them: it needs {_named(months)}.",
            BACK,
        )


def refuse_earlier(months: Sequence[Archived], known_at: int) -> None:
    """ArchivedError: a batch is asked about that was committed before some months went."""
    raise ArchivedError(
        f"Facts that were known at batch {known_at} are archived: it needs {_named(months)}.",
        BACK,
    )


def refuse_change_of_archived(months: Sequence[Archived], batch: int) -> None:
    """UserError where a load has rows in the archive: it can be neither withdrawn nor brought
    back."""
    theirs = [one for one in months if str(batch) in one.batches]
    if theirs:
        rows = sum(one.batches[str(batch)] for one in theirs)
        raise UserError(
            f"{rows:,} rows of batch {batch} are archived in {_named(theirs)}.",
            BACK,
        )


def _named(months: Sequence[Archived]) -> str:
    """The folders of some months: the first and the last of them."""
    ordered = sorted(months, key=lambda one: (one.month, one.batch))
    first, last = ordered[0].folder, ordered[-1].folder
    return first if len(ordered) == 1 else f"{first} to {last} ({len(ordered)} folders)"


def chosen_to_return(months: Sequence[Archived], digests: Sequence[str]) -> list[Archived]:
    """The archived months whose manifests have these digests, newest first. UserError where a
    later month, or more of the same, would stay in the archive: before the horizon all is
    archived, and after it nothing."""
    chosen = [one for one in months if one.sha256 in digests]
    rest = [one for one in months if one.sha256 not in digests]
    first = min((one.month for one in chosen), default="")
    if left := [one for one in rest if one.month >= first]:
        raise UserError(
            f"The months from {first} on come back together: without {_named(left)} none does.",
            "Name that too.",
        )
    return sorted(chosen, key=lambda one: (one.month, one.batch), reverse=True)
