"""The store on a Neo4j server: see `graph.store.Store` for what each method does."""

from __future__ import annotations

import os
import shlex
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import neo4j
from neo4j.exceptions import ConstraintError

from graph import scratch
from graph.archive import Archived, refuse_change_of_archived, rows_by_batch
from graph.clock import iso, now
from graph.digest import fingerprint
from graph.errors import InconcertError, UserError
from graph.keys import OwnKey, as_stored, kept_key, named_place
from graph.neo4j import runs
from graph.neo4j.lease import REFRESH, Lease, lease
from graph.neo4j.log import Neo4jLog
from graph.neo4j.schema import make_schema, refuse_foreign
from graph.neo4j.server import Server, TransactionTooLargeError, credentials
from graph.store import (
    PLAIN_FORMAT,
    Batch,
    CheckReport,
    Counts,
    Properties,
    RunRecord,
    RunSummary,
    SupplyEntry,
    Tell,
    refuse_change,
    refuse_newer,
    refuse_unknown_rule,
    silent,
    visible_batches,
)
from graph.who import user

if TYPE_CHECKING:  # imported where rows are read: opening a store must be quick
    import polars as pl

    from graph.archive_kept import Kept
    from graph.neo4j.backup import Neo4jBackup
    from graph.neo4j.load import Neo4jLoad
    from graph.neo4j.read import Reader, Spans

CLEAR_ROWS = 10_000
FEWEST_ROWS = 100


