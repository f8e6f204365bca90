"""One contract for every store, and the way from a URL to a store.

Facts are append-only. A batch exists when one small row says `committed`; readers take
the set of visible batches (committed, not withdrawn) and see nothing else. Everything
that changes what is known (a load, a withdrawal, its undoing, a supply) takes the next
batch number. "Known at batch N" is a past that never changes: what had been committed when
N was. Since a supply set during a load is committed before it but numbered after it, the
order that counts is that of the commits, in which `Store.batches` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from graph.errors import UserError
from graph.log import Log

if TYPE_CHECKING:  # opening a store must be quick
    from pathlib import Path

    import polars as pl

    from graph.archive import Archived
    from graph.backup import Backup
    from graph.embedded import EmbeddedStore
    from graph.neo4j.store import Neo4jStore

FORMAT = 2
"""The highest format of a store, of either home, that this program reads: that of a store with
archived months, which takes a reader that knows of them."""

PLAIN_FORMAT = 1
"""That of a store without, as it is made."""

HOLDINGS_RULES = ("stated", "rolled", "replayed")

Tell = Callable[[str], None]
"""Is told, while something takes long, how far it is: "20,000 transfers written"."""


def silent(note: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Properties:
    """What `store init` fixed for good."""

    format: int
    """Format of the store; a higher one than this program knows is refused."""
    created: datetime
    masked: bool
    """Account ids are kept as HMAC digests only."""
    holdings_rule: str
    """One of HOLDINGS_RULES."""
    issuers: tuple[str, ...]
    """Accounts (as stored, so masked when the store masks) that issue; left out of the base."""
    key_fingerprint: str


@dataclass(frozen=True)
class Counts:
    """What became of the rows of one load: read = loaded + known + conflicts + quarantined."""

    read: int = 0
    loaded: int = 0
    known: int = 0
    conflicts: int = 0
    quarantined: int = 0


@dataclass(frozen=True)
class Batch:
    """One numbered change of what is known."""

    batch: int
    action: str
    """load, withdraw, reinstate, supply, archive or unarchive."""
    kind: str | None
    """The kind of fact, for a load."""
    source: str | None
    target: int | None
    """The batch that a withdrawal or reinstatement is about."""
    committed_at: datetime
    counts: Counts
    withdrawn: bool
    latest_at: datetime | None
    """The latest `at` among its rows."""
    has_revisions: bool
    """Whether any row is a revision above 1."""
    complete_at: tuple[datetime, ...] = ()
    """Times at which its holdings were complete: accounts not listed hold 0 from then."""
    user: str = ""


@dataclass(frozen=True)
class SupplyEntry:
    """The base against which shares are taken, from a date on."""

    amount: Decimal
    valid_from: datetime
    batch: int


def visible_batches(batches: Sequence[Batch], known_at: int) -> list[Batch]:
    """The loads that count at a batch: those committed by then, not withdrawn by then.

    `batches`: in the order of their commits, as `Store.batches` gives them.
    """
    loads: dict[int, Batch] = {}
    withdrawn: set[int] = set()
    for batch in batches if known_at else ():
        if batch.action == "load":
            loads[batch.batch] = batch
        elif batch.action == "withdraw" and batch.target is not None:
            withdrawn.add(batch.target)
        elif batch.action == "reinstate" and batch.target is not None:
            withdrawn.discard(batch.target)
        if batch.batch == known_at:
            break
    return [load for number, load in loads.items() if number not in withdrawn]


def refuse_unknown_rule(holdings_rule: str) -> None:
    """UserError where there is no such holdings rule."""
    if holdings_rule not in HOLDINGS_RULES:
        raise UserError(
            f"There is no holdings rule '{holdings_rule}'.",
            f"Choose one of {', '.join(HOLDINGS_RULES)}.",
        )


def refuse_newer(url: str, found: int) -> None:
    """UserError for a store of a later format."""
    if found > FORMAT:
        raise UserError(
            f"{url} is a store of format {found}; this version of inconcert "
            f"knows formats up to {FORMAT}.",
            "Use the version that made it, or a later one.",
        )


NOUNS = {
    "withdraw": "withdrawal",
    "reinstate": "reinstatement",
    "supply": "supply",
    "archive": "move to the archive",
    "unarchive": "return from the archive",
}


def refuse_change(action: str, target: int, known_as: str | None, *, visible: bool) -> None:
    """UserError where a batch cannot be withdrawn or brought back.

    `action`: withdraw or reinstate; `known_as`: the action of the target, None where there
    is no such committed batch; `visible`: whether readers take it.
    """
    see = "`inconcert store info` lists the batches."
    if known_as is None:
        raise UserError(f"There is no committed batch {target}.", see)
    if known_as != "load":
        raise UserError(
            f"Batch {target} is no load but a {NOUNS[known_as]}; only loads can be withdrawn.",
            see,
        )
    if action == "withdraw" and not visible:
        raise UserError(f"Batch {target} is withdrawn already.", "`--undo` brings it back.")
    if action == "reinstate" and visible:
        raise UserError(f"Batch {target} is not withdrawn.", see)


class Load(Protocol):
    """One batch being written. Nothing of it is seen until `commit` returns."""

    batch: int

    def number(self, ids: pl.Series) -> pl.Series:
        """The ix of each id. `ids`: text, not null, repeats allowed; returns Int64 in the
        same order. Ids not seen before get new numbers.

        Give it whole columns, once for each chunk: making them distinct first costs more.
        """

    def existing(self, kind: str, uids: pl.Series) -> pl.DataFrame:
        """Committed rows that have one of these uids: the kind's stored columns plus
        `visible` (bool, false when its batch is withdrawn). Withdrawn rows count for the
        next revision number, not as known."""

    def archived(self, kind: str, uids: pl.Series) -> pl.DataFrame:
        """Of the archived facts with one of these uids each visible revision: `uid`, `digest`
        (see `graph.archive_month.content_digests`) and `latest`: whether it was the fact."""

    def append(self, kind: str, frame: pl.DataFrame) -> None:
        """Write rows: `uid`, `revision` and the kind's columns (`batch` is filled in).

        UserError for a statement of holdings of before the horizon, where holdings are rolled:
        transfers after it are archived.
        """

    def commit(
        self,
        counts: Counts,
        *,
        complete_at: Sequence[datetime] = (),
    ) -> Batch:
        """Make the batch visible, in one atomic step."""


@dataclass(frozen=True)
class RunSummary:
    """What stays of a saved detection for good: enough to list it, and to know it again."""

    id: str
    created_at: datetime
    result: dict[str, Any]
    """The JSON of the contract (schema 1), for a summary without what `summary_of` leaves out."""

    @property
    def pruned(self) -> bool:
        """Whether retention has taken everything but this."""
        return bool(self.result.get("pruned"))


@dataclass(frozen=True)
class RunRecord(RunSummary):
    """One saved detection with its whole result (a summary when it is pruned)."""

    details: dict[str, Any] = field(default_factory=dict)
    """What later looks need beside the result, by group id: merge curves and ties."""


PRUNED_OF_RESULT = ("excluded",)
PRUNED_OF_GROUP = ("members", "reasons", "doubts")


def summary_of(run: RunSummary) -> RunSummary:
    """A run's summary: its result without the accounts; each group has its `size` instead."""
    groups = [
        {
            **{name: value for name, value in group.items() if name not in PRUNED_OF_GROUP},
            "size": group.get("size", len(group.get("members", ()))),
        }
        for group in run.result.get("groups", ())
    ]
    kept = {name: value for name, value in run.result.items() if name not in PRUNED_OF_RESULT}
    return RunSummary(run.id, run.created_at, {**kept, "groups": groups})


