"""The SQLite file that says which batches exist; also supplies and runs.

Connections are opened for each operation: opening takes a fraction of a millisecond, and
no transaction outlives the call that needs it, so nobody waits for anybody.
"""

from __future__ import annotations

import bisect
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from graph.archive import ACTION, UNDO, Archived, refuse_change_of_archived, refuse_earlier
from graph.backup import Change, Record
from graph.clock import iso, now
from graph.disk import sync
from graph.embedded import seals
from graph.errors import DamagedError, UserError
from graph.store import (
    FORMAT,
    PLAIN_FORMAT,
    PRUNED_OF_GROUP,
    PRUNED_OF_RESULT,
    Batch,
    Counts,
    Properties,
    RunRecord,
    RunSummary,
    SupplyEntry,
    refuse_change,
    refuse_newer,
)
from graph.who import user

BUSY_SECONDS = 30.0

ACTIONS = "'load', 'withdraw', 'reinstate', 'supply'"
ACTIONS_NOW = f"{ACTIONS}, '{ACTION}', '{UNDO}'"
"""Ledgers of before the archive have the shorter list, until a month is archived."""

ARCHIVES = """
CREATE TABLE IF NOT EXISTS archives (
    batch INTEGER PRIMARY KEY REFERENCES batches (batch),
    settled INTEGER NOT NULL,
    month TEXT NOT NULL,
    folder TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    "rows" TEXT NOT NULL,
    batches TEXT NOT NULL,
    kept TEXT NOT NULL
) STRICT;
"""
"""The months that are in the archive and not in the store."""

BATCHES = f"""
CREATE TABLE batches (
    batch INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL CHECK (state IN ('open', 'committed', 'dead')),
    position INTEGER UNIQUE,  -- order of commit; a supply may overtake an open load
    action TEXT NOT NULL CHECK (action IN ({ACTIONS_NOW})),
    kind TEXT,
    source TEXT,
    target INTEGER REFERENCES batches (batch),
    user TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    committed_at TEXT,
    "read" INTEGER NOT NULL DEFAULT 0,
    loaded INTEGER NOT NULL DEFAULT 0,
    known INTEGER NOT NULL DEFAULT 0,
    conflicts INTEGER NOT NULL DEFAULT 0,
    quarantined INTEGER NOT NULL DEFAULT 0,
    latest_at TEXT,
    has_revisions INTEGER NOT NULL DEFAULT 0,
    complete_at TEXT NOT NULL DEFAULT '[]',
    CHECK ((state = 'committed') = (position IS NOT NULL)),
    CHECK ((state = 'committed') = (committed_at IS NOT NULL))
) STRICT;
"""

VISIBLE = """
CREATE VIEW visible_batches AS
SELECT batch, kind FROM batches AS load
WHERE action = 'load' AND state = 'committed' AND coalesce((
    SELECT change.action FROM batches AS change
    WHERE change.target = load.batch AND change.state = 'committed'
    ORDER BY change.position DESC LIMIT 1
), 'reinstate') = 'reinstate';
"""

SCHEMA = f"""
CREATE TABLE properties (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
{BATCHES}
CREATE TABLE supplies (
    batch INTEGER PRIMARY KEY REFERENCES batches (batch),
    amount TEXT NOT NULL,
    valid_from TEXT NOT NULL
) STRICT;
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    result TEXT NOT NULL,
    details TEXT NOT NULL
) STRICT;
{VISIBLE}
{ARCHIVES}
"""


def _paths(names: Sequence[str]) -> str:
    return ", ".join(f"'$.{name}'" for name in names)


SUMMARY = f"""json_remove(json_set(result, '$.groups', (
    SELECT json_group_array(json_remove(
        json_set(value, '$.size', coalesce(
            json_extract(value, '$.size'), json_array_length(value, '$.members'), 0
        )),
        {_paths(PRUNED_OF_GROUP)}
    )) FROM json_each(result, '$.groups')
)), {_paths(PRUNED_OF_RESULT)})"""
"""`graph.store.summary_of` on the column `result`: a list of runs brings no result into Python."""


