"""Identifiers, and in a masked store account ids, are nowhere on disk in plain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from load_helpers import facts, refused

from graph.digest import digest, mask
from graph.store import Store

SECRETS = (b"SECRET", b"S3CR3T")


def plain_on_disk(store: Store) -> list[Path]:
    files = [path for path in Path(store.url).rglob("*") if path.is_file()]
    assert len(files) > 3
    return [path for path in files if any(secret in path.read_bytes() for secret in SECRETS)]


def test_identifiers_are_stored_as_digests_only(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    text = (
        "account,identifier_kind,value,id\n"
        "a,device,SECRET-1,\n"
        "a,ip,S3CR3T.1,\n"  # no ip
        "b,device,SECRET-1,SECRET-1,ragged\n"
        'b,device,"SECRET\x01",\n'
    )
    result = loading(store, "sightings", put("in.csv", text), map=("id=value",))
    assert (result.counts.loaded, result.counts.quarantined) == (1, 3)
    assert plain_on_disk(store) == []
    assert {entry["reason"] for entry in refused(result)} == {
        "'value' is not an IP address",
        "the row has 5 cells, not 4",
        "'value' holds a control character",
    }
    for entry in refused(result):
        assert entry["value"].startswith("digest:")
        assert " length:" in entry["value"]
    (row,) = facts(store, "sightings")
    assert row[4] == digest("device\x1f1\x1fSECRET-1", store.key, "identifier")


def test_a_masked_store_never_sees_an_account_id(
    new_store: Callable[..., Store], put: Callable[..., str], loading: Any
) -> None:
    store = new_store(masked=True)
    text = (
        "src,dst,amount,note\n"
        "SECRET-a, SECRET-b ,1,x\n"
        "SECRET-a,SECRET-b\x01,1,x\n"
        "SECRET-a,SECRET-b,much,x\n"
        "SECRET-a,SECRET-b\n"
    )
    path = put("in.csv", text)
    result = loading(store, "transfers", path)
    assert (result.counts.loaded, result.counts.quarantined) == (1, 3)
    conflicting = put("ids.csv", "src,dst,n\nSECRET-a,SECRET-b,1\nSECRET-a,SECRET-c,1\n")
    named = loading(store, "transfers", conflicting, map=("id=src+n",))
    assert named.counts.conflicts == 1
    assert refused(named)[0]["value"].startswith("digest:")
    assert plain_on_disk(store) == []
    assert facts(store, "transfers")[0][2:4] == tuple(
        mask(account, store.key) for account in ("SECRET-a", "SECRET-b")
    )
    assert loading(store, "transfers", path).counts.known == 1
    assert [entry["value"] for entry in refused(result) if entry["column"] == "amount"] == ["much"]


@pytest.mark.parametrize(
    ("kind", "same"),
    [
        ("device", ["AA:BB:CC:00:11:22", "aa-bb-cc-00-11-22", "aabb.cc00.1122"]),
        ("Device", ["iPhone 7 ", "iPhone 7"]),
        ("mac", ["AABB.CC00.1122", "aa:bb:cc:00:11:22"]),
        ("ip", ["10.0.0.1", "010.000.0.1", "::ffff:10.0.0.1", "::FFFF:A00:1"]),
        ("ip", ["2001:db8::1", "2001:0DB8:0:0::1", "2001:db8:0:0:0:0:0:1%eth0"]),
        ("phone", ["+49 30 1234567", "0049-30/1234567", "+49 (30) 123.45.67"]),
        ("card", ["1234 5678 9012 3456", "1234-5678-9012-3456"]),
        ("email", ["Anna@Example.org", " anna@example.ORG "]),
        ("address", ["1 High Street,  Leeds", "1 high street leeds"]),
        ("badge", ["caf\u00e9", "cafe\u0301 "]),
    ],
)
def test_spellings_of_one_identifier(
    store: Store,
    put: Callable[..., str],
    loading: Any,
    kind: str,
    same: list[str],
) -> None:
    rows = "".join(f'a,"{value}"\n' for value in same)
    loading(
        store,
        "sightings",
        put("in.csv", f"account,value\n{rows}"),
        map=(f"identifier_kind=={kind}",),
    )
    found = facts(store, "sightings")
    assert len(found) == len(same)
    assert len({row[4] for row in found}) == 1
    assert {row[3] for row in found} == {kind.lower()}


def test_equal_values_of_different_kinds_are_different(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    path = put(
        "in.csv",
        "account,identifier_kind,value\na,card,123456\na,phone,123456\na,device,x\na,device,X\n",
    )
    loading(store, "sightings", path)
    assert len({row[4] for row in facts(store, "sightings")}) == 4


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ip", "300.1.1.1"),
        ("ip", "1.2.3"),
        ("ip", "::zz"),
        ("phone", "n/a"),
        ("mac", "zz"),
        ("card", "--"),
    ],
)
def test_what_cannot_be_such_an_identifier(
    store: Store, put: Callable[..., str], loading: Any, kind: str, value: str
) -> None:
    path = put("in.csv", f"account,identifier_kind,value\na,{kind},{value}\nb,device,x\n")
    counts = loading(store, "sightings", path).counts
    assert (counts.loaded, counts.quarantined) == (1, 1)
