"""The embedded store: see `graph.store.Store` for what each method does."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from graph.archive import Archived, rows_by_batch
from graph.clock import now
from graph.digest import fingerprint
from graph.embedded.ledger import Ledger
from graph.embedded.lock import holder, writer
from graph.embedded.log import EmbeddedLog
from graph.errors import UserError
from graph.keys import OwnKey, as_stored, kept_key, named_place
from graph.store import (
    PLAIN_FORMAT,
    Batch,
    CheckReport,
    Properties,
    RunRecord,
    RunSummary,
    SupplyEntry,
    Tell,
    pick_run,
    refuse_to_prune_all,
    refuse_unknown_rule,
    silent,
)

if TYPE_CHECKING:  # imported where rows are read: opening a store must be quick
    import polars as pl

    from graph.archive_kept import Kept
    from graph.embedded.backup import EmbeddedBackup
    from graph.embedded.ledger import BatchSet
    from graph.embedded.load import EmbeddedLoad
    from graph.embedded.tables import Table

LEDGER = "ledger.sqlite"
KEY = "key"
RESTORING = "unfinished-restore"
"""A file that stands in a folder until the store that is restored into it is whole."""

GLANCED_BYTES = 64 << 20
"""A ledger up to this size is looked through at a glance: in less than a second."""

OF_UNFINISHED_INIT = (KEY, LEDGER + ".new", "loader.lock", "lost+found")
OF_UNFINISHED_RESTORE = (RESTORING, "facts", "accounts", "archived")


class EmbeddedStore:
    """A store in a folder."""

    def __init__(self, folder: Path, properties: Properties) -> None:
        self.url = str(folder)
        self.folder = folder
        self.properties = properties
        self._key = OwnKey(key_path(folder), properties.key_fingerprint, f"the store {folder}")
        self.key_place = str(self._key.place)
        self.made: tuple[str, ...] = ()
        self.database_user: str | None = None
        self.tell: Tell = silent
        self.ledger = Ledger(folder / LEDGER)
        self.log = EmbeddedLog(self.ledger, properties.key_fingerprint)

    # -- making and opening -------------------------------------------------------------

    @classmethod
    def init(
        cls,
        url: str,
        *,
        masked: bool = False,
        holdings_rule: str = "stated",
        issuers: tuple[str, ...] = (),
    ) -> EmbeddedStore:
        """Make a store in a folder that is absent or empty. UserError for any other."""
        folder = Path(url)
        refuse_name(folder)
        refuse_used(folder)
        if (folder / RESTORING).exists():
            raise _half_restored(folder)
        refuse_unknown_rule(holdings_rule)
        folder.mkdir(parents=True, exist_ok=True)
        key = kept_key(key_path(folder))
        properties = Properties(
            format=PLAIN_FORMAT,
            created=now(),
            masked=masked,
            holdings_rule=holdings_rule,
            issuers=as_stored(issuers, key if masked else None),
            key_fingerprint=fingerprint(key),
        )
        Ledger.create(folder / LEDGER, properties)
        return cls(folder, properties)

    @classmethod
    def open(cls, url: str) -> EmbeddedStore:
        """The store in a folder. UserError when there is none, when its format is newer
        than this program, or when another store's key is in its place."""
        folder = Path(url)
        refuse_name(folder)
        _refuse_no_store(folder)
        properties = Ledger(folder / LEDGER).properties()
        store = cls(folder, properties)
        store._key.refuse_another()
        return store

    # -- where things are ---------------------------------------------------------------

    @property
    def key(self) -> str:
        """The store's key."""
        return self._key.text

    def table(self, kind: str) -> Table:
        """The table of a kind of fact."""
        from graph.embedded.tables import Table
        from graph.schema import KINDS

        return Table(self.folder / "facts" / kind, KINDS[kind].stored, f"facts/{kind}")

    @property
    def account_table(self) -> Table:
        """The table that numbers accounts: account, ix, batch."""
        import polars as pl

        from graph.embedded.tables import Table

        columns = {"account": pl.String(), "ix": pl.Int64(), "batch": pl.Int64()}
        return Table(self.folder / "accounts", columns, "accounts")

    def quarantine_path(self, batch: int) -> str:
        """Where the refused rows of a batch are written."""
        folder = self.folder / "quarantine"
        folder.mkdir(mode=0o700, exist_ok=True)
        return str(folder / f"{batch}.jsonl")

    # -- facts --------------------------------------------------------------------------

    @contextmanager
    def loading(self, kind: str, source: str) -> Iterator[EmbeddedLoad]:
        """Begin a load; left without commit, nothing of it will be seen. What it wrote is
        removed then, or by the next load if this process dies."""
        from graph.embedded.load import EmbeddedLoad

        with self._writer(f"loading {kind}"):
            self._clear_dead()
            load = EmbeddedLoad(self, self.ledger.begin(kind, source), kind)
            try:
                yield load
            finally:
                load.close()
                with suppress(OSError, UserError):  # the next loader tries again
                    self._clear_dead()

    @contextmanager
    def refreshing(self, doing: str) -> Iterator[Callable[[], None]]:
        """Hold the refresh's lock: it cannot be lost."""
        with writer(self.folder / "refresh.lock", doing):
            yield lambda: None

    def refresher(self) -> str | None:
        """Who refreshes right now."""
        return holder(self.folder / "refresh.lock")

    def facts(self, kind: str, known_at: int | None = None) -> pl.LazyFrame:
        """Visible rows, of each uid the highest visible revision."""
        from graph.revisions import highest

        self.ledger.refuse_earlier(known_at)
        visible = self.ledger.visible(kind, known_at)
        if not visible.shown:
            return self.table(kind).empty().lazy()
        revised = self.ledger.revised(kind).intersection(visible.shown)
        rows = self.rows(kind, visible)
        self.ledger.refuse_earlier(known_at)  # months may have gone meanwhile
        return highest(rows, revised)

    def rows(self, kind: str, batches: BatchSet) -> pl.LazyFrame:
        """The rows of some loads, as the ledger has them: without those that are archived."""
        from graph.archive_kept import unsettled, without

        while True:
            # The ledger before the table: what it calls committed is then in the table.
            archived = self.archived()
            rows = without(self.table(kind).scan(batches), unsettled(self, archived, kind))
            if self.archived() == archived:  # else the table may be from before or after it
                return rows

    def every_row(self, kind: str) -> pl.LazyFrame:
        """All rows of the kind's committed loads."""
        return self.rows(kind, self.ledger.committed(kind))

    def accounts(self) -> pl.LazyFrame:
        """`account` and `ix` of every numbered account of committed batches."""
        return self.account_table.scan(self.ledger.committed()).select("account", "ix")

    def batches(self) -> list[Batch]:
        """All committed changes, in the order of their commits."""
        return self.ledger.batches()

    def batch(self, number: int) -> Batch:
        """One committed change."""
        return next(batch for batch in self.batches() if batch.batch == number)

    def fact_counts(self) -> dict[str, int]:
        """Visible facts of every kind that was loaded: from the ledger alone, but for
        kinds with corrections."""
        counts: dict[str, int] = {}
        gone = rows_by_batch(self.archived())
        for batch in self.batches():
            if batch.kind:
                there = batch.counts.loaded - gone.get(batch.batch, 0)
                loaded = 0 if batch.withdrawn else there
                counts[batch.kind] = counts.get(batch.kind, 0) + loaded
        for kind in counts:
            if self.ledger.revised(kind):
                counts[kind] = self._count(kind)
        return counts

    def _count(self, kind: str) -> int:
        import polars as pl

        return int(self.facts(kind).select(pl.len()).collect(engine="streaming").item())

    def withdraw(self, batch: int) -> Batch:
        """Hide a load."""
        with self._writer("withdrawing a batch"):
            return self.batch(self.ledger.change("withdraw", batch))

    def reinstate(self, batch: int) -> Batch:
        """Undo a withdrawal."""
        with self._writer("bringing back a batch"):
            return self.batch(self.ledger.change("reinstate", batch))

    # -- supplies and runs --------------------------------------------------------------

    def supplies(self, known_at: int | None = None) -> list[SupplyEntry]:
        """Supplies that were set, in the order of their commits."""
        return self.ledger.supplies(known_at)

    def set_supply(self, amount: Decimal, valid_from: datetime) -> SupplyEntry:
        """Record the base from a date on."""
        return self.ledger.set_supply(amount, valid_from)

    def save_run(self, run: RunRecord) -> None:
        """Keep a run."""
        self.ledger.save_run(run)

    def runs(self, prefix: str = "") -> list[RunSummary]:
        """Saved runs whose id begins with `prefix`, newest first, without their details."""
        return self.ledger.runs(prefix)

    def current_run(self) -> RunSummary | None:
        """The run saved last."""
        return next(iter(self.ledger.runs(most=1)), None)

    def run(self, id_or_prefix: str) -> RunRecord:
        """The run with this id, or the only one whose id begins so."""
        return self.ledger.run(pick_run(self.ledger.runs(id_or_prefix), id_or_prefix).id)

    def prune_runs(self, keep: int) -> list[str]:
        """Take all but the summary from every run but the `keep` newest."""
        refuse_to_prune_all(keep)
        return self.ledger.prune_runs(keep)

    # -- the archive --------------------------------------------------------------------

    def archived(self) -> list[Archived]:
        """The months that are in the archive."""
        return self.ledger.archives()

    def carried(self) -> pl.LazyFrame:
        """What archived transfers moved."""
        from graph.archive_kept import carried

        return carried(self)

    def kept(self, month: Archived) -> Kept:
        """What is kept here of an archived month."""
        from graph.archive_kept import Kept

        return Kept(self.folder / "archived" / month.kept)

    def archive(
        self, before: datetime, folder: Path, allow: Callable[[str], None]
    ) -> list[Archived]:
        """Move the months before a time to a folder."""
        from graph.embedded.archive import archive

        with self._writer("archiving"):
            self._clear_dead()
            moved = archive(self, before, folder, allow)
        self.properties = self.ledger.properties()
        return moved

    def unarchive(self, places: Sequence[Path]) -> list[Archived]:
        """Bring months back."""
        from graph.embedded.archive import unarchive

        with self._writer("bringing back archived months"):
            self._clear_dead()
            back = unarchive(self, places)
        self.properties = self.ledger.properties()
        return back

    # -- upkeep -------------------------------------------------------------------------

    def compact(self) -> dict[str, tuple[int, int]]:
        """Join small files; returns files before and after by part."""
        from graph.embedded.archive import sweep

        with self._writer("compacting"):
            self._clear_dead()
            counts: dict[str, tuple[int, int]] = {}
            for name, table in self.tables().items():
                self.tell(name)
                counts[name] = self._compacted(table)
            sweep(self)
            return counts

    def _compacted(self, table: Table) -> tuple[int, int]:
        """Join the files of a table."""
        if table.open() is None:
            return 0, 0
        with self.remade(table):
            return table.compact()

    @contextmanager
    def remade(self, table: Table) -> Iterator[Table]:
        """While the files of a table are made anew: those that it has in the end are sealed.
        Nothing is sealed meanwhile, so whoever looks then, or after a failure, compares nothing."""
        from graph.embedded.files import digests, refuse_damaged

        refuse_damaged(table, self.ledger)
        self.ledger.forget_files(table.part)
        yield table
        self.ledger.seal_files(digests(table, table.files()))

    def refuse_damaged(self) -> None:
        """Compare every file of facts with the digest that it was written with."""
        from graph.embedded.files import refuse_damaged

        for name, table in self.tables().items():
            self.tell(f"files of {name} compared")
            refuse_damaged(table, self.ledger)

    def check(self) -> CheckReport:
        """What is not as it should be."""
        from graph.embedded.check import check

        return check(self)

    def glance(self) -> CheckReport:
        """Of the same what is quick."""
        from graph.embedded.check import glance

        return glance(self, GLANCED_BYTES)

    def tables(self) -> dict[str, Table]:
        """Every table by name: the kinds of fact, then `account numbers`."""
        from graph.schema import KINDS

        return {kind: self.table(kind) for kind in KINDS} | {"account numbers": self.account_table}

    def sizes(self) -> dict[str, int]:
        """Bytes on disk by part."""
        parts = sorted([*self.folder.glob("facts/*"), self.folder / "accounts"])
        sizes = {str(part.relative_to(self.folder)): _bytes(part) for part in parts}
        ledger = sum(path.stat().st_size for path in self.folder.glob(LEDGER + "*"))
        sizes |= {"ledger": ledger, "quarantine": _bytes(self.folder / "quarantine")}
        kept = self.folder / "archived"
        return sizes | {"archived": _bytes(kept)} if kept.exists() else sizes

    def backup(self) -> EmbeddedBackup:
        """What the store knows now, apart from its home."""
        from graph.embedded.backup import EmbeddedBackup

        return EmbeddedBackup(self)

    def unfinished(self) -> list[int]:
        """Loads that began and are not committed."""
        return self.ledger.unfinished()

    def _writer(self, doing: str) -> AbstractContextManager[None]:
        return writer(self.folder / "loader.lock", doing)

    def _clear_dead(self) -> None:
        """With the lock held no load is running: what is unfinished is dead."""
        for batch in self.ledger.unfinished():
            for table in self.tables().values():
                table.clear(batch)
            (self.folder / "quarantine" / f"{batch}.jsonl").unlink(missing_ok=True)
            self.ledger.bury(batch)
        if any(not month.settled for month in self.archived()):
            from graph.embedded.archive import settle

            settle(self)