class Neo4jStore:
    """A store in the database of a Neo4j server."""

    def __init__(self, server: Server, node: dict[str, Any]) -> None:
        self.url = server.address.url
        self.server = server
        self.id: str = node["id"]
        self.properties = _properties(node)
        self._key = OwnKey(
            key_path(self.id), self.properties.key_fingerprint, f"the store {self.url}"
        )
        self.key_place = str(self._key.place)
        self.made: tuple[str, ...] = ()
        asked_as = credentials()
        self.database_user = asked_as[0] if asked_as else None
        self.tell: Tell = silent
        self.log = Neo4jLog(server, self.properties.key_fingerprint)
        self._reader: Reader | None = None
        self._read_at: list[Archived] = []
        self._kept: Path | None = None

    # -- making and opening -------------------------------------------------------------

    @classmethod
    def init(
        cls,
        url: str,
        *,
        masked: bool = False,
        holdings_rule: str = "stated",
        issuers: tuple[str, ...] = (),
    ) -> Neo4jStore:
        """Make a store in an empty database, or what a store's schema lacks: all of it after
        an import.

        UserError for a database that holds a store or something else.
        """
        refuse_unknown_rule(holdings_rule)
        server = Server.connect(url)
        node = store_node(server)
        if not node:
            try:
                refuse_foreign(server)
            except UserError:
                node = store_node(server)  # another may have made one just now
                if not node:
                    raise
        if node:
            _refuse_unfit(node, url)
        made = make_schema(server)
        if not node:
            _make_store(server, masked, holdings_rule, issuers)
        elif not node["ready"]:
            from graph.neo4j.bulk import finish_import

            finish_import(server, node)
        elif not made:
            raise UserError(f"{url} is a store already.", "`inconcert store info` shows it.")
        server.close()
        store = cls.open(url)
        store.made = made
        return store

    @classmethod
    def open(cls, url: str) -> Neo4jStore:
        """The store at a server. UserError when there is none, when its format is newer
        than this program, or when another store's key is in its place."""
        server = Server.connect(url)
        node = store_node(server)
        make = f"`inconcert store init {shlex.quote(url)}` makes"
        where = f"the database '{server.database}' at {url}"
        if not node:
            raise UserError(f"There is no store in {where}.", f"{make} one.")
        _refuse_unfit(node, url)
        if not node["ready"]:
            raise UserError(
                f"The store in {where} was imported and has no schema yet.", f"{make} it."
            )
        store = cls(server, node)
        store._key.refuse_another()
        return store

    # -- where things are ---------------------------------------------------------------

    @property
    def key(self) -> str:
        """The store's key."""
        return self._key.text

    def quarantine_path(self, batch: int) -> str:
        """Where the refused rows of a batch are written: on this machine."""
        folder = local_folder(self.id) / "quarantine"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return str(folder / f"{batch}.jsonl")

    @property
    def reader(self) -> Reader:
        """Reads this server's rows, and keeps what it read until this process ends."""
        from graph.neo4j.read import Reader

        if self._reader is None:
            self._reader = Reader(self.server, lambda note: self.tell(note))
        return self._reader

    # -- facts --------------------------------------------------------------------------

    @contextmanager
    def loading(self, kind: str, source: str) -> Iterator[Neo4jLoad]:
        """Begin a load; left without commit, nothing of it will be seen. What it wrote is
        removed then, or by the next load if this process dies."""
        from graph.neo4j.load import Neo4jLoad

        begin = {"kind": kind, "source": source, "user": user(), "at": iso(now())}
        with lease(self.server, f"loading {kind}") as held:
            self._clear_dead(held)
            batch = _begin(held, begin)
            load = Neo4jLoad(self, held, kind, batch["batch"], batch["first_ix"])
            try:
                yield load
            finally:
                with suppress(InconcertError), self.server.impatient():
                    load.close()
                    self._clear_dead(held)  # where that fails the next loader tries again

    @contextmanager
    def refreshing(self, doing: str) -> Iterator[Callable[[], None]]:
        """Hold the refresh's lease; what it yields refuses where it was lost."""
        with lease(self.server, doing, REFRESH) as held:
            yield lambda: held.transact(lambda _: None, repeatable=True)

    def facts(self, kind: str, known_at: int | None = None) -> pl.LazyFrame:
        """Visible rows, of each uid the highest visible revision."""
        from graph.revisions import highest

        batches = self.batches()
        self._refuse_earlier(batches, known_at)
        visible = visible_batches(batches, _known(batches, known_at))
        loads = {load.batch: load for load in visible if load.kind == kind}
        if not loads:
            return self.reader.facts(kind, [])
        found = self._rows(kind, set(loads))
        self._refuse_earlier(batches, known_at)  # months may have gone meanwhile
        revised = {number for number, load in loads.items() if load.has_revisions}
        return highest(found, revised)

    def _rows(self, kind: str, loads: set[int] | None) -> pl.LazyFrame:
        """The rows of some loads of a kind, None: of all; without those that are archived."""
        from graph.archive_kept import unsettled, without

        while True:
            archived = self.archived()
            if archived != self._read_at:  # what was read before is not as it is now
                self._reader, self._read_at = None, archived
            rows = [
                row
                for row in self.batch_rows()
                if row.get("kind") == kind and (loads is None or row["batch"] in loads)
            ]
            found = self.reader.facts(kind, spans_of(rows, "seq"))
            found = without(found, unsettled(self, archived, kind))
            if self.archived() == archived:
                return found

    def _refuse_earlier(self, batches: list[Batch], known_at: int | None) -> None:
        """UserError where a batch is asked about that was committed before months went."""
        from graph.archive import refuse_earlier

        months = self.archived() if known_at else []
        if known_at and months:
            order = {batch.batch: place for place, batch in enumerate(batches)}
            went = max(order.get(one.batch, len(order)) for one in months)
            if order.get(known_at, went) < went:
                refuse_earlier(months, known_at)

    def accounts(self) -> pl.LazyFrame:
        """`account` and `ix` of every numbered account of committed batches."""
        loads = [row for row in self.batch_rows() if row["action"] == "load"]
        return self.reader.numbers(spans_of(loads, "ix")).select("account", "ix")

    def batches(self) -> list[Batch]:
        """All committed changes, in the order of their commits."""
        return [as_batch(row) for row in self.batch_rows()]

    def batch_rows(self) -> list[dict[str, Any]]:
        """All committed changes in the order of their commits: the properties of each."""
        return [dict(row["batch"]) for row in self.server.read("store/batches")]

    def batch(self, number: int) -> Batch:
        """One committed change."""
        return next(batch for batch in self.batches() if batch.batch == number)

    def fact_counts(self) -> dict[str, int]:
        """Visible facts of every kind that was loaded: from the batches, less what their
        corrections supersede."""
        batches, archived = self.batches(), self.archived()
        gone = rows_by_batch(archived)
        counts = {batch.kind: 0 for batch in batches if batch.kind}
        for kind in counts:
            visible = [b for b in batches if b.kind == kind and not b.withdrawn]
            counts[kind] = sum(b.counts.loaded - gone.get(b.batch, 0) for b in visible)
            if archived and any(batch.has_revisions for batch in visible):
                counts[kind] = self._count(kind)
                continue
            if any(batch.has_revisions for batch in visible):
                counts[kind] -= self._superseded(kind, visible)
        return counts

    def _count(self, kind: str) -> int:
        import polars as pl

        return int(self.facts(kind).select(pl.len()).collect(engine="streaming").item())

    def _superseded(self, kind: str, visible: list[Batch]) -> int:
        """How many rows of some loads a higher revision among them stands above."""
        import polars as pl

        revised = {batch.batch for batch in visible if batch.has_revisions}
        spans = spans_of([row for row in self.batch_rows() if row["batch"] in revised], "seq")
        corrections = self.reader.facts(kind, spans).filter(pl.col("revision") > 1)
        uids = corrections.select("uid").collect(engine="streaming")["uid"].unique()
        numbers = [batch.batch for batch in visible]
        rows = self.reader.places(kind, uids).filter(pl.col("batch").is_in(numbers))
        return rows.height - rows["uid"].n_unique()

    def every_row(self, kind: str) -> pl.LazyFrame:
        """All rows of the kind's committed loads, withdrawn and superseded ones too."""
        return self._rows(kind, None)

    def withdraw(self, batch: int) -> Batch:
        """Hide a load."""
        return self._change("withdraw", batch, "withdrawing a batch")

    def reinstate(self, batch: int) -> Batch:
        """Undo a withdrawal."""
        return self._change("reinstate", batch, "bringing back a batch")

    def _change(self, action: str, target: int, doing: str) -> Batch:
        change = {"action": action, "target": target, "user": user(), "at": iso(now())}
        with lease(self.server, doing) as held:
            refuse_change_of_archived(self.archived(), target)
            rows = held.write("store/batch_change", **change)
            if not rows:
                named = [batch for batch in self.batches() if batch.batch == target]
                known_as = named[0].action if named else None
                refuse_change(action, target, known_as, visible=action == "reinstate")
            return self.batch(rows[0]["batch"])

    # -- supplies and runs --------------------------------------------------------------

    def supplies(self, known_at: int | None = None) -> list[SupplyEntry]:
        """Supplies that were set, in the order of their commits."""
        batches = self.batches()
        known = _known(batches, known_at)
        entries = {row["batch"]: _supply(row) for row in self.server.read("store/supplies")}
        found = []
        for batch in batches if known else ():
            if batch.batch in entries:
                found.append(entries[batch.batch])
            if batch.batch == known:
                break
        return found

    def set_supply(self, amount: Decimal, valid_from: datetime) -> SupplyEntry:
        """Record the base from a date on."""
        entry = {"amount": format(amount, "f"), "valid_from": iso(valid_from)}
        step = ("store/batch_supply", {**entry, "user": user(), "at": iso(now())})
        [[row]] = self.server.write(step)
        return SupplyEntry(amount, valid_from, row["batch"])

    def save_run(self, run: RunRecord) -> None:
        """Keep a run; it becomes the current one."""
        runs.save(self.server, run)

    def runs(self, prefix: str = "") -> list[RunSummary]:
        """Saved runs whose id begins with `prefix`, newest first, without their details."""
        return runs.summaries(self.server, prefix)

    def current_run(self) -> RunSummary | None:
        """The run that counts now."""
        return runs.current(self.server)

    def run(self, id_or_prefix: str) -> RunRecord:
        """The run with this id, or the only one whose id begins so."""
        return runs.read(self.server, id_or_prefix)

    def prune_runs(self, keep: int) -> list[str]:
        """Take all but the summary from every run but the newest."""
        return runs.prune(self.server, keep)

    # -- the archive --------------------------------------------------------------------

    def archived(self) -> list[Archived]:
        """The months that are in the archive."""
        from graph.neo4j.archive import archived

        return archived(self.server)

    def carried(self) -> pl.LazyFrame:
        """What archived transfers moved."""
        from graph.archive_kept import carried

        return carried(self)

    def kept(self, month: Archived) -> Kept:
        """What is kept of an archived month, in files of this process's own."""
        from graph.neo4j.archive import fetch

        if self._kept is None:
            self._kept = scratch.until_exit()  # frames that scan it may outlive the store
        return fetch(self.server, month.kept, self._kept)

    def archive(
        self, before: datetime, folder: Path, allow: Callable[[str], None]
    ) -> list[Archived]:
        """Move the months before a time to a folder."""
        from graph.neo4j.archive import archive

        with lease(self.server, "archiving") as held:
            self._clear_dead(held)
            moved = archive(self, held, before, folder, allow)
        self.properties = _properties(store_node(self.server) or {})
        return moved

    def unarchive(self, places: Sequence[Path]) -> list[Archived]:
        """Bring months back."""
        from graph.neo4j.archive import unarchive

        with lease(self.server, "bringing back archived months") as held:
            self._clear_dead(held)
            return unarchive(self, held, places)

    # -- upkeep -------------------------------------------------------------------------

    def compact(self) -> dict[str, tuple[int, int]]:
        """Always refused: a server keeps its own files."""
        raise UserError(
            f"There is nothing to compact at {self.url}: a server keeps its own files tidy."
        )

    def refresher(self) -> str | None:
        """Who refreshes right now."""
        from graph.neo4j.lease import holder

        return holder(self.server, REFRESH)

    def glance(self) -> CheckReport:
        """The schema; nothing is counted."""
        from graph.neo4j.schema import schema_problems
        from graph.store import notes_on

        problems = list(schema_problems(self.server))
        return CheckReport(problems, {}, notes_on(self.unfinished()))

    def refuse_damaged(self) -> None:
        """A server looks after its own files."""

    def check(self) -> CheckReport:
        """What is not as it should be."""
        from graph.neo4j.check import check

        return check(self)

    def sizes(self) -> dict[str, int]:
        """Empty: a server does not tell its bytes on disk."""
        return {}

    def backup(self) -> Neo4jBackup:
        """What the store knows now, apart from its home."""
        from graph.neo4j.backup import Neo4jBackup

        return Neo4jBackup(self)

    def unfinished(self) -> list[int]:
        """Loads that began and are not committed."""
        return [row["batch"] for row in self.server.read("store/open_batches")]

    def _clear_dead(self, held: Lease) -> None:
        """With the lease held no load is running: what is unfinished is dead."""
        # under the lease's lock: a commit that is under way is there, or fails
        for batch in held.rewrite("store/open_batches"):
            clear_from(held, f"store/clear_{batch['kind']}", batch["first_seq"], self.tell)
            clear_from(held, "store/clear_numbers", batch["first_ix"], self.tell)
            Path(self.quarantine_path(batch["batch"])).unlink(missing_ok=True)
            held.rewrite("store/batch_bury", batch=batch["batch"])
        self._settle(held)

    def _settle(self, held: Lease) -> None:
        """What is archived and not taken out whole, and what is kept for nobody."""
        if self.server.read("store/archive_open"):
            from graph.neo4j.archive import settle

            settle(self, held)


