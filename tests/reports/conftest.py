"""A small real store with one run, and a result made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from detectors.engine.detect import detect
from detectors.engine.record import save
from detectors.engine.request import Request
from detectors.family import detectors
from graph.digest import digests
from graph.schema import KINDS
from graph.store import Counts, RunRecord, Store, init_store

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 20
GROUP = [f"g{number:02}" for number in range(12)]
CROWD = [f"c{number:03}" for number in range(400)]


def load(store: Store, kind: str, rows: pl.DataFrame) -> None:
    """Load rows whose accounts are text; absent columns are null."""
    columns = KINDS[kind].columns
    with store.loading(kind, "test") as batch:
        for column in KINDS[kind].accounts:
            rows = rows.with_columns(batch.number(rows[column]).alias(column))
        absent = {
            name: pl.lit(None, of) for name, of in columns.items() if name not in rows.columns
        }
        frame = rows.with_columns(**absent).with_columns(
            pl.col(name).cast(of) for name, of in columns.items()
        )
        numbered = frame.with_row_index("row").select(
            pl.format(kind + "{}", "row").alias("uid"),
            pl.lit(1, pl.Int32).alias("revision"),
            *columns,
        )
        batch.append(kind, numbered)
        batch.commit(Counts(read=len(rows), loaded=len(rows)))


def transfers() -> pl.DataFrame:
    """A crowd that deals at random; a group that passes points round and shares devices."""
    draw = np.random.default_rng(5)
    ring = [(GROUP[i], GROUP[(i + step) % len(GROUP)]) for i in range(12) for step in (1, 2)]
    rows: list[tuple[str, str, float, datetime]] = []
    for day in range(DAYS):
        at = BEGIN + timedelta(days=day)
        rows += [(src, dst, 50.0, at) for src, dst in ring]
        for _ in range(60):
            one, other = draw.choice(len(CROWD), 2, replace=False)
            rows.append((CROWD[one], CROWD[other], float(draw.integers(1, 90)), at))
        rows.append((GROUP[0], CROWD[0], 7.0, at))
        rows.append((CROWD[1], GROUP[1], 5.0, at))
        rows.append((GROUP[2], "shop", 3.0, at))
    return pl.DataFrame(rows, schema=["src", "dst", "amount", "at"], orient="row")


def sightings(key: str) -> pl.DataFrame:
    """Four devices of three members each; every account of the crowd has one of its own; all
    were in one public network."""
    own = [(account, "device", f"d-{account}") for account in CROWD]
    shared = [(account, "device", f"d{place // 3}") for place, account in enumerate(GROUP)]
    public = [(account, "ip", "airport") for account in GROUP + CROWD]
    rows = pl.DataFrame(
        own + shared + public, schema=["account", "identifier_kind", "value"], orient="row"
    )
    return rows.with_columns(digest=digests(rows["value"], key, "identifier")).drop("value")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Twelve accounts hold 0.6 % each and act as one among 400 others. No run is saved."""
    store = init_store(str(tmp_path_factory.mktemp("reports") / "store"))
    load(store, "transfers", transfers())
    load(store, "sightings", sightings(store.key))
    load(
        store,
        "referrals",
        pl.DataFrame({"referrer": [GROUP[0], GROUP[0]], "referred": [GROUP[3], CROWD[9]]}),
    )
    load(
        store, "links", pl.DataFrame({"a": [GROUP[0]], "b": [GROUP[5]], "verdict": ["same_owner"]})
    )
    load(store, "accounts", pl.DataFrame({"account": ["shop"], "role": ["merchant"]}))
    held = [600] * len(GROUP) + [232] * len(CROWD)
    load(store, "holdings", pl.DataFrame({"account": GROUP + CROWD, "amount": held, "at": BEGIN}))
    return store


@pytest.fixture(scope="session")
def run(store: Store) -> RunRecord:
    """A real detection on the store, at 5 %."""
    request = Request(list(detectors().values()), None, [Fraction(5, 100)])
    return save(store, detect(store, request))


def member(account: str, share: float, without: float, *reasons: str) -> dict[str, Any]:
    return {
        "account": account,
        "share": share,
        "share_without": without,
        "holdings": str(round(share * 1_000_000)),
        "bits": 12.25,
        "named": True,
        "reasons": list(reasons),
    }


def group(members: Sequence[dict[str, Any]], **other: Any) -> dict[str, Any]:
    """A group of the contract's schema; its sums are right."""
    share = sum(one["share"] for one in members)
    return {
        "id": "abc123def456",
        "line": 0.05,
        "parent": None,
        "share": share,
        "holdings": str(round(share * 1_000_000)),
        "strength_bits": 103.117,
        "evidence_bits": 150.25,
        "cost_bits": 47.133,
        "p_value": 0.01,
        "grade": "corroborated",
        "detectors": ["flow", "identifier"],
        "reasons": [
            {
                "family": "flow",
                "source": "transfers",
                "bits": 100.125,
                "text": "they deal with each other",
                "facts": [],
            },
            {
                "family": "identifier",
                "source": "identifiers",
                "bits": 50.125,
                "text": "they share a device",
                "facts": [],
            },
        ],
        "doubts": [],
        "members": list(members),
        **other,
    }


def result_of(*groups: dict[str, Any], **other: Any) -> dict[str, Any]:
    """A result of the contract's schema."""
    return {
        "schema": 1,
        "run": {"id": "r1", "as_of": "2026-03-20T00:00:00Z", "known_at": 5, "seed": 0},
        "supply": "1000000",
        "base_rule": "stated",
        "excluded": [],
        "accounts": 20_000,
        "pairs": 10,
        "lines": [0.05],
        "message": None,
        "groups": list(groups),
        **other,
    }


@pytest.fixture
def make_member() -> Any:
    return member


@pytest.fixture
def make_group() -> Any:
    return group


@pytest.fixture
def make_result() -> Any:
    return result_of


@pytest.fixture
def trio() -> dict[str, Any]:
    """Three accounts that hold 6 % together."""
    return group(
        [
            member("ann", 0.03, 0.03, "ann sends to bob", "ann and bob share a device"),
            member("bob", 0.02, 0.04, "bob sends to ann"),
            member("cyd", 0.01, 0.05),
        ]
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "plots"