def key_path(folder: Path) -> Path:
    """Where the key of a store is: INCONCERT_KEY_FILE, else in its folder."""
    return named_place() or folder / KEY


def refuse_name(folder: Path) -> None:
    """UserError for a folder that cannot hold a store."""
    if "%" in str(folder.absolute()):  # deltalake takes it for an encoded character
        raise UserError(f"A store cannot be in a folder with '%' in its path: {folder}.")


def refuse_used(folder: Path) -> None:
    """UserError when a new store cannot be made in this folder."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, not a folder.")
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if LEDGER in names:
        raise UserError(f"{folder} is a store already.", "`inconcert store info` shows it.")
    ours = OF_UNFINISHED_INIT + (OF_UNFINISHED_RESTORE if RESTORING in names else ())
    if strange := {name for name in names if not name.startswith(ours)}:
        raise UserError(
            f"The folder {folder} holds something else ({min(strange)}).",
            "Name a new or an empty folder.",
        )


def _refuse_no_store(folder: Path) -> None:
    make = f"`inconcert store init {shlex.quote(str(folder))}` makes one."
    if not folder.exists():
        raise UserError(f"There is no store at {folder}.", make)
    if not (folder / LEDGER).is_file() and (folder / RESTORING).exists():
        raise _half_restored(folder)
    if not (folder / LEDGER).is_file():
        raise UserError(f"{folder} is no store: it has no {LEDGER}.", make)


def _half_restored(folder: Path) -> UserError:
    return UserError(
        f"{folder} holds a restore that was not finished.",
        "Run `inconcert store restore` again, or remove the folder.",
    )


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