def _begin(held: Lease, batch: dict[str, Any]) -> neo4j.Record:
    """The new open batch. Just before, none was open: one that is was begun by an attempt
    whose answer was lost."""
    [begun] = held.transact(
        lambda run: run("store/open_batches", {}) or run("store/batch_begin", batch),
        repeatable=True,
    )
    return begun


def _refuse_unfit(node: dict[str, Any], url: str) -> None:
    """UserError for a store of a later format, and for half of a restored one."""
    refuse_newer(url, node["format"])
    if node.get("restoring"):
        raise half_restored(url)


def local_folder(store_id: str) -> Path:
    """Where this machine keeps what belongs to a server's store: its key, refused rows."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "inconcert" / store_id


def key_path(store_id: str) -> Path:
    """Where the key of a server's store is: INCONCERT_KEY_FILE, else in its local folder."""
    return named_place() or local_folder(store_id) / "key"


def store_node(server: Server) -> dict[str, Any] | None:
    """What `store init` fixed, as it stands in the database; None where there is no store."""
    rows = server.read("store/store_node")
    return dict(rows[0]["store"]) if rows else None


def _properties(node: dict[str, Any]) -> Properties:
    return Properties(
        format=node["format"],
        created=datetime.fromisoformat(node["created"]),
        masked=node["masked"],
        holdings_rule=node["holdings_rule"],
        issuers=tuple(node["issuers"]),
        key_fingerprint=node["key_fingerprint"],
    )


