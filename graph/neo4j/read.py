"""Reading by ranges: the server packs each range into one row of lists.

What is read is kept in files of this process's own until it ends: facts of committed
batches never change, and a command looks at them several times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from graph import scratch
from graph.neo4j.columns import from_bolt
from graph.neo4j.server import Server, TransactionTooLargeError
from graph.schema import KINDS
from graph.store import Tell, silent
from graph.threads import Task, Threads

WINDOW = 50_000
"""Places of one range: what the server packs, and this process holds, at a time."""

FEWEST_PLACES = 100

SESSIONS = 2
"""Ranges under way at once: the server packs one while another is unpacked."""

UIDS = 10_000
UIDS_GAP = 500
"""Rows that are found by uid are read together where no more places are between them."""

ROWS_PER_FILE = 1_000_000

NUMBERS = {"account": pl.String(), "ix": pl.Int64(), "batch": pl.Int64()}

Span = tuple[int, int]
"""Places from the first to before the second."""


@dataclass(frozen=True)
class Spans:
    """Where a load's rows are."""

    batch: int
    places: Span


@dataclass
class _Kept:
    """What has been read of one kind."""

    batches: set[int] = field(default_factory=set)
    files: list[Path] = field(default_factory=list)


class Reader:
    """Reads a server's facts and account numbers."""

    def __init__(self, server: Server, tell: Tell = silent) -> None:
        self._server = server
        self._tell = tell
        self._kept: dict[str, _Kept] = {}
        self._folder: Path | None = None

    # -- whole loads --------------------------------------------------------------------

    def facts(self, kind: str, loads: Sequence[Spans]) -> pl.LazyFrame:
        """Every row of some loads: the kind's stored columns."""
        columns = KINDS[kind].stored
        return self._whole(kind, loads, columns, lambda span: self._packed(kind, span).drop("seq"))

    def numbers(self, loads: Sequence[Spans]) -> pl.LazyFrame:
        """`account`, `ix` and `batch` of the accounts that some loads met first; the spans
        are of numbers."""
        return self._whole("account numbers", loads, NUMBERS, self._numbers)

    def _whole(
        self,
        what: str,
        loads: Sequence[Spans],
        columns: dict[str, pl.DataType],
        read: Callable[[Span], pl.DataFrame],
    ) -> pl.LazyFrame:
        kept = self._kept.setdefault(what, _Kept())
        wanted = {load.batch for load in loads}
        missing = [load for load in loads if load.batch not in kept.batches]
        new = {load.batch for load in missing}
        # what came back from the archive together is at the same places for all of its loads
        spans = list(windows(sorted({load.places for load in missing})))
        frames = (
            # between the loads of a window may be rows of others, not wanted or not committed
            frame.filter(pl.col("batch").is_in(sorted(new)))
            for frame in self._told(what, spans, self._ahead(read, spans))
        )
        files = self._written(what, len(kept.files), gathered(frames, ROWS_PER_FILE))
        # only now: a read that failed half way has kept nothing
        kept.files += files
        kept.batches |= new
        if not kept.files or not wanted:
            return pl.LazyFrame(schema=columns)
        rows = pl.scan_parquet(kept.files, glob=False)
        if wanted == kept.batches:
            return rows
        return rows.filter(pl.col("batch").is_in(sorted(wanted)))

    def _told(
        self, what: str, spans: Sequence[Span], frames: Iterable[pl.DataFrame]
    ) -> Iterator[pl.DataFrame]:
        """The frames of some spans; each is told of as it comes."""
        total, done = sum(high - low for low, high in spans), 0
        for (low, high), frame in zip(spans, frames, strict=True):
            done += high - low
            self._tell(f"{100 * done // total} % of the {what} read")
            yield frame

    def _written(self, what: str, number: int, parts: Iterable[pl.DataFrame]) -> list[Path]:
        """Frames as files, numbered from `number` on."""
        files = []
        for place, part in enumerate(parts, start=number):
            files.append(self._place() / f"{what.replace(' ', '-')}-{place}.parquet")
            part.write_parquet(files[-1], compression="lz4")
        return files

    def _ahead(
        self, read: Callable[[Span], pl.DataFrame], spans: Iterable[Span]
    ) -> Iterator[pl.DataFrame]:
        """Reads spans, in order, a few at once."""
        waiting: deque[Task[pl.DataFrame]] = deque()
        threads = Threads(SESSIONS)
        try:
            for span in spans:
                waiting.append(threads.begin(partial(in_bites, read, span)))
                if len(waiting) > SESSIONS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            self._server.end(threads)

    def _packed(self, kind: str, span: Span) -> pl.DataFrame:
        [row] = self._server.read(f"store/read_{kind}", low=span[0], high=span[1])
        return from_bolt(dict(row), KINDS[kind].stored)

    def _numbers(self, span: Span) -> pl.DataFrame:
        [row] = self._server.read("store/read_numbers", low=span[0], high=span[1])
        return pl.DataFrame(dict(row), schema=NUMBERS)

    def _place(self) -> Path:
        if self._folder is None:
            self._folder = scratch.until_exit()  # frames that scan it may outlive the store
        return self._folder

    # -- some rows ----------------------------------------------------------------------

    def places(self, kind: str, uids: pl.Series) -> pl.DataFrame:
        """`uid`, `seq`, `revision`, `batch` of the rows with one of these uids, of any load."""
        schema = {"uid": pl.String, "seq": pl.Int64, "revision": pl.Int32, "batch": pl.Int64}
        found = [pl.DataFrame(schema=schema)]
        for part in self._parts(kind, uids.drop_nulls().unique()):
            [row] = self._server.read(f"store/find_{kind}", uid=part)
            found.append(pl.DataFrame(dict(row), schema=schema))
        return pl.concat(found)

    def with_uids(self, kind: str, uids: pl.Series, batches: Sequence[int]) -> pl.DataFrame:
        """The rows of some batches that have one of these uids, with the stored columns."""
        empty = pl.DataFrame(schema=KINDS[kind].stored)
        if not batches:
            return empty
        found = self.places(kind, uids).filter(pl.col("batch").is_in(list(batches)))
        wanted = found.select("seq").sort("seq")
        spans = windows(((seq, seq + 1) for seq in wanted["seq"].to_list()), gap=UIDS_GAP)
        frames = self._ahead(lambda span: self._packed(kind, span), spans)
        rows = [frame.join(wanted, on="seq", how="semi").drop("seq") for frame in frames]
        return pl.concat([empty, *rows])

    def numbers_of(self, accounts: pl.Series) -> pl.DataFrame:
        """`account`, `ix` of those of these accounts that are there."""
        schema = {"account": pl.String(), "ix": pl.Int64()}
        found = [pl.DataFrame(schema=schema)]
        for part in self._parts("account numbers", accounts):
            [row] = self._server.read("store/find_numbers", account=part)
            found.append(pl.DataFrame(dict(row), schema=schema))
        return pl.concat(found)

    def _parts(self, what: str, values: pl.Series) -> Iterator[list[Any]]:
        """Values to ask for, some at a time; each time is told of."""
        for begin in range(0, len(values), UIDS):
            self._tell(f"{begin:,} of {len(values):,} {what} looked for")
            yield values.slice(begin, UIDS).to_list()


