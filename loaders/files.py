"""The input files of a command: globs, `-`, and which reader a file needs."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import glob, has_magic
from io import BufferedReader, UnsupportedOperation
from pathlib import Path
from typing import BinaryIO

from graph import scratch
from graph.errors import UserError
from loaders.chunks import Reader

FORMATS = ("csv", "csv.gz", "parquet", "jsonl", "jsonl.gz")
_ENDINGS = {
    ".csv": "csv",
    ".csv.gz": "csv.gz",
    ".tsv": "csv",
    ".tsv.gz": "csv.gz",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonl.gz": "jsonl.gz",
    ".ndjson.gz": "jsonl.gz",
}
STDIN = "-"
PART_BYTES = 1 << 18
GLANCE_SECONDS = 0.1


@contextmanager
def inputs(names: Sequence[str], input_format: str | None) -> Iterator[list[Reader]]:
    """Readers for files, globs and `-`, in the order given (a glob's files by name).

    Raises UserError for a missing or empty file, a folder, a glob without match, or a
    format that neither the ending nor `input_format` tells.
    """
    if names.count(STDIN) > 1:
        raise UserError("Standard input (-) can be given only once.")
    with scratch.folder() as folder:
        yield [
            _reader(name, path, input_format)
            for given in names
            for name, path in _expand(given, folder, input_format)
        ]


def _expand(given: str, folder: Path, input_format: str | None) -> list[tuple[str, Path]]:
    if given == STDIN:
        return [(STDIN, _spooled(folder, input_format))]
    if has_magic(given) and not Path(given).exists():
        found = sorted(glob(given, recursive=True))  # noqa: PTH207 (absolute patterns too)
        if not found:
            raise UserError(f"No file matches '{given}'.")
        return [(name, Path(name)) for name in found]
    return [(given, Path(given))]


def _spooled(folder: Path, input_format: str | None) -> Path:
    """Standard input as a file: it is read more than once."""
    if input_format is None:
        raise UserError(
            "Standard input has no ending that tells its format.",
            f"Say --input-format, one of {', '.join(FORMATS)}.",
        )
    path = folder / "stdin"
    with path.open("wb") as file:
        while part := _next(sys.stdin.buffer):
            file.write(part)
    return path


def _next(source: BinaryIO) -> bytes:
    """The next bytes, none at the end. Looks up while it waits: a read that waits does not hear a
    signal that came just before it, nor one where Polars has the system go on with the wait."""
    with suppress(UnsupportedOperation):  # what is no file of the system never waits
        while not select.select([source], [], [], GLANCE_SECONDS)[0]:
            pass
    return source.read1(PART_BYTES) if isinstance(source, BufferedReader) else source.read()


def _reader(name: str, path: Path, input_format: str | None) -> Reader:
    if path.is_dir():
        raise UserError(f"'{name}' is a folder.", f"Name its files: '{name.rstrip('/')}/*'.")
    format_ = input_format or format_of(name)
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise UserError(f"There is no file '{name}'.") from None
    except OSError as error:
        raise UserError(f"'{name}' cannot be read: {error.strerror}.") from None
    if empty:
        raise UserError(f"'{name}' is empty (0 bytes).")
    if format_ == "parquet":
        from loaders.parquet_files import ParquetReader

        return ParquetReader(name, path)
    zipped = format_.endswith(".gz")
    if format_.startswith("csv"):
        from loaders.csv_files import CsvReader

        return CsvReader(name, path, zipped)
    from loaders.jsonl_files import JsonlReader

    return JsonlReader(name, path, zipped)


def format_of(name: str) -> str:
    """The format that a file's ending tells. UserError for an ending that tells none."""
    lower = name.lower()
    for ending in sorted(_ENDINGS, key=len, reverse=True):
        if lower.endswith(ending):
            return _ENDINGS[ending]
    raise UserError(
        f"The ending of '{name}' tells no format that can be loaded.",
        f"Say --input-format, one of {', '.join(FORMATS)}.",
    )
