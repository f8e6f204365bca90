"""A bad row is listed with its reason; the good rows around it are loaded."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from load_helpers import facts, refused

from graph.store import Store

HEADER = b"src,dst,amount,at,kind,id\n"
GOOD_1 = b"a,b,1.5,2026-01-01,pay,t1\n"
GOOD_2 = b"b,c,2,2026-01-02,pay,t2\n"
GOOD_FACTS = [
    ("transfers:t1", 1, "a", "b", Decimal("1.5"), datetime(2026, 1, 1, tzinfo=UTC), None, "pay"),
    ("transfers:t2", 1, "b", "c", Decimal("2"), datetime(2026, 1, 2, tzinfo=UTC), None, "pay"),
]


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        (b",c,1,2026-01-02,pay,t3", "src", "is empty"),
        (b"a,  ,1,2026-01-02,pay,t3", "dst", "is empty"),
        (b"a,c,,2026-01-02,pay,t3", "amount", "is empty"),
        (b"a,c,much,2026-01-02,pay,t3", "amount", "is not a number"),
        (b'a,c,"1,000",2026-01-02,pay,t3', "amount", "is not a number"),
        (b"a,c,-1,2026-01-02,pay,t3", "amount", "is negative"),
        (b"a,c,NaN,2026-01-02,pay,t3", "amount", "is not a finite number"),
        (b"a,c,-Infinity,2026-01-02,pay,t3", "amount", "is not a finite number"),
        (b"a,c,100000000000000000000,2026-01-02,pay,t3", "amount", "does not fit"),
        (b"a,c,0.0000000000000000001,2026-01-02,pay,t3", "amount", "--shift"),
        (b"a,c,1,yesterday,pay,t3", "at", "is not a time"),
        (b"a,c,1,2026-02-30,pay,t3", "at", "is not a time"),
        (b"a,c,1,2026-06-03,pay,t3", "at", "lies in the future"),
        (b"a,c,1,0001-01-01,pay,t3", "at", "lies before 1900"),
        (b"a,\xff\xfe,1,2026-01-02,pay,t3", "dst", "is not UTF-8"),
        (b"a,c,1,2026-01-02,p\xe9y,t3", "kind", "is not UTF-8"),
        (b"a," + b"x" * 257 + b",1,2026-01-02,pay,t3", "dst", "is longer than 256 bytes"),
        (b"a,c\x07,1,2026-01-02,pay,t3", "dst", "holds a control character"),
        (b"a,c,1,2026-01-02,pay", None, "has 5 cells, not 6"),
        (b"a,c,1,2026-01-02,pay,t3,more", None, "has 7 cells, not 6"),
        (b"\xff,c", None, "has 2 cells, not 6"),
        (b"a,b,7,2026-01-01,pay,t1", "id", "another row of this load has this id"),
    ],
)
def test_a_bad_csv_row(
    store: Store,
    put: Callable[..., str],
    loading: Any,
    line: bytes,
    column: str | None,
    reason: str,
) -> None:
    result = loading(store, "transfers", put("in.csv", HEADER + GOOD_1 + line + b"\n" + GOOD_2))
    assert facts(store, "transfers") == GOOD_FACTS
    assert (result.counts.read, result.counts.loaded) == (3, 2)
    (entry,) = refused(result)
    assert entry["row"] == 2
    assert entry["column"] == column
    assert reason in entry["reason"]
    assert entry["reason"].startswith(f"'{column}'" if column else "the row has ")
    assert entry["file"].endswith("in.csv")


def test_an_id_of_256_bytes_and_a_time_of_tomorrow_are_good(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    longest = "é" * 128
    path = put("in.csv", f"src,dst,at\n{longest},b,2026-06-02T11:00:00Z\n")
    assert loading(store, "transfers", path).counts.loaded == 1


def test_a_reason_names_the_column_of_the_users_file(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    lines = [
        "von,an,Betrag (€),wann,Beleg,Nr",
        "a,b,1,2026-01-01,x,1",
        "a,,1,2026-01-01,x,2",
        "a,b,viel,2026-01-01,x,3",
        "a,b,1,gestern,x,4",
        "a,b,1,2026-01-01,x,\x07",
        "a,b,2,2026-01-01,x,1",
    ]
    mapping = "src=von,dst=an,amount=Betrag (€),at=wann,id=Beleg+Nr"
    result = loading(store, "transfers", put("in.csv", "\n".join(lines)), map=(mapping,))
    said = [(entry["row"], entry["column"], entry["reason"]) for entry in refused(result)]
    assert sorted(said) == [
        (2, "an", "'an' is empty"),
        (3, "Betrag (€)", "'Betrag (€)' is not a number"),
        (4, "wann", "'wann' is not a time (ISO 8601 or a Unix time)"),
        (5, "Beleg+Nr", "'Beleg+Nr' holds a control character"),
        (6, "Beleg+Nr", "'Beleg+Nr': another row of this load has this id, other content"),
    ]
    assert result.reasons == dict.fromkeys((reason for _, _, reason in said), 1)


def test_the_quarantine_file_is_for_its_owner_only(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    before = os.umask(0)
    try:
        result = loading(store, "transfers", put("in.csv", HEADER + b",,,,,\n"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(result.quarantine_file).st_mode) == 0o600  # noqa: PTH116
    assert set(refused(result)[0]) == {"file", "row", "column", "value", "reason"}


def test_without_refused_rows_there_is_no_quarantine_file(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    result = loading(store, "transfers", put("in.csv", HEADER + GOOD_1))
    assert result.quarantine_file is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (math.nan, "is not a finite number"),
        (math.inf, "is not a finite number"),
        (-math.inf, "is not a finite number"),
        (-2.0, "is negative"),
        (1e20, "does not fit"),
        (1e-19, "does not fit"),
        (None, "is empty"),
    ],
)
def test_a_bad_number_in_parquet(
    store: Store,
    tmp_path: object,
    put: Callable[..., str],
    loading: Any,
    bad: float | None,
    reason: str,
) -> None:
    path = put("in.parquet", b"")
    pl.DataFrame({"account": ["a", "b", "c"], "amount": [0.1, bad, 3.0]}).write_parquet(path)
    result = loading(store, "purchases", path)
    assert {row[3] for row in facts(store, "purchases")} == {Decimal("0.1"), Decimal("3")}
    (entry,) = refused(result)
    assert (entry["row"], entry["column"]) == (2, "amount")
    assert reason in entry["reason"]


def test_bytes_in_parquet_that_are_no_text(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    path = put("in.parquet", b"")
    frame = pl.DataFrame({"referrer": [b"a", b"\xff", b"b"], "referred": [b"b", b"b", b"c"]})
    frame.write_parquet(path)
    result = loading(store, "referrals", path)
    assert {row[2:4] for row in facts(store, "referrals")} == {("a", "b"), ("b", "c")}
    assert [entry["reason"] for entry in refused(result)] == ["'referrer' is not UTF-8"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nonsense", "the line is not a JSON object"),
        ('["a", "b"]', "the line is not a JSON object"),
        ('{"src": "a", "dst": "b", "amount": 01}', "the line is not a JSON object"),
        ('{"src": "a", "dst": "b", "amount": 1', "the line is not a JSON object"),
        ('{"src": "a", "dst": "\\ud800", "amount": 1}', "the line is not a JSON object"),
        ('{"src": "a", "amount": 1}', "'dst' is empty"),
        ('{"src": "a", "dst": "b", "amount": null}', "'amount' is empty"),
        ('{"src": "a", "dst": "b", "amount": [1]}', "'amount' is not a number"),
        ('{"src": "a\\u0000", "dst": "b", "amount": 1}', "'src' is not UTF-8"),
    ],
)
def test_a_bad_json_line(
    store: Store,
    put: Callable[..., str],
    loading: Any,
    line: str,
    reason: str,
) -> None:
    good = '{"src": "a", "dst": "b", "amount": 1}'
    path = put("in.jsonl", f"{good}\n\n{line}\n{good.replace('1', '2')}\n")
    result = loading(store, "transfers", path)
    assert (result.counts.loaded, result.counts.quarantined) == (2, 1)
    (entry,) = refused(result)
    assert entry["row"] == 2
    assert entry["reason"] == reason


def test_words_that_are_not_on_the_list(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    path = put("in.csv", "a,b,verdict\nx,y,same_owner\nx,z,friends\ny,y,Unrelated\n")
    result = loading(store, "links", path)
    assert {row[2:5] for row in facts(store, "links")} == {
        ("x", "y", "same_owner"),
        ("y", "y", "unrelated"),
    }
    assert refused(result)[0]["reason"] == "'verdict' is none of same_owner, unrelated"
    path = put("roles.csv", "account,role\nx,issuer\ny,king\nz,\n")
    result = loading(store, "accounts", path)
    assert {(row[2], row[4]) for row in facts(store, "accounts")} == {("x", "issuer"), ("z", None)}
    assert refused(result)[0]["value"] == "king"


def test_row_numbers_stay_right_between_refused_rows(
    store: Store,
    put: Callable[..., str],
    loading: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loaders.csv_files._BLOCK_BYTES", 60)
    lines, bad = [], []
    for row in range(1, 200):
        if row % 7 == 0:
            bad.append(row)
            lines.append("ragged")
        elif row % 11 == 0:
            bad.append(row)
            lines.append(f'"a\n{row}",b,x')
        else:
            lines.append(f'a,"b",{row}\n' if row % 5 == 0 else f"a,b,{row}")
    result = loading(store, "transfers", put("in.csv", "src,dst,amount\n" + "\n".join(lines)))
    assert [entry["row"] for entry in refused(result)] == bad
    assert {int(row[4]) for row in facts(store, "transfers")} == set(range(1, 200)) - set(bad)