@dataclass(frozen=True)
class BatchSet:
    """Which loads' rows a reader takes, out of all that may stand in a table.

    `shown`: the loads to take, ascending; `allocated`: every load number given when the
    ledger was read, ascending; `last`: the highest batch number given by then (a later
    load may have written rows since).
    """

    shown: tuple[int, ...]
    allocated: tuple[int, ...]
    last: int

    def within(self, low: int, high: int) -> tuple[int, ...]:
        """The shown loads from `low` to `high`."""
        return _between(self.shown, low, high)

    def covers(self, low: int, high: int) -> bool:
        """Whether every row of a file with these batch numbers is to be taken."""
        return high <= self.last and self.within(low, high) == _between(self.allocated, low, high)


def _between(numbers: tuple[int, ...], low: int, high: int) -> tuple[int, ...]:
    return numbers[bisect.bisect_left(numbers, low) : bisect.bisect_right(numbers, high)]


class Ledger:
    """Reads and writes `ledger.sqlite`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(
        cls,
        path: Path,
        properties: Properties,
        fill: Callable[[sqlite3.Connection], None] = lambda _: None,
    ) -> Ledger:
        """Make the file; it appears under its name only when it is whole and on disk.
        `fill` may put rows into the new tables first."""
        draft = path.with_name(path.name + ".new")
        draft.unlink(missing_ok=True)
        ledger = cls(draft)
        with closing(ledger._connect("rwc")) as connection:
            connection.executescript(SCHEMA)
            connection.execute(seals.SCHEMA)
            seals.guard(connection)
            connection.executemany(
                "INSERT INTO properties VALUES (?, ?)", _property_rows(properties).items()
            )
            connection.execute("BEGIN")
            fill(connection)
            seals.end(connection)
            connection.execute("COMMIT")
            # WAL last: a file renamed in WAL mode would leave its log behind.
            connection.execute("PRAGMA journal_mode = WAL")
        draft.rename(path)
        sync(path.parent)
        return cls(path)

    # -- connections ------------------------------------------------------------------

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # erased words leave no trace in the file
        return connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent view; works on a read-only mount as well."""
        try:
            with closing(self._connect_reading()) as connection:
                connection.execute("BEGIN")
                yield connection
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise _explained(self.path, error) from None

    def _connect_reading(self) -> sqlite3.Connection:
        try:
            connection = self._connect("ro")
            connection.execute("SELECT 1 FROM sqlite_schema")
        except sqlite3.OperationalError:
            # Where nobody can write, SQLite has no place for the memory that it shares.
            log = self.path.with_name(self.path.name + "-wal")
            if os.access(self.path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
                raise
            connection = self._connect("ro&immutable=1")
        return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One short transaction, durable when this returns."""
        try:
            with closing(self._connect("rw")) as connection:
                seals.guard(connection)
                connection.execute("BEGIN IMMEDIATE")
                try:
                    seals.begin(connection)
                    yield connection
                    seals.end(connection)
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise _explained(self.path, error) from None

    # -- properties -------------------------------------------------------------------

    def properties(self) -> Properties:
        """What init fixed. UserError for a newer format, DamagedError for another file."""
        with self.reading() as connection:
            values = dict(connection.execute("SELECT name, value FROM properties").fetchall())
            unlike = next(seals.broken(connection, ("schema", "properties")), None)
        refuse_newer(str(self.path.parent), int(values.get("format", "0")))
        if unlike:
            raise DamagedError(f"{self.path} is damaged: {unlike}.")
        return Properties(
            format=int(values["format"]),
            created=datetime.fromisoformat(values["created"]),
            masked=values["masked"] == "true",
            holdings_rule=values["holdings_rule"],
            issuers=tuple(json.loads(values["issuers"])),
            key_fingerprint=values["key_fingerprint"],
        )

    def reserve_ix(self, count: int) -> int:
        """The first of `count` account numbers that are given to nobody else, ever."""
        with self.writing() as connection:
            row = connection.execute(
                "UPDATE properties SET value = CAST(CAST(value AS INTEGER) + ? AS TEXT) "
                "WHERE name = 'next_ix' RETURNING CAST(value AS INTEGER)",
                (count,),
            ).fetchone()
            return int(row[0]) - count

    # -- batches ----------------------------------------------------------------------

    def begin(self, kind: str, source: str) -> int:
        """The number of a new load, open until it is committed."""
        with self.writing() as connection:
            return _insert(connection, "open", action="load", kind=kind, source=source)

    def commit(
        self,
        batch: int,
        counts: Counts,
        *,
        latest_at: datetime | None,
        has_revisions: bool,
        complete_at: Sequence[datetime],
        files: Mapping[str, str] | None = None,
    ) -> None:
        """Make a load visible: the one row that readers go by. `files`: the digests of those
        that it wrote, by their path below the store's folder."""
        with self.writing() as connection:
            changed = connection.execute(
                "UPDATE batches SET state = 'committed', position = ?, committed_at = ?, "
                '"read" = ?, loaded = ?, known = ?, conflicts = ?, quarantined = ?, '
                "latest_at = ?, has_revisions = ?, complete_at = ? "
                "WHERE batch = ? AND state = 'open'",
                (
                    _next_position(connection),
                    iso(now()),
                    counts.read,
                    counts.loaded,
                    counts.known,
                    counts.conflicts,
                    counts.quarantined,
                    iso(latest_at) if latest_at else None,
                    int(has_revisions),
                    json.dumps([iso(moment) for moment in complete_at]),
                    batch,
                ),
            ).rowcount
            if changed != 1:
                raise RuntimeError(f"batch {batch} is not open")
            seals.seal_files(connection, files or {})

    def change(self, action: str, target: int) -> int:
        """Record a withdrawal or a reinstatement; returns its batch number.

        UserError when the target is no committed load or is in that state already.
        """
        with self.writing() as connection:
            row = connection.execute(
                "SELECT action, state, batch IN (SELECT batch FROM visible_batches) AS visible "
                "FROM batches WHERE batch = ?",
                (target,),
            ).fetchone()
            known = row is not None and row["state"] == "committed"
            known_as, visible = (row["action"], bool(row["visible"])) if known else (None, False)
            refuse_change(action, target, known_as, visible=visible)
            refuse_change_of_archived(_archives(connection), target)
            return _insert(connection, "committed", action=action, target=target)

    def set_supply(self, amount: Decimal, valid_from: datetime) -> SupplyEntry:
        """Record the base from a date on."""
        with self.writing() as connection:
            batch = _insert(connection, "committed", action="supply")
            connection.execute(
                "INSERT INTO supplies VALUES (?, ?, ?)",
                (batch, format(amount, "f"), iso(valid_from)),
            )
        return SupplyEntry(amount, valid_from, batch)

    def batches(self) -> list[Batch]:
        """All committed changes, in the order of their commits."""
        with self.reading() as connection:
            return [_batch(row) for row in _committed(connection)]

    def supplies(self, known_at: int | None) -> list[SupplyEntry]:
        """Supplies known at a batch, by batch."""
        with self.reading() as connection:
            return _supplies(connection, _position(connection, known_at))

    def unfinished(self) -> list[int]:
        """Loads that began and are not committed: running, or left by a loader that died."""
        with self.reading() as connection:
            rows = connection.execute("SELECT batch FROM batches WHERE state = 'open'").fetchall()
        return [row[0] for row in rows]

    def bury(self, batch: int) -> None:
        """Record that what a dead load left has been cleared."""
        with self.writing() as connection:
            connection.execute("UPDATE batches SET state = 'dead' WHERE batch = ?", (batch,))

    def record(self) -> Record:
        """All but rows and runs, as of one moment: what a back-up keeps."""
        properties = self.properties()
        with self.reading() as connection:
            rows = _committed(connection)
            given = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'batches'")
            next_ix = connection.execute("SELECT value FROM properties WHERE name = 'next_ix'")
            return Record(
                properties,
                tuple(Change(_batch(r), datetime.fromisoformat(r["begun_at"])) for r in rows),
                tuple(_supplies(connection, _position(connection, None))),
                next_batch=(given.fetchone() or (0,))[0] + 1,
                next_ix=int(next_ix.fetchone()[0]),
                archived=tuple(_archives(connection)),
            )

    # -- the archive ------------------------------------------------------------------

    def archives(self) -> list[Archived]:
        """The months in the archive, in the order in which they went."""
        with self.reading() as connection:
            return _archives(connection)

    def refuse_earlier(self, known_at: int | None) -> None:
        """UserError where months are archived and a batch is asked about that was committed
        before they went."""
        with self.reading() as connection:
            months = _archives(connection)
            if months and known_at:
                went = max(_position(connection, one.batch) for one in months)
                if _position(connection, known_at) < went:
                    refuse_earlier(months, known_at)

    def make_room_for_archives(self) -> None:
        """Bring a ledger of before the archive up to date. A restriction of a table can only be
        changed by making it anew."""
        with closing(self._connect("rw")) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("BEGIN IMMEDIATE")
            seals.begin(connection)
            made = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'batches'")
            if ACTIONS_NOW not in made.fetchone()[0]:
                given = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'batches'")
                last = (given.fetchone() or (0,))[0]
                connection.execute("DROP VIEW visible_batches")
                connection.execute(BATCHES.replace("TABLE batches", "TABLE batches_new", 1))
                connection.execute("INSERT INTO batches_new SELECT * FROM batches")
                connection.execute("DROP TABLE batches")
                connection.execute("ALTER TABLE batches_new RENAME TO batches")
                connection.execute(VISIBLE)
                connection.execute("DELETE FROM sqlite_sequence WHERE name = 'batches'")
                connection.execute("INSERT INTO sqlite_sequence VALUES ('batches', ?)", (last,))
            connection.execute(ARCHIVES)
            seals.renew_schema(connection)
            connection.execute("COMMIT")

    def archive(self, one: Archived) -> Archived:
        """Record that a month is in the archive: from here on no reader sees its rows. Its
        `batch` is given here."""
        with self.writing() as connection:
            batch = _insert(connection, "committed", action=ACTION, source=one.month)
            month = replace(one, batch=batch)
            insert_archives(connection, [month])
            return month

    def settle(self, batch: int, *, settled: bool) -> None:
        """Record whether the rows of an archived month may stand in the tables."""
        with self.writing() as connection:
            connection.execute(
                "UPDATE archives SET settled = ? WHERE batch = ?", (int(settled), batch)
            )

    def unarchive(self, one: Archived) -> None:
        """Record that a month is back: from here on every reader sees its rows."""
        with self.writing() as connection:
            connection.execute("DELETE FROM archives WHERE batch = ?", (one.batch,))
            _insert(connection, "committed", action=UNDO, source=one.month, target=one.batch)
            _note_format(connection)

    # -- what a reader takes ----------------------------------------------------------

    def visible(self, kind: str, known_at: int | None = None) -> BatchSet:
        """The loads of a kind that are committed and not withdrawn, as of a batch."""
        with self.reading() as connection:
            hidden = (
                "SELECT target FROM batches AS change WHERE action = 'withdraw' "
                "AND position <= :upto AND NOT EXISTS (SELECT 1 FROM batches AS later "
                "WHERE later.target = change.target AND later.position <= :upto "
                "AND later.position > change.position)"
            )
            return _batch_set(
                connection,
                f"kind = :kind AND position <= :upto AND batch NOT IN ({hidden})",
                "kind = :kind",
                {"kind": kind, "upto": _position(connection, known_at)},
            )

    def committed(self, kind: str | None = None) -> BatchSet:
        """The committed loads, withdrawn or not, of one kind or of all."""
        with self.reading() as connection:
            of_kind = "(:kind IS NULL OR kind = :kind)"
            return _batch_set(
                connection, f"{of_kind} AND state = 'committed'", of_kind, {"kind": kind}
            )

    def revised(self, kind: str) -> frozenset[int]:
        """The committed loads of a kind that have corrections."""
        with self.reading() as connection:
            rows = connection.execute(
                "SELECT batch FROM batches "
                "WHERE kind = ? AND has_revisions AND state = 'committed'",
                (kind,),
            ).fetchall()
        return frozenset(row[0] for row in rows)

    # -- runs -------------------------------------------------------------------------

    def save_run(self, run: RunRecord) -> None:
        """Keep a run. UserError when its id is there already."""
        with self.writing() as connection:
            if connection.execute("SELECT 1 FROM runs WHERE id = ?", (run.id,)).fetchone():
                raise UserError(f"Run {run.id} is saved already.")
            insert_run(connection, run)

    def runs(self, prefix: str = "", most: int = -1) -> list[RunSummary]:
        """Summaries of runs whose id begins with `prefix`, newest first, `most` of them (-1:
        all)."""
        with self.reading() as connection:
            rows = connection.execute(
                f"SELECT id, created_at, {SUMMARY} AS summary FROM runs "
                "WHERE substr(id, 1, length(:prefix)) = :prefix "
                "ORDER BY number DESC LIMIT :most",
                {"prefix": prefix, "most": most},
            ).fetchall()
        return [
            RunSummary(
                row["id"], datetime.fromisoformat(row["created_at"]), json.loads(row["summary"])
            )
            for row in rows
        ]

    def run(self, run_id: str) -> RunRecord:
        """A saved run, whole."""
        with self.reading() as connection:
            row = connection.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
        return RunRecord(
            row["id"],
            datetime.fromisoformat(row["created_at"]),
            json.loads(row["result"]),
            json.loads(row["details"]),
        )

    def prune_runs(self, keep: int) -> list[str]:
        """Take all but the summary from all but the `keep` newest runs; returns the ids of
        those it took from, newest first."""
        with self.writing() as connection:
            rows = connection.execute(
                "SELECT id FROM (SELECT * FROM runs ORDER BY number DESC LIMIT -1 OFFSET ?) "
                "WHERE json_extract(result, '$.pruned') IS NULL ORDER BY number DESC",
                (keep,),
            ).fetchall()
            connection.executemany(
                f"UPDATE runs SET result = json_set({SUMMARY}, '$.pruned', json('true')), "
                "details = '{}' WHERE id = ?",
                [(row["id"],) for row in rows],
            )
        return [row["id"] for row in rows]

    # -- soundness --------------------------------------------------------------------

    def problems(self) -> list[str]:
        """What SQLite's own check finds, one sentence each."""
        try:
            with self.reading() as connection:
                found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
                broken = connection.execute("PRAGMA foreign_key_check").fetchall()
                unlike = [*seals.broken(connection), *seals.strange(connection)]
        except DamagedError as error:
            return [error.sentence]
        return [
            *(f"{self.path} is damaged: {text}." for text in found if text != "ok"),
            *(f"{self.path} is damaged: {text}." for text in unlike),
            *(f"In {self.path}, {row[0]} name a batch that is missing." for row in broken),
        ]

    def glance(self, most_bytes: int) -> list[str]:
        """The same, of what is quick to read: all but the runs, and the form of a file that is
        no larger than `most_bytes`."""
        found = []
        try:
            with self.reading() as connection:
                if self.path.stat().st_size <= most_bytes:
                    found = [row[0] for row in connection.execute("PRAGMA quick_check")]
                found += seals.broken(connection, ("schema", "properties", "batches", "supplies"))
        except DamagedError as error:
            return [error.sentence]
        return [f"{self.path} is damaged: {text}." for text in found if text != "ok"]

    def sealed_files(self) -> dict[str, str]:
        """The digests of files of facts, by their path below the store's folder."""
        with self.reading() as connection:
            return seals.sealed_files(connection)

    def forget_files(self, folder: str) -> None:
        """Take away the digests of a table's files: others will take their place."""
        with self.writing() as connection:
            seals.forget_files(connection, folder)

    def seal_files(self, files: Mapping[str, str]) -> None:
        """Record the digests of files."""
        with self.writing() as connection:
            seals.seal_files(connection, files)


def insert_run(connection: sqlite3.Connection, run: RunRecord) -> None:
    """Add a run, within a transaction."""
    connection.execute(
        "INSERT INTO runs (id, created_at, result, details) VALUES (?, ?, ?, ?)",
        (run.id, iso(run.created_at), json.dumps(run.result), json.dumps(run.details)),
    )


def insert_archives(connection: sqlite3.Connection, months: Sequence[Archived]) -> None:
    """Add archived months, within a transaction."""
    connection.executemany(
        "INSERT INTO archives VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                one.batch,
                int(one.settled),
                one.month,
                one.folder,
                one.sha256,
                json.dumps(dict(one.rows)),
                json.dumps(dict(one.batches)),
                one.kept,
            )
            for one in months
        ),
    )
    _note_format(connection)


