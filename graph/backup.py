"""What a store knows, apart from the home it lives in: what a back-up is written from and
a restored store is filled from.

A `Backup` is taken at a moment: the changes that were committed by then, and every row of
their loads (superseded revisions and withdrawn loads too), so that any past can be told
again. What a running load has written is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from graph.archive import Archived, rows_by_kind
from graph.digest import fingerprint, read_key
from graph.errors import UserError
from graph.log import Event, Project, Words, unprojected
from graph.store import Batch, Properties, RunRecord, Store, SupplyEntry, is_server

if TYPE_CHECKING:
    import polars as pl

ROWS = 1_000_000
"""About how many rows a frame of a back-up has at most."""

ACCOUNT_COLUMNS = ("account", "ix", "batch")

Progress = Callable[[int, str], None]
"""Is told how many rows are done, and what is being done."""


@dataclass(frozen=True)
class Change:
    """A committed change, with the moment at which it began."""

    batch: Batch
    begun_at: datetime


@dataclass(frozen=True)
class Record:
    """All that a store knows but its rows and runs."""

    properties: Properties
    changes: tuple[Change, ...]
    """In the order of their commits."""
    supplies: tuple[SupplyEntry, ...]
    """In the order of their commits."""
    next_batch: int
    """No batch number from here on was ever given."""
    next_ix: int
    """No account number from here on was ever given."""
    archived: tuple[Archived, ...] = ()
    """The months that are in the archive: their facts are in no back-up of now."""

    def loads(self, kind: str | None = None) -> list[Batch]:
        """The loads of a kind, or of all, by number."""
        loads = [change.batch for change in self.changes if change.batch.action == "load"]
        chosen = [load for load in loads if kind in (None, load.kind)]
        return sorted(chosen, key=lambda load: load.batch)

    @property
    def rows(self) -> int:
        """How many facts there are, hidden ones too."""
        loaded = sum(load.counts.loaded for load in self.loads())
        return loaded - sum(rows_by_kind(self.archived).values())


class Backup(Protocol):
    """What a store knew when it was asked. Both homes give one, and are filled from one."""

    record: Record

    def runs(self) -> Iterator[RunRecord]:
        """Saved runs, oldest first."""

    def log(self) -> Iterator[tuple[Event, Words | None]]:
        """The review log: its events in their order, with their words where they are kept."""

    def kept(self, month: Archived) -> Iterator[Path]:
        """The files that the store keeps of an archived month."""

    def accounts(self) -> Iterator[pl.DataFrame]:
        """`account` (text), `ix` and `batch` (Int64) of every numbered account."""

    def facts(self, kind: str) -> Iterator[pl.DataFrame]:
        """All rows of the kind, with its stored columns; by batch ascending, so that the
        rows of a batch stand together."""


def windows(loads: Sequence[Batch], rows: int = ROWS) -> Iterator[list[Batch]]:
    """Consecutive loads that have at most so many rows together, or one that has more."""
    window: list[Batch] = []
    held = 0
    for load in loads:
        if window and held + load.counts.loaded > rows:
            yield window
            window, held = [], 0
        window.append(load)
        held += load.counts.loaded
    if window:
        yield window


def key_for(properties: Properties, path: Path | None) -> str:
    """The key in a file, when it is the one of a store with these properties."""
    if path is None:
        raise UserError(
            "A back-up does not have the store's key in it.",
            "Name the file that has it: --key FILE, or INCONCERT_KEY_FILE.",
        )
    key = read_key(path)
    if fingerprint(key) != properties.key_fingerprint:
        raise UserError(
            f"The key in {path} is not the key of this back-up's store "
            f"(fingerprint {properties.key_fingerprint}).",
            "Name the store's own key file: --key FILE, or INCONCERT_KEY_FILE.",
        )
    return key


def restore(
    backup: Backup,
    key: str,
    url: str,
    progress: Progress = lambda done, note: None,
    project: Project = unprojected,
) -> Store:
    """Fill a new store at a URL, of either home, and open it. Until the last step there is
    no store there; what a killed restore left is cleared by the next.

    `project`: what the events of the review log come to: its views are made again from them.
    UserError when a store or anything else is there already.
    """
    if is_server(url):
        from graph.neo4j.backup import restore as restore_server

        return restore_server(backup, key, url, progress, project)
    from graph.embedded.backup import restore as restore_folder

    return restore_folder(backup, key, url, progress, project)
