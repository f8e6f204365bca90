"""The load: files into one batch of a store."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

import polars as pl

from graph.errors import DamagedError, UserError
from graph.schema import KINDS
from graph.store import Counts, Load, Store
from graph.threads import Task, Threads
from loaders.chunks import Chunk, Reader
from loaders.fields import Source
from loaders.in_force import in_force, same_state
from loaders.known import against_archive, against_store
from loaders.mapping import Columns
from loaders.parsing import Facts, hidden, parse, secret_columns, shorter
from loaders.plan import InputFile, Options, Plan, plan
from loaders.quarantine import Quarantine
from loaders.repeats import CONFLICT, KNOWN, NEW, Firsts, Occurrences, content
from loaders.stamps import Stamp
from loaders.uids import numbered

__all__ = ["Options", "Result", "load"]

_THREADS = 2
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Result:
    """What became of a load."""

    batch: int | None
    """None for a dry run."""
    counts: Counts
    quarantine_file: str | None
    self_transfers: int
    complete_at: tuple[datetime, ...]
    reasons: dict[str, int]
    """How many rows were refused for which reason."""


@dataclass
class _State:
    """What a load gathers on its way."""

    quarantine: Quarantine
    counts: Counts = field(default_factory=Counts)
    self_transfers: int = 0
    stated_times: set[datetime] = field(default_factory=set)

    def count(self, read: int, quarantined: int, fates: pl.Series) -> None:
        """Add the rows of one chunk."""
        self.counts = replace(
            self.counts,
            read=self.counts.read + read,
            quarantined=self.counts.quarantined + quarantined,
            loaded=self.counts.loaded + int((fates == NEW).sum()),
            known=self.counts.known + int((fates == KNOWN).sum()),
            conflicts=self.counts.conflicts + int((fates == CONFLICT).sum()),
        )


def load(
    store: Store,
    source: Source,
    readers: Sequence[Reader],
    options: Options,
    *,
    say: Callable[[str], None] = lambda _: None,
    progress: Callable[..., None] = lambda *_, **__: None,
    before_commit: Callable[[], None] = lambda: None,
) -> Result:
    """Load files of one kind of fact as one batch.

    `say` is told what a user should know in any case; `progress(done, note)` how many bytes
    are done; `before_commit` is called when all is read, and nothing is stored if it raises.
    Raises UserError (and DamagedError) before anything is seen by others, also for a file
    that changed while it was read; facts are seen once this returns.
    """

    def unchanged() -> None:
        _refuse_changed(readers)
        before_commit()

    try:
        planned = plan(store, source, readers, options, say)
        with store.loading(source.kind, options.source or source.kind) as batch:
            quarantine = Quarantine(store.quarantine_path(batch.batch))
            try:
                return _Loading(store, batch, planned, quarantine, say, progress, unchanged).run()
            except BaseException:
                quarantine.drop()
                raise
    except DamagedError:
        _refuse_changed(readers)  # a file that is still being written is not a damaged one
        raise


def _refuse_changed(readers: Sequence[Reader]) -> None:
    """What was read of a file that grew or was replaced meanwhile is of no one moment."""
    for reader in readers:
        if Stamp.of(reader.path) != reader.stamp:
            raise UserError(
                f"'{reader.name}' changed while it was read; nothing was loaded.",
                "Load it again once whoever writes it is done.",
            )


class _Loading:
    """One load under way: chunks are parsed ahead by threads, and settled one by one."""

    def __init__(
        self,
        store: Store,
        load: Load,
        plan: Plan,
        quarantine: Quarantine,
        say: Callable[[str], None],
        progress: Callable[..., None],
        before_commit: Callable[[], None],
    ) -> None:
        self._before_commit = before_commit
        self._store = store
        self._load = load
        self._files = plan.files
        self._rules = plan.rules
        self._options = plan.options
        self._say = say
        self._progress = progress
        self._kind = KINDS[self._rules.source.kind]
        self._state = _State(quarantine)
        self._firsts = Firsts()
        self._occurrences = Occurrences()
        self._undated = {
            file.reader.name
            for file in plan.files
            if plan.rules.source.states and plan.options.at is None and "at" not in file.bindings
        }
        self._in_force = in_force(store) if self._undated else None

    def run(self) -> Result:
        # the threads end here and not with a generator, where an interrupt would be lost
        with closing(Threads(_THREADS)) as self._threads:
            return self._run()

    def _run(self) -> Result:
        if self._nothing_changed():
            self._in_force = None
            self._count_all_known()
        else:
            if self._options.complete:
                self._in_force = None  # every row is stated anew, at the load's time
            for facts in self._facts():
                self._settle(facts)
        return self._finish()

    def _facts(self) -> Iterator[Facts]:
        """Every chunk's facts in order; each file begins a new count of equal rows."""
        done_before, rows = 0, 0
        for file in self._files:
            self._occurrences = Occurrences()
            chunks = file.reader.chunks(file.columns)
            for facts in _ahead(self._threads, partial(self._parse, file), chunks):
                yield facts
                rows += facts.read
                self._progress(done_before + facts.done_bytes, f"{rows:,} rows read")
            done_before += file.reader.size_bytes

    def _parse(self, file: InputFile, chunk: Chunk) -> Facts:
        return parse(chunk, file.bindings, file.extra, self._rules)

    # -- one chunk ----------------------------------------------------------------------

    def _settle(self, facts: Facts) -> None:
        """Decide what becomes of each row, write the new ones, list the refused."""
        frame = self._numbered(self._counted(facts.frame))
        frame = self._judged(frame, facts.file)
        new = frame.filter(pl.col("fate") == NEW)
        self._load.append(self._kind.name, new.select("uid", "revision", *self._kind.columns))
        conflicts = frame.filter(pl.col("fate") == CONFLICT)
        self._state.quarantine.add(facts.file, facts.refused)
        self._state.quarantine.add(facts.file, self._conflict_rows(conflicts, facts.file))
        self._state.count(facts.read, facts.refused.height, frame["fate"])
        if self._kind.name == "transfers":
            self._state.self_transfers += int((new["src"] == new["dst"]).sum())
        if self._options.complete:
            self._state.stated_times.update(frame["at"].unique().drop_nulls().to_list())

    def _counted(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Gives the n-th of equal rows without an id its own uid."""
        if self._options.distinct or frame["text"].null_count() == len(frame):
            return frame
        by_row = frame["text"].is_not_null().arg_true()
        n = self._occurrences.count(frame["uid"].gather(by_row))
        again = (n > 1).arg_true()
        if again.is_empty():
            return frame
        places = by_row.gather(again)
        uids = numbered(
            frame["text"].gather(places),
            n.gather(again),
            self._options.source or self._kind.name,
            self._rules.key,
        )
        return frame.with_columns(uid=frame["uid"].scatter(places, uids))

    def _numbered(self, frame: pl.DataFrame) -> pl.DataFrame:
        columns = [frame[name] for name in self._kind.accounts]
        return frame.with_columns(self._rules.accounts.number(columns, self._load.number))

    def _judged(self, frame: pl.DataFrame, file: str) -> pl.DataFrame:
        """Adds `fate`, `revision` and, for conflicts, `reason`."""
        undated = file in self._undated
        content_columns = [c for c in self._kind.columns if not (undated and c == "at")]
        existing = self._load.existing(self._kind.name, frame["uid"])
        frame = against_store(frame, existing, content_columns, self._options.correct)
        reason = pl.when(pl.col("fate") == CONFLICT).then(
            pl.lit("a fact with this id is in the store with other content; see --correct")
        )
        frame = frame.with_columns(reason=reason)
        archived = self._load.archived(self._kind.name, frame["uid"])
        frame = against_archive(frame, archived, self._kind.name, self._options.correct)
        if undated and self._in_force is not None:
            frame = _known_in_force(frame, self._in_force)
        return self._judged_within(frame)

    def _judged_within(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The same for rows that repeat or contradict another row of this load.

        Rows of a single file that are named by their content differ already, by count.
        """
        alike = self._options.distinct or len(self._files) > 1
        maybe = (frame["fate"] == NEW) & (alike | frame["text"].is_null())
        if not maybe.any():
            return frame
        where = maybe.arg_true()
        rows = frame[where]
        fate = self._firsts.judge(rows["uid"], content(rows.select(*self._kind.columns)))
        frame = frame.with_columns(fate=frame["fate"].scatter(where, fate))
        return frame.with_columns(
            reason=pl.when(pl.col("fate") == CONFLICT).then(
                pl.coalesce("reason", pl.lit("another row of this load has this id, other content"))
            )
        )

    def _conflict_rows(self, conflicts: pl.DataFrame, file: str) -> pl.DataFrame:
        bindings = next(f.bindings for f in self._files if f.reader.name == file)
        origin = bindings.get("id")
        names = origin.names if isinstance(origin, Columns) else ()
        values = conflicts["id"]
        if set(names) & secret_columns(bindings, self._rules):
            values = hidden(values, self._rules.key)
        shown = "+".join(names)
        return conflicts.select(
            "row",
            column=pl.lit(shown),
            value=shorter(values),
            reason=pl.lit(f"'{shown}': " if shown else "") + pl.col("reason"),
        )

    # -- holdings without a time --------------------------------------------------------

    def _nothing_changed(self) -> bool:
        """Whether a complete list without times states just what is in force."""
        if self._in_force is None or not self._options.complete:
            return False
        listed = [
            self._numbered(facts.frame).select("account", "amount")
            if not facts.refused.height
            else None
            for facts in self._facts()
        ]
        parts = [part for part in listed if part is not None]
        return (
            bool(parts)
            and len(parts) == len(listed)
            and same_state(self._in_force, pl.concat(parts))
        )

    def _count_all_known(self) -> None:
        for facts in self._facts():
            fates = pl.repeat(KNOWN, facts.frame.height, dtype=pl.String, eager=True)
            self._state.count(facts.read, 0, fates)

    # -- the end ------------------------------------------------------------------------

    def _finish(self) -> Result:
        counts = self._state.counts
        complete_at = self._complete_at()
        self._before_commit()
        if self._options.dry_run:
            self._state.quarantine.drop()
            return self._result(None, None, complete_at)
        quarantine_file = self._state.quarantine.finish()
        self._load.commit(counts, complete_at=complete_at)
        return self._result(self._load.batch, quarantine_file, complete_at)

    def _result(
        self, batch: int | None, quarantine_file: str | None, complete_at: tuple[datetime, ...]
    ) -> Result:
        return Result(
            batch,
            self._state.counts,
            quarantine_file,
            self._state.self_transfers,
            complete_at,
            dict(self._state.quarantine.reasons),
        )

    def _complete_at(self) -> tuple[datetime, ...]:
        """The times of completeness; none when rows were refused, for the list has gaps."""
        counts = self._state.counts
        if not self._options.complete:
            return ()
        if counts.conflicts or counts.quarantined:
            self._say(
                "The list is not recorded as complete, for rows of it were refused: "
                "accounts not listed keep what they held."
            )
            return ()
        if not counts.read:
            raise UserError(
                "A complete list without rows would set every account to 0.",
                "If that is meant, list the accounts with the amount 0.",
            )
        return tuple(sorted(self._state.stated_times))


def _known_in_force(frame: pl.DataFrame, stated: pl.DataFrame) -> pl.DataFrame:
    """Rows without an id are known when the account's amount in force is theirs already."""
    in_force_amount = frame.select("account").join(
        stated, on="account", how="left", maintain_order="left"
    )["amount"]
    same = pl.Series(in_force_amount == frame["amount"]).fill_null(False)
    known = same & frame["id"].is_null() & (frame["fate"] == NEW)
    return frame.with_columns(
        fate=pl.when(known).then(pl.lit(KNOWN)).otherwise(pl.col("fate")),
    )


def _ahead(threads: Threads, work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
    """`map` in order that keeps every thread busy and few results in memory."""
    waiting: deque[Task[_R]] = deque()
    for item in items:
        waiting.append(threads.begin(partial(work, item)))
        if len(waiting) > _THREADS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
