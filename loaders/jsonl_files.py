"""JSON Lines, exactly: numbers are read as the text that stands in the file.

JSON readers turn numbers into 64-bit floats; 2^53 + 1 and long decimals would be lost. So
every number is put in quotes before a reader sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from graph.errors import UserError
from loaders.byte_streams import NUL, TextBytes
from loaders.chunks import REFUSED, Chunk
from loaders.stamps import Stamp

_BLOCK_BYTES = 32 << 20
_MOST_KEYS = 2_000

# A string (kept whole, so that digits inside it stay untouched) or a number. What is no
# JSON number (05, 1.2.3) falls into pieces, so a line that is no JSON does not become one.
_TOKEN = r'("(?:[^"\\]|\\.)*")|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)'
_OPEN, _CLOSE = "\x01", "\x02"  # may not stand in JSON as they are


class JsonlReader:
    """A file of one JSON object a line. Every value is text; nested ones are JSON text."""

    def __init__(self, name: str, path: Path, zipped: bool) -> None:
        self.name = name
        self.stamp = Stamp.of(path)
        self.size_bytes = self.stamp.size_bytes
        self.path = path
        self._zipped = zipped
        self._names: list[str] | None = None

    def columns(self) -> dict[str, pl.DataType]:
        """Every key that occurs in the file. Reads it through the first time."""
        if self._names is None:
            names: dict[str, None] = {}
            for lines, _first, _done in self._blocks():
                names |= dict.fromkeys(_keys(_objects(lines)[0]))
                if len(names) > _MOST_KEYS:
                    raise UserError(f"'{self.name}' has more than {_MOST_KEYS} different keys.")
            self._names = list(names)
        return {name: pl.String() for name in self._names}

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Chunks of about 32 MB of text."""
        for lines, first_row, done in self._blocks():
            objects, good = _objects(lines)
            rows = pl.int_range(first_row, first_row + len(lines), eager=True).rename("row")
            yield Chunk(
                self.name,
                _decoded(objects, columns),
                rows.filter(good),
                done,
                _refused(lines.filter(~good), rows.filter(~good)),
            )

    def _blocks(self) -> Iterator[tuple[pl.Series, int, int]]:
        """Lines (blank ones left out), the first one's number, the bytes done."""
        first_row = 1
        rest = b""
        with TextBytes(self.name, self.path, self._zipped) as stream:
            while data := stream.read(_BLOCK_BYTES):
                data = rest + data
                end = data.rfind(b"\n") + 1
                data, rest = data[:end], data[end:]
                lines = _lines(data)
                if len(lines):
                    yield lines, first_row, stream.done_bytes
                    first_row += len(lines)


def _lines(data: bytes) -> pl.Series:
    """The lines of `data` (UTF-8 that ends with a line's end) without blank lines."""
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n")) + 1
    offsets = np.concatenate(([0], ends)).astype(np.int64)
    lines = pa.LargeStringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(data))
    blank = pc.match_substring_regex(lines, r"^[ \t\r\n]*$")
    return pl.Series("line", lines.filter(pc.invert(blank)), dtype=pl.String)


def _objects(lines: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Lines that are one JSON object, their numbers in quotes; and a mask of these lines."""
    text = lines.str.strip_chars()
    quoted = (
        text.str.replace_all(_TOKEN, f"${{1}}{_OPEN}${{2}}{_CLOSE}")
        .str.replace_all(_OPEN + _CLOSE, "", literal=True)
        .str.replace_all(f"[{_OPEN}{_CLOSE}]", '"')
    )
    good = (
        text.str.starts_with("{")
        & ~text.str.contains(f"[{_OPEN}{_CLOSE}]")
        & quoted.str.json_path_match("$").is_not_null()
    )
    return quoted.filter(good), good


def _keys(objects: pl.Series) -> list[str]:
    """The keys of these objects."""
    try:
        return pl.read_ndjson(_joined(objects), infer_schema_length=None).columns
    except (pl.exceptions.PolarsError, ValueError):
        # Keys whose values differ in shape: take the keys of every depth. A nested key that
        # is no column is empty in every row then, which no field mistakes for a value.
        tokens = (
            objects.str.extract_all(r'"(?:[^"\\]|\\.)*"(?:\s*:)?')
            .explode()
            .unique(maintain_order=True)
        )
        names = tokens.filter(tokens.str.ends_with(":")).str.strip_chars_end(": \t")
        return names.str.json_decode(pl.String).unique(maintain_order=True).to_list()


def _decoded(objects: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
    schema = dict.fromkeys(columns, pl.String())
    if objects.is_empty():
        return pl.DataFrame(schema=schema)
    return pl.read_ndjson(_joined(objects), schema=schema)


def _joined(objects: pl.Series) -> bytes:
    joined: str = objects.str.join("\n").item()
    return joined.encode()


def _refused(lines: pl.Series, rows: pl.Series) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row": rows,
            "column": pl.repeat(None, len(rows), dtype=pl.String, eager=True),
            "value": lines.str.strip_chars(),
            "reason": pl.select(
                pl.when(lines.str.contains(NUL, literal=True))
                .then(pl.lit("the line is not UTF-8"))
                .otherwise(pl.lit("the line is not a JSON object"))
            ).to_series(),
        },
        schema=REFUSED,
    )