def half_restored(url: str) -> UserError:
    """What to say of a store that a restore left unfinished."""
    return UserError(
        f"{url} holds a restore that was not finished.",
        "Run `inconcert store restore` again.",
    )


def _make_store(server: Server, masked: bool, holdings_rule: str, issuers: tuple[str, ...]) -> None:
    store_id = str(uuid.uuid4())
    path = key_path(store_id)
    if named_place() is None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = kept_key(path)
    node = {
        "id": store_id,
        "format": PLAIN_FORMAT,
        "created": iso(now()),
        "masked": masked,
        "holdings_rule": holdings_rule,
        "issuers": list(as_stored(issuers, key if masked else None)),
        "key_fingerprint": fingerprint(key),
    }
    try:
        server.write(("store/store_make", node))
    except ConstraintError:  # another one made it meanwhile
        raise UserError(f"{server.address.url} is a store already.") from None


def clear_from(held: Lease, statement: str, first: int, tell: Tell = silent) -> None:
    """Remove what is from a place on, some at a time."""
    limit, cleared = CLEAR_ROWS, 0
    while True:
        try:
            [row] = held.rewrite(statement, first=first, limit=limit)
        except TransactionTooLargeError:
            if limit <= FEWEST_ROWS:
                raise
            limit //= 2
            continue
        if not row["cleared"]:
            return
        cleared += row["cleared"]
        tell(f"{cleared:,} of the rows of an unfinished load removed")


