"""`store check` on a server: is everything that the batches say is there, there and once?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from graph import archive_kept
from graph.archive import rows_by_batch
from graph.neo4j.read import WINDOW, windows
from graph.neo4j.schema import schema_problems
from graph.neo4j.server import Server
from graph.schema import KINDS
from graph.store import CheckReport, Tell, notes_on, silent

if TYPE_CHECKING:
    from graph.neo4j.store import Neo4jStore

TALLIED = 10 * WINDOW
"""Places that are counted at a time."""


def check(store: Neo4jStore) -> CheckReport:
    """Read everything and compare it with the batches; changes nothing.

    That a fact, an account or a number is there once is the constraints' work: they are
    looked at, not recounted.
    """
    store.tell("schema and account numbers")
    problems = [*schema_problems(store.server), *_account_problems(store)]
    for kind in KINDS:
        problems += _kind_problems(store, kind)
    problems += archive_kept.problems(store)
    facts = {} if problems else store.fact_counts()
    notes = [*notes_on(store.unfinished()), *archive_kept.notes(store)]
    return CheckReport(problems, facts, notes)


def _account_problems(store: Neo4jStore) -> Iterator[str]:
    counted = store.server.read("store/tally_numbers")[0]
    if strangers := counted["accounts"] - counted["numbered"]:
        yield f"{strangers} accounts have no number, no id or no batch."


def _kind_problems(store: Neo4jStore, kind: str) -> Iterator[str]:
    [end] = store.server.read("store/lease_end")
    stored, below = tally(store.server, kind, end["next_seq"], store.tell)
    archived = store.archived()
    gone = rows_by_batch(archived)
    for uids in archive_kept.unsettled(store, archived, kind):  # readers pass over them
        there = store.reader.places(kind, uids.collect(engine="streaming")["uid"])
        stored.subtract(dict(there.group_by("batch").len().iter_rows()))
    for batch in store.batches():
        there_are = stored[batch.batch] + gone.get(batch.batch, 0)
        if batch.kind == kind and there_are != batch.counts.loaded:
            more = f", {gone[batch.batch]} of them archived" if batch.batch in gone else ""
            yield (
                f"Batch {batch.batch} has {stored[batch.batch]} {kind} "
                f"where its record says {batch.counts.loaded}{more}."
            )
    if below:
        yield f"{below} {kind} have a negative amount."


def tally(server: Server, kind: str, end: int, tell: Tell = silent) -> tuple[Counter[int], int]:
    """How many facts of a kind each batch has before a place, and how many are negative."""
    stored: Counter[int] = Counter()
    below = 0
    for low, high in windows([(0, end)], TALLIED):
        tell(f"{100 * low // end} % of the {kind} counted")
        for row in server.read(f"store/tally_{kind}", low=low, high=high):
            stored[row["batch"]] += row["rows"]
            below += row["below"]
    return stored, below