def windows(spans: Iterable[Span], width: int = WINDOW, gap: int = WINDOW) -> Iterator[Span]:
    """Spans of at most `width` places that cover the given ones (ascending): neighbours are
    joined over gaps of at most `gap`, long ones are cut."""
    low = high = 0
    for first, end in spans:
        if high > low and end - low <= width and first - high <= gap:
            high = end
            continue
        yield from _cut(low, high, width)
        low, high = first, end
    yield from _cut(low, high, width)


def _cut(low: int, high: int, width: int) -> Iterator[Span]:
    for begin in range(low, high, width):
        yield begin, min(begin + width, high)


def in_bites(read: Callable[[Span], pl.DataFrame], span: Span) -> pl.DataFrame:
    """What `read` gives of a span: by halves where the server has no memory for it at once."""
    low, high = span
    try:
        return read(span)
    except TransactionTooLargeError:
        if high - low <= FEWEST_PLACES:
            raise
    middle = (low + high) // 2
    return pl.concat([in_bites(read, (low, middle)), in_bites(read, (middle, high))])


def gathered(frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """Frames joined to ones of at least `rows` rows (the last one may have fewer)."""
    waiting: list[pl.DataFrame] = []
    for frame in frames:
        waiting.append(frame)
        if sum(part.height for part in waiting) >= rows:
            yield pl.concat(waiting)
            waiting = []
    if any(part.height for part in waiting):
        yield pl.concat(waiting)