def pruned_of(run: RunSummary) -> RunRecord:
    """What retention leaves of a run: its summary, marked."""
    result = {**summary_of(run).result, "pruned": True}
    return RunRecord(run.id, run.created_at, result)


def pick_run(found: Sequence[RunSummary], name: str) -> RunSummary:
    """Of the runs whose id begins with `name` the one that is meant: the exact one, or the
    only one. UserError otherwise."""
    exact = [run for run in found if run.id == name]
    see = "`inconcert runs` lists them."
    if not found:
        raise UserError(f"There is no run '{name}'.", see)
    if len(found) > 1 and not exact:
        raise UserError(f"Several runs begin with '{name}'.", see)
    return (exact or found)[0]


def refuse_to_prune_all(keep: int) -> None:
    """UserError when no run would be kept whole."""
    if keep < 1:
        raise UserError("The current run is never pruned.", "Keep 1 or more.")


@dataclass(frozen=True)
class CheckReport:
    """What `store check` found. `problems` is empty for a sound store."""

    problems: list[str]
    facts: dict[str, int]
    """Visible rows by kind."""
    notes: list[str] = field(default_factory=list)
    """What is as it may be, but worth knowing: what a dead loader left."""


def notes_on(unfinished: Sequence[int]) -> list[str]:
    """What a check says of loads that are not committed."""
    return [
        f"Load {batch} is not committed: it is running, or was left by a loader that died; "
        "nothing of it is seen, and the next load clears it."
        for batch in unfinished
    ]


