"""Bytes of text files: gzip undone, byte-order mark dropped, what is no text refused.

What is not UTF-8 becomes NUL, so that readers see text only; a cell with a NUL is refused.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from graph.errors import DamagedError

_BOM = b"\xef\xbb\xbf"
NUL = "\0"
"""Stands for bytes that are not UTF-8."""

_NUL_FOR_ERRORS = "inconcert-nul"
codecs.register_error(_NUL_FOR_ERRORS, lambda error: (NUL, error.end))  # type: ignore[attr-defined]

_FOREIGN = {
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "compressed with gzip",
    b"PK\x03\x04": "a zip file",
    b"\xff\xfe": "in UTF-16; save it as UTF-8",
    b"\xfe\xff": "in UTF-16; save it as UTF-8",
}


class TextBytes(io.RawIOBase):
    """The bytes of a text file, as a readable stream of UTF-8.

    Drops a byte-order mark and ends the last line if the file does not. Counts quotes
    (`quotes`) and how much of the file was read (`done_bytes`). Raises DamagedError for a
    gzip file that is none or is cut off, and for content that is no text.
    """

    def __init__(self, name: str, path: Path, zipped: bool) -> None:
        self.name = name
        self.quotes = 0
        self._file = path.open("rb")
        self._bytes = cast(BinaryIO, gzip.GzipFile(fileobj=self._file) if zipped else self._file)
        self._begun = False
        self._last = b"\n"
        self._decoder = codecs.getincrementaldecoder("utf-8")(_NUL_FOR_ERRORS)
        self._pending = False
        self._ended = False

    @property
    def done_bytes(self) -> int:
        """How much of the file (as it lies on disk) was read."""
        return 0 if self._file.closed else self._file.tell()

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes; empty at the end."""
        data = b""
        while not data and not self._ended:
            raw = self._raw(size) if self._begun else self._first(size)
            self._begun = True
            self._ended = not raw
            data = self._clean(raw)
        self.quotes += data.count(b'"')
        if self._ended and not data.endswith(b"\n") and (data or self._last != b"\n"):
            data += b"\n"
        self._last = data[-1:] or self._last
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _clean(self, raw: bytes) -> bytes:
        """The same as UTF-8; a character cut off at the end waits for its rest."""
        if not self._pending and raw.isascii():
            return raw
        text = self._decoder.decode(raw, final=not raw)
        self._pending = bool(self._decoder.getstate()[0])
        return text.encode()

    def _first(self, size: int) -> bytes:
        data = self._raw(size)
        for magic, what in _FOREIGN.items():
            if data.startswith(magic):
                raise DamagedError(f"'{self.name}' is not what its ending says: it is {what}.")
        if b"\0" in data[:65536]:
            raise DamagedError(f"'{self.name}' is not what its ending says: it is no text.")
        return data[len(_BOM) :] or self._raw(size) if data.startswith(_BOM) else data

    def _raw(self, size: int) -> bytes:
        try:
            return self._bytes.read(size)
        except gzip.BadGzipFile:
            raise DamagedError(f"'{self.name}' is not a gzip file, or is damaged.") from None
        except (EOFError, zlib.error):
            raise DamagedError(f"'{self.name}' is damaged: its gzip data is cut off.") from None
