"""CSV: Arrow's streaming reader; ragged lines are refused one by one."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as pc

from graph.errors import DamagedError, UserError
from loaders.byte_streams import NUL, TextBytes
from loaders.chunks import REFUSED, Chunk
from loaders.stamps import Stamp

_BLOCK_BYTES = 48 << 20
_HEADER_BYTES = 1 << 20
_DELIMITERS = ",;\t"


class CsvReader:
    """A CSV file with a header; delimiter comma, semicolon or tab (as its header shows).

    Cells are text as it stands. Empty lines do not count.
    """

    def __init__(self, name: str, path: Path, zipped: bool) -> None:
        self.name = name
        self.stamp = Stamp.of(path)
        self.size_bytes = self.stamp.size_bytes
        self.path = path
        self._zipped = zipped
        self._raw_header: list[str] = []
        self._delimiter = ","

    def columns(self) -> dict[str, pl.DataType]:
        """The header's names, trimmed; every cell is text."""
        if not self._raw_header:
            self._raw_header, self._delimiter = self._read_header()
        return {name.strip(): pl.String() for name in self._raw_header}

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Chunks of about 48 MB of text."""
        width = len(self.columns())
        raw_names = [name for name in self._raw_header if name.strip() in set(columns)]
        ragged: list[pc.InvalidRow] = []
        last: pc.InvalidRow | None = None
        next_row = 1
        with TextBytes(self.name, self.path, self._zipped) as stream:
            for batch in self._batches(stream, raw_names, ragged):
                rows, mine = _number(next_row, batch.num_rows, ragged)
                del ragged[: len(mine)]
                last = mine[-1] if mine else last
                next_row += batch.num_rows + len(mine)
                if batch.num_rows + len(mine) == 0:
                    continue
                yield Chunk(
                    self.name, _frame(batch), rows, stream.done_bytes, _refused(mine, width)
                )
            if ragged:
                yield Chunk(
                    self.name,
                    _frame(self._schema(raw_names).empty_table()),
                    _number(0, 0, [])[0],
                    stream.done_bytes,
                    _refused(ragged, width),
                )
            last = ragged[-1] if ragged else last
            if stream.quotes % 2:
                self._refuse_unclosed(last)

    def _read_header(self) -> tuple[list[str], str]:
        with TextBytes(self.name, self.path, self._zipped) as stream:
            text = stream.read(_HEADER_BYTES).decode("utf-8", errors="ignore")
        try:
            found = [(_first_record(text, delimiter), delimiter) for delimiter in _DELIMITERS]
            header, delimiter = max(found, key=lambda pair: len(pair[0]))
        except csv.Error:
            raise DamagedError(f"'{self.name}' is no CSV: its header cannot be read.") from None
        names = [name.strip() for name in header]
        if NUL in "".join(names):
            raise DamagedError(f"'{self.name}' is no CSV: its header is not UTF-8.")
        if not names:
            raise UserError(f"'{self.name}' has no header.", "Its first line names the columns.")
        if "" in names:
            place = names.index("") + 1
            raise UserError(f"Column {place} of '{self.name}' has no name.", "Name it.")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UserError(f"'{self.name}' has two columns named '{twice[0]}'.", "Rename one.")
        return header, delimiter

    def _schema(self, raw_names: Sequence[str]) -> pa.Schema:
        return pa.schema([(name, pa.large_string()) for name in raw_names])

    def _batches(
        self, stream: TextBytes, raw_names: Sequence[str], ragged: list[pc.InvalidRow]
    ) -> Iterator[pa.RecordBatch]:
        """Record batches; ragged rows are appended to `ragged` before their batch comes."""
        try:
            with pc.open_csv(
                pa.PythonFile(stream, mode="r"),
                # Only a single thread counts the rows that are refused.
                read_options=pc.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                parse_options=pc.ParseOptions(
                    delimiter=self._delimiter,
                    newlines_in_values=True,
                    invalid_row_handler=_collector(ragged),
                ),
                convert_options=pc.ConvertOptions(
                    include_columns=raw_names,
                    column_types=self._schema(raw_names),
                    null_values=[],
                    strings_can_be_null=False,
                    check_utf8=False,
                ),
            ) as reader:
                yield from reader
        except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
            if "Empty CSV file" in str(error):
                return
            if "straddling" in str(error):
                raise self._unclosed() from None
            raise DamagedError(f"'{self.name}' is no CSV that can be read: {error}.") from None

    def _refuse_unclosed(self, last_ragged: pc.InvalidRow | None) -> None:
        """With an odd number of quotes: did the last row swallow lines?

        A quote inside an unquoted cell (5" pipe) is legal and makes the number odd too.
        """
        if last_ragged is not None and "\n" in last_ragged.text:
            raise self._unclosed()
        tail = None
        with TextBytes(self.name, self.path, self._zipped) as stream:
            for batch in self._batches(stream, self._raw_header, []):
                tail = batch.slice(batch.num_rows - 1) if batch.num_rows else tail
        if tail is not None and any("\n" in column[0].as_py() for column in tail.columns):
            raise self._unclosed()

    def _unclosed(self) -> DamagedError:
        return DamagedError(f"'{self.name}' is damaged: a quoted cell is never closed.")


def _first_record(text: str, delimiter: str) -> list[str]:
    lines = io.StringIO(text.lstrip("\r\n"), newline="")
    return next(csv.reader(lines, delimiter=delimiter), [])


def _collector(ragged: list[pc.InvalidRow]) -> Callable[[pc.InvalidRow], str]:
    def collect(row: pc.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    return collect


def _number(
    next_row: int, count: int, ragged: Sequence[pc.InvalidRow]
) -> tuple[pl.Series, list[pc.InvalidRow]]:
    """The numbers of the next `count` good rows, and the ragged rows among them.

    Arrow counts the header as row 1.
    """
    bad = np.array([row.number - 1 for row in ragged], dtype=np.int64)
    candidates = np.arange(next_row, next_row + count + len(bad), dtype=np.int64)
    good = candidates[~np.isin(candidates, bad)][:count] if len(bad) else candidates
    last = good[-1] if count else next_row - 1
    return pl.Series("row", good, dtype=pl.Int64), list(ragged[: int((bad < last).sum())])


def _frame(batch: pa.RecordBatch | pa.Table) -> pl.DataFrame:
    frame = pl.DataFrame(pl.from_arrow(batch))
    return frame.rename({name: name.strip() for name in frame.columns})


def _refused(ragged: Sequence[pc.InvalidRow], width: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row": [row.number - 1 for row in ragged],
            "column": [None] * len(ragged),
            "value": [row.text for row in ragged],
            "reason": [f"the row has {row.actual_columns} cells, not {width}" for row in ragged],
        },
        schema=REFUSED,
    )
