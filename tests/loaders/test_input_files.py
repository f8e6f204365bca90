"""Files that are missing, damaged or not what they say: one sentence, nothing loaded."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from load_helpers import facts

from graph.errors import DamagedError, UserError
from graph.store import Store

GOOD = b"src,dst\na,b\n"


def parquet() -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"src": ["a"] * 1000, "dst": ["b"] * 1000}).write_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("in.csv.gz", gzip.compress(GOOD * 9000, mtime=0)[:-20], "its gzip data is cut off"),
        ("in.csv.gz", GOOD, "is not a gzip file"),
        (
            "in.csv.gz",
            gzip.compress(GOOD, mtime=0)[:-4] + b"1234",
            "is not a gzip file, or is damaged",
        ),
        ("in.jsonl.gz", gzip.compress(b'{"src":"a","dst":"b"}\n' * 9000, mtime=0)[:-9], "cut off"),
        ("in.parquet", GOOD, "is not a Parquet file"),
        ("in.parquet", parquet()[:-40], "is not a Parquet file"),
        ("in.csv", parquet(), "it is a Parquet file"),
        ("in.csv", gzip.compress(GOOD, mtime=0), "it is compressed with gzip"),
        ("in.csv", GOOD.decode().encode("utf-16"), "it is in UTF-16"),
        ("in.csv", b"src,dst\0\n", "it is no text"),
        ("in.csv", b"s\xffc,dst\na,b\n", "its header is not UTF-8"),
        ("in.csv", b'src,dst\na,"b\na,c\n', "a quoted cell is never closed"),
        ("in.csv", b'src,dst\n"a,b\na,c\n', "a quoted cell is never closed"),
    ],
)
def test_a_damaged_file_is_refused_whole_and_so_are_the_others(
    store: Store,
    put: Callable[..., str],
    loading: Any,
    name: str,
    content: bytes,
    sentence: str,
) -> None:
    good, bad = put("good.csv", GOOD), put(name, content)
    with pytest.raises(DamagedError, match=sentence):
        loading(store, "transfers", good, bad)
    assert facts(store, "transfers") == []
    assert store.batches() == []


def test_a_parquet_file_that_breaks_off_in_the_middle(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    content = bytearray(parquet())
    content[4:60] = b"\xff" * 56
    with pytest.raises(DamagedError, match="or is damaged"):
        loading(store, "transfers", put("in.parquet", bytes(content)))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("in.csv", b"", "is empty"),
        ("in.csv", b"\n\n", "has no header"),
        ("in.csv", b"src,dst,src\na,b,c\n", "two columns named 'src'"),
        ("in.csv", b"src,,dst\na,b,c\n", "Column 2 .* has no name"),
        ("in.xlsx", b"PK", "tells no format"),
    ],
)
def test_a_file_that_cannot_be_used(
    store: Store,
    put: Callable[..., str],
    loading: Any,
    name: str,
    content: bytes,
    sentence: str,
) -> None:
    with pytest.raises(UserError, match=sentence):
        loading(store, "transfers", put(name, content))


def test_missing_files_folders_and_globs(store: Store, tmp_path: Path, loading: Any) -> None:
    with pytest.raises(UserError, match="There is no file"):
        loading(store, "transfers", str(tmp_path / "none.csv"))
    with pytest.raises(UserError, match="is a folder"):
        loading(store, "transfers", str(tmp_path), input_format="csv")
    with pytest.raises(UserError, match="No file matches"):
        loading(store, "transfers", str(tmp_path / "*.csv"))


def test_a_header_alone_loads_nothing(store: Store, put: Callable[..., str], loading: Any) -> None:
    for content in ("src,dst", "src,dst\n", "src,dst\n\n\r\n"):
        assert loading(store, "transfers", put("in.csv", content)).counts.read == 0


def test_globs_gzip_and_standard_input(
    store: Store,
    put: Callable[..., str],
    tmp_path: Path,
    loading: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put("2.csv", b"src,dst\nc,d\n")
    put("1.csv.gz", gzip.compress(GOOD, mtime=0) + gzip.compress(b"b,c\n"))
    assert loading(store, "transfers", str(tmp_path / "*.csv*")).counts.loaded == 3
    spoken = io.TextIOWrapper(io.BytesIO(b'{"src":"x","dst":"y"}'))
    monkeypatch.setattr(sys, "stdin", spoken)
    assert loading(store, "transfers", "-", input_format="jsonl").counts.loaded == 1
    with pytest.raises(UserError, match="no ending"):
        loading(store, "transfers", "-")


def test_quotes_newlines_and_inches_in_cells(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    path = put("in.csv", 'src;dst;kind\n"a;1";b;"two\nlines ""so"""\nc;d;5" pipe\n')
    loading(store, "transfers", path)
    assert {row[2:4] + row[7:] for row in facts(store, "transfers")} == {
        ("a;1", "b", 'two\nlines "so"'),
        ("c", "d", '5" pipe'),
    }


def test_a_character_cut_by_a_block_is_whole(
    store: Store,
    put: Callable[..., str],
    loading: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loaders.csv_files._BLOCK_BYTES", 64)
    monkeypatch.setattr("loaders.jsonl_files._BLOCK_BYTES", 37)
    pairs = {("é" * (n % 5) + f"𝔘{n}", "ü" * (n % 3) + "b") for n in range(60)}
    csv = put("in.csv", "referrer,referred\n" + "".join(f"{a},{b}\n" for a, b in sorted(pairs)))
    loading(store, "referrals", csv)
    assert {row[2:4] for row in facts(store, "referrals")} == pairs
    lines = [f'{{"referrer":"{a}","referred":"{b}"}}\n' for a, b in sorted(pairs)]
    assert loading(store, "referrals", put("in.jsonl", "".join(lines))).counts.known == 60