def _known(batches: list[Batch], known_at: int | None) -> int:
    """The batch that counts as the last. UserError when it is not committed."""
    if known_at is None:
        return batches[-1].batch if batches else 0
    if known_at and known_at not in {batch.batch for batch in batches}:
        raise UserError(
            f"There is no committed batch {known_at}.", "`inconcert store info` lists them."
        )
    return known_at


def spans_of(loads: list[dict[str, Any]], of: str) -> list[Spans]:
    """Where the rows (`of` seq) or the account numbers (`of` ix) of some loads are."""
    from graph.neo4j.read import Spans

    spans = [Spans(load["batch"], (load[f"first_{of}"], load[f"end_{of}"])) for load in loads]
    for load in loads:  # what came back from the archive has places of its own
        more = load.get(f"more_{of}") or []
        spans += [Spans(load["batch"], span) for span in zip(more[::2], more[1::2], strict=True)]
    return sorted(spans, key=lambda load: load.places)


def _supply(row: Any) -> SupplyEntry:
    return SupplyEntry(
        Decimal(row["amount"]), datetime.fromisoformat(row["valid_from"]), row["batch"]
    )


def as_batch(row: dict[str, Any]) -> Batch:
    """A committed change, from its properties in the database."""
    load = row["action"] == "load"
    return Batch(
        batch=row["batch"],
        action=row["action"],
        kind=row.get("kind"),
        source=row.get("source"),
        target=row.get("target"),
        committed_at=datetime.fromisoformat(row["committed_at"]),
        counts=Counts(
            *(row.get(name, 0) for name in ("read", "loaded", "known", "conflicts", "quarantined"))
        ),
        withdrawn=load and not row["visible"],
        latest_at=datetime.fromisoformat(row["latest_at"]) if row.get("latest_at") else None,
        has_revisions=row.get("has_revisions", False),
        complete_at=tuple(datetime.fromisoformat(text) for text in row.get("complete_at", ())),
        user=row["user"],
    )