def _note_format(connection: sqlite3.Connection) -> None:
    """Programs that do not know of the archive are kept out while there is one."""
    some = connection.execute("SELECT 1 FROM archives").fetchone()
    connection.execute(
        "UPDATE properties SET value = ? WHERE name = 'format'",
        (str(FORMAT if some else PLAIN_FORMAT),),
    )


def _archives(connection: sqlite3.Connection) -> list[Archived]:
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'archives'").fetchone():
        return []  # a ledger of before the archive
    rows = connection.execute(
        "SELECT archives.* FROM archives JOIN batches USING (batch) ORDER BY position"
    )
    return [
        Archived(
            row["batch"],
            row["month"],
            row["folder"],
            row["sha256"],
            json.loads(row["rows"]),
            json.loads(row["batches"]),
            row["kept"],
            bool(row["settled"]),
        )
        for row in rows
    ]


def _property_rows(properties: Properties) -> dict[str, str]:
    return {
        "format": str(properties.format),
        "created": iso(properties.created),
        "masked": "true" if properties.masked else "false",
        "holdings_rule": properties.holdings_rule,
        "issuers": json.dumps(list(properties.issuers)),
        "key_fingerprint": properties.key_fingerprint,
        "next_ix": "0",
    }


def _insert(
    connection: sqlite3.Connection,
    state: str,
    *,
    action: str,
    kind: str | None = None,
    source: str | None = None,
    target: int | None = None,
) -> int:
    moment = iso(now())
    done = state == "committed"
    cursor = connection.execute(
        "INSERT INTO batches (state, position, action, kind, source, target, user, begun_at, "
        "committed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            state,
            _next_position(connection) if done else None,
            action,
            kind,
            source,
            target,
            user(),
            moment,
            moment if done else None,
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _next_position(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT coalesce(max(position), 0) + 1 FROM batches").fetchone()
    return int(row[0])


def _position(connection: sqlite3.Connection, known_at: int | None) -> int:
    """Where in the order of commits a batch stands; None: at the end; 0: before all."""
    if known_at == 0:
        return 0
    if known_at is None:
        return _next_position(connection) - 1
    row = connection.execute("SELECT position FROM batches WHERE batch = ?", (known_at,)).fetchone()
    if row is None or row[0] is None:
        raise UserError(
            f"There is no committed batch {known_at}.", "`inconcert store info` lists them."
        )
    return int(row[0])


def _committed(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    return connection.execute(
        "SELECT *, batch NOT IN (SELECT batch FROM visible_batches) AS hidden "
        "FROM batches WHERE state = 'committed' ORDER BY position"
    ).fetchall()


def _supplies(connection: sqlite3.Connection, position: int) -> list[SupplyEntry]:
    rows = connection.execute(
        "SELECT supplies.* FROM supplies JOIN batches USING (batch) "
        "WHERE position <= ? ORDER BY position",
        (position,),
    ).fetchall()
    return [
        SupplyEntry(Decimal(row["amount"]), datetime.fromisoformat(row["valid_from"]), row["batch"])
        for row in rows
    ]


def _batch_set(
    connection: sqlite3.Connection,
    shown: str,
    candidates: str,
    parameters: dict[str, object],
) -> BatchSet:
    def numbers(condition: str) -> tuple[int, ...]:
        rows = connection.execute(
            f"SELECT batch FROM batches WHERE action = 'load' AND {condition} ORDER BY batch",
            parameters,
        )
        return tuple(row[0] for row in rows)

    last = connection.execute("SELECT coalesce(max(batch), 0) FROM batches").fetchone()[0]
    return BatchSet(numbers(shown), numbers(candidates), last)


def _batch(row: sqlite3.Row) -> Batch:
    return Batch(
        batch=row["batch"],
        action=row["action"],
        kind=row["kind"],
        source=row["source"],
        target=row["target"],
        committed_at=datetime.fromisoformat(row["committed_at"]),
        counts=Counts(
            row["read"], row["loaded"], row["known"], row["conflicts"], row["quarantined"]
        ),
        withdrawn=bool(row["hidden"]) and row["action"] == "load",
        latest_at=datetime.fromisoformat(row["latest_at"]) if row["latest_at"] else None,
        has_revisions=bool(row["has_revisions"]),
        complete_at=tuple(datetime.fromisoformat(text) for text in json.loads(row["complete_at"])),
        user=row["user"],
    )


def _explained(path: Path, error: sqlite3.DatabaseError | UnicodeDecodeError) -> Exception:
    """The error in the user's words, or as it is when it is a bug."""
    if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
        return error
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_BUSY"):
        return UserError(f"{path} is held by another process.", "Try again in a moment.")
    if name == "SQLITE_FULL" or name.startswith(("SQLITE_IOERR", "SQLITE_READONLY")):
        return UserError(
            f"{path} cannot be written: {error}; what was committed before stands.",
            "Make room on the disk, or check its permissions, and run the command again.",
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return UserError(f"{path} cannot be opened: {error}.")
    # what is no UTF-8 any more has no name: Python, not SQLite, says it
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_ERROR")) or not name:
        return DamagedError(f"{path} is damaged or no ledger of a store: {error}.")
    return error