class Store(Protocol):
    """A home of facts. Both homes do the same; one suite of tests runs on both."""

    url: str
    properties: Properties
    key_place: str
    """Where the key is kept."""
    made: tuple[str, ...]
    """What `init` made beside the store itself, in sentences."""
    database_user: str | None
    """As whom a server was asked; None where there is none that asks for a name."""
    tell: Tell
    """Whoever shows what goes on: told of long reads and writes, from any thread. `silent` at
    first."""

    @property
    def log(self) -> Log:
        """The review log: what people decided about findings."""

    @property
    def key(self) -> str:
        """The store's key as hex text: the HMAC key for uids, identifiers and masked ids.
        UserError when it is missing: only who hashes something needs it."""

    def loading(self, kind: str, source: str) -> AbstractContextManager[Load]:
        """Begin a load: takes the loader's lock (BusyError when another holds it), clears
        what dead loaders left, gives the next batch number. Left without commit: nothing
        of it will be seen."""

    def refreshing(self, doing: str) -> AbstractContextManager[Callable[[], None]]:
        """The right to refresh: one at a time, loads and readers go on beside it. `doing`
        ("refreshing") is what the next comer is told, by a BusyError. What it gives raises one
        where the right was lost meanwhile."""

    def refresher(self) -> str | None:
        """Who refreshes right now, in words; None where nobody does."""

    def quarantine_path(self, batch: int) -> str:
        """Where the refused rows of this batch are written (JSON Lines, mode 0600)."""

    def batches(self) -> list[Batch]:
        """All committed changes, in the order of their commits (see above)."""

    def facts(self, kind: str, known_at: int | None = None) -> pl.LazyFrame:
        """Visible rows of the kind, of each uid the highest visible revision, with the
        kind's stored columns. `known_at`: as of that batch, 0: before any; None: now.
        UserError when that batch is not committed, and when facts were archived after it."""

    def accounts(self) -> pl.LazyFrame:
        """`account` (text) and `ix` (Int64) of every numbered account of committed batches."""

    def supplies(self, known_at: int | None = None) -> list[SupplyEntry]:
        """Supplies that were set, in the order of their commits; the later wins for the
        same date."""

    def set_supply(self, amount: Decimal, valid_from: datetime) -> SupplyEntry:
        """Record the base from a date on."""

    def withdraw(self, batch: int) -> Batch:
        """Hide a load. UserError when there is none or it is withdrawn already."""

    def reinstate(self, batch: int) -> Batch:
        """Undo a withdrawal."""

    def fact_counts(self) -> dict[str, int]:
        """Visible facts (the highest revision of each uid) of every kind that was loaded."""

    def save_run(self, run: RunRecord) -> None:
        """Keep a run. UserError when its id is there already."""

    def runs(self, prefix: str = "") -> list[RunSummary]:
        """Saved runs whose id begins with `prefix`, newest first, without their details."""

    def current_run(self) -> RunSummary | None:
        """The run that counts now: the one saved last. None when none was saved."""

    def run(self, id_or_prefix: str) -> RunRecord:
        """The run with this id, or the only one whose id begins so. UserError otherwise."""

    def prune_runs(self, keep: int) -> list[str]:
        """Take all but the summary from every run but the `keep` newest; returns the ids of
        those that it took from, newest first. UserError when `keep` is below 1: the current
        run is never pruned."""

    def every_row(self, kind: str) -> pl.LazyFrame:
        """All rows of the kind's committed loads, withdrawn and superseded ones too."""

    def archived(self) -> list[Archived]:
        """The months that are in the archive and not here, in the order in which they went."""

    def carried(self) -> pl.LazyFrame:
        """`account` (ix), `at`, `amount`: what archived transfers brought to accounts less what
        they took. Added to the movements of a later time it gives what it was before."""

    def archive(
        self, before: datetime, folder: Path, allow: Callable[[str], None]
    ) -> list[Archived]:
        """Move the months before a time (the first moment of one) to a folder; returns those
        that were moved, oldest first. Each is written, on disk and read back before anything of
        it is taken out.

        `allow`: is asked before each month ("2025-01"), and raises where it must stay. UserError
        where the folder is not for this store's months.
        """

    def unarchive(self, places: Sequence[Path]) -> list[Archived]:
        """Bring months back from their folders; returns them, newest first. UserError where one
        of them is not archived from here, or later ones would stay away; DamagedError where a
        file is not as it was written."""

    def compact(self) -> dict[str, tuple[int, int]]:
        """Rewrite small files; returns files before and after by part. No content changes."""

    def backup(self) -> Backup:
        """What the store knows now, apart from its home: what a back-up is written from."""

    def check(self) -> CheckReport:
        """Read everything and compare it with what was committed; changes nothing."""

    def glance(self) -> CheckReport:
        """Of `check` what takes a few seconds however large the store is; counts no facts."""

    def refuse_damaged(self) -> None:
        """DamagedError where a file of facts is not, byte for byte, what was written: reading
        alone does not find that. A server looks after its own files."""

    def sizes(self) -> dict[str, int]:
        """Bytes on disk by part."""

    def unfinished(self) -> list[int]:
        """Loads that began and are not committed: running, or left by a loader that died."""


def open_store(url: str) -> Store:
    """The store at a URL (a folder, or a server: neo4j://…).

    Raises UserError when there is none, when it is of a newer format, or when another store's
    key is where its own should be; UnreachableError when a server does not answer.
    """
    return _home(url).open(url)


def init_store(
    url: str,
    *,
    masked: bool = False,
    holdings_rule: str = "stated",
    issuers: Sequence[str] = (),
) -> Store:
    """Make a new store, with a new key (mode 0600). UserError when one is there already."""
    return _home(url).init(url, masked=masked, holdings_rule=holdings_rule, issuers=tuple(issuers))


def is_server(url: str) -> bool:
    """Whether a URL names a server, not a folder."""
    return "://" in url


def _home(url: str) -> type[EmbeddedStore] | type[Neo4jStore]:
    if is_server(url):
        from graph.neo4j.store import Neo4jStore

        return Neo4jStore
    from graph.embedded import EmbeddedStore

    return EmbeddedStore
