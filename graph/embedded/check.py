"""`store check`: is everything that was committed there, whole and once?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from graph import archive_kept
from graph.archive import rows_by_batch
from graph.embedded.files import Listing, damage
from graph.embedded.ledger import BatchSet
from graph.embedded.tables import Table
from graph.errors import DamagedError
from graph.schema import KINDS
from graph.store import CheckReport, notes_on

if TYPE_CHECKING:
    from graph.embedded.store import EmbeddedStore


def check(store: EmbeddedStore) -> CheckReport:
    """Read everything and compare it with what was committed; changes nothing."""
    if problems := store.ledger.problems():
        return CheckReport(problems, {})  # without the ledger nothing else can be judged
    committed = store.ledger.committed()
    problems += _account_problems(store, committed)
    sound = not problems
    problems += archive_kept.problems(store)
    for kind in KINDS:
        problems += _kind_problems(store, kind, store.account_table if sound else None)
    if problems:
        return CheckReport(problems, {}, notes_on(store.unfinished()))
    notes = [*notes_on(store.unfinished()), *_unsealed(store), *archive_kept.notes(store)]
    return CheckReport([], store.fact_counts(), notes)


def glance(store: EmbeddedStore, most_bytes: int) -> CheckReport:
    """What shows without reading facts: the ledger (of one that is larger than `most_bytes` its
    rows alone), and whether every file is listed, there and as long as it was."""
    problems = store.ledger.glance(most_bytes)
    if problems:
        return CheckReport(problems, {})
    committed = store.ledger.committed()
    for table in store.tables().values():
        try:
            listing = Listing.of(table, store.ledger)
        except DamagedError as error:
            problems.append(error.sentence)
            continue
        problems += [*listing.delisted(), *listing.misplaced(committed)]
    notes = [] if problems else [*notes_on(store.unfinished()), *_unsealed(store)]
    return CheckReport(problems, {}, notes)


def _unsealed(store: EmbeddedStore) -> Iterator[str]:
    committed = store.ledger.committed()
    listings = (Listing.of(table, store.ledger) for table in store.tables().values())
    if bare := sum(listing.unsealed(committed) for listing in listings):
        yield (
            f"{bare} files have no digest, being of an older version of inconcert or of another "
            "program: a flipped bit in them may not show. `inconcert store compact` gives them one."
        )


def _account_problems(store: EmbeddedStore, committed: BatchSet) -> list[str]:
    """Damage of the table that numbers accounts, and numbers or accounts given twice."""
    table = store.account_table
    if found := damage(table, store.ledger, committed, "account numbers", store.tell):
        return found
    store.tell("account numbers compared")
    accounts = table.scan(committed)
    return [
        f"In {table.folder}, {twice} values of {column} occur more than once."
        for column in ("account", "ix")
        if (twice := _count_twice(accounts, [column]))
    ]


def _kind_problems(store: EmbeddedStore, kind: str, account_table: Table | None) -> list[str]:
    """What is wrong with a kind's facts, among the committed loads."""
    table = store.table(kind)
    committed = store.ledger.committed(kind)
    if found := damage(table, store.ledger, committed, kind, store.tell):
        return found
    store.tell(f"{kind} counted and compared")
    rows = store.rows(kind, committed)
    problems = _count_problems(store, kind, rows)
    if twice := _count_twice(rows, ["uid", "revision"]):
        problems.append(f"{twice} {kind} have the same uid and revision.")
    if "amount" in table.columns:
        below = rows.filter(pl.col("amount") < 0).select(pl.len())
        if negative := below.collect(engine="streaming").item():
            problems.append(f"{negative} {kind} have a negative amount.")
    if account_table is not None:
        known = account_table.scan(store.ledger.committed()).select("ix").collect()["ix"]
        problems += _unnumbered(kind, rows, known)
    return problems


def _count_problems(store: EmbeddedStore, kind: str, rows: pl.LazyFrame) -> list[str]:
    tally = rows.group_by("batch").agg(pl.len()).collect(engine="streaming")
    stored = dict(tally.iter_rows())
    gone = rows_by_batch(store.archived())
    return [
        f"Batch {batch.batch} has {stored.get(batch.batch, 0)} {kind} "
        f"where its record says {batch.counts.loaded}"
        + (f", {gone[batch.batch]} of them archived." if batch.batch in gone else ".")
        for batch in store.batches()
        if batch.kind == kind
        and stored.get(batch.batch, 0) + gone.get(batch.batch, 0) != batch.counts.loaded
    ]


def _unnumbered(kind: str, rows: pl.LazyFrame, known: pl.Series) -> Iterator[str]:
    """Account columns with numbers that no account has."""
    places = known.to_numpy()
    numbered = np.zeros(int(places.max(initial=0)) + 2, dtype=np.bool_)
    numbered[places] = True

    def resolves(ix: pl.Series) -> pl.Series:
        # nulls and numbers out of range fall on the last place, which no account has
        place = ix.fill_null(-1).to_numpy()
        inside = (place >= 0) & (place < len(numbered))
        return pl.Series(numbered[np.where(inside, place, -1)])

    for column in KINDS[kind].accounts:
        lost = rows.select(
            pl.col(column).map_batches(resolves, return_dtype=pl.Boolean(), is_elementwise=True)
        )
        if count := lost.select((~pl.col(column)).sum()).collect(engine="streaming").item():
            yield f"{count} {kind} have a {column} that is no numbered account."


def _count_twice(rows: pl.LazyFrame, key: Sequence[str]) -> int:
    """How many values of a key occur more than once. By hashes first (8 bytes a row), then
    exactly among the few rows whose hashes collide."""
    hashed = pl.struct(key).hash()
    hashes = rows.select(hashed.alias("hash")).collect(engine="streaming")["hash"].sort()
    repeated = hashes.filter(hashes == hashes.shift()).unique()
    if repeated.is_empty():
        return 0
    among = rows.filter(hashed.is_in(repeated.implode())).group_by(key).len()
    return int(among.select((pl.col("len") > 1).sum()).collect(engine="streaming").item())
