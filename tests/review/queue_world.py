"""A small world with a filled queue, without a detection: a whale (6 %, frozen at once), a
large holder (4.2 %, a letter), a group of twelve (6 %) and one of ten (4.5 %, letters)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from graph.keys import as_stored
from graph.schema import KINDS
from graph.store import Counts, RunRecord, Store, init_store
from review.intake import fill
from review.people import Person

SUPPLY = 100_000
NOW = "2026-06-01T12:00:00Z"
TWELVE = {f"t{number:02}": 500 for number in range(12)}
TEN = {f"u{number:02}": 450 for number in range(10)}
LARGE = {"whale": 6_000, "large": 4_200}
CROWD = 150

SETTINGS = """
[review.roles]
investigator = ["ann", "bob", "t03"]
senior = ["sue"]
auditor = ["aud"]
operator = ["opa"]
"""
"""What an `inconcert.toml` says about who may do what. The user t03 is an account of TWELVE."""


def person(user: str, *roles: Any) -> Person:
    return Person(user, user, roles or ("investigator", "senior"), ())


def filled(place: Path | str, masked: bool = False) -> Store:
    """A new store with a filled queue."""
    store = init_store(str(place), masked=masked)
    held = {**TWELVE, **TEN, **LARGE}
    rest = SUPPLY - sum(held.values())
    crowd = {f"c{number:03}": rest // CROWD for number in range(CROWD)}
    crowd["c000"] += rest % CROWD
    kept = _kept(store, {**held, **crowd})
    hold(store, kept)
    take(store, "r1", _kept(store, TWELVE), _kept(store, TEN))
    return store


def take(store: Store, run: str, *groups: Mapping[str, int], who: str = "ann") -> None:
    """Take a run with these groups into the queue."""
    found = RunRecord(run, datetime(2026, 6, 1, tzinfo=UTC), result(store, run, *groups))
    store.save_run(found)
    fill(store, person(who), found)


def _kept(store: Store, held: Mapping[str, int]) -> dict[str, int]:
    key = store.key if store.properties.masked else None
    return dict(zip(as_stored(held, key), held.values(), strict=True))


def hold(store: Store, held: Mapping[str, int]) -> None:
    columns = KINDS["holdings"].columns
    with store.loading("holdings", "test") as batch:
        frame = pl.DataFrame({"account": list(held), "amount": list(held.values())})
        numbered = frame.with_columns(batch.number(frame["account"]).alias("account"))
        absent = {n: pl.lit(None, of) for n, of in columns.items() if n not in frame.columns}
        full = numbered.with_columns(**absent).with_columns(
            at=pl.lit(datetime(2026, 1, 1, tzinfo=UTC))
        )
        rows = full.select(
            pl.format("h{}", pl.int_range(pl.len())).alias("uid"),
            pl.lit(1, pl.Int32).alias("revision"),
            *(pl.col(name).cast(of) for name, of in columns.items()),
        )
        batch.append("holdings", rows)
        batch.commit(Counts(read=len(rows), loaded=len(rows)))


def result(store: Store, run: str, *groups: Mapping[str, int]) -> dict[str, Any]:
    return {
        "schema": 1,
        "run": {
            "id": run,
            "as_of": "2026-05-31T00:00:00Z",
            "known_at": 0,
            "settings": {},
            "seed": 0,
        },
        "result_sha256": f"sha of {run}",
        "supply": str(SUPPLY),
        "base_rule": "stated",
        "excluded": [],
        "accounts": 174,
        "lines": [0.05],
        "message": None,
        "groups": [group(f"{place}{run}" + "0" * 10, held) for place, held in enumerate(groups)],
    }


def group(name: str, held: Mapping[str, int]) -> dict[str, Any]:
    whole = sum(held.values())
    return {
        "id": name,
        "line": 0.05,
        "parent": None,
        "share": whole / SUPPLY,
        "holdings": str(whole),
        "strength_bits": 100.0,
        "evidence_bits": 150.0,
        "cost_bits": 50.0,
        "p_value": 0.01,
        "grade": "corroborated",
        "detectors": ["flow", "identifier"],
        "because": "They pass points round.",
        "against": "Nothing.",
        "reasons": [],
        "doubts": [],
        "members": [
            {
                "account": account,
                "share": amount / SUPPLY,
                "share_without": (whole - amount) / SUPPLY,
                "holdings": str(amount),
                "bits": 12.0,
                "named": True,
                "reasons": [],
            }
            for account, amount in held.items()
        ],
    }


def case_of(store: Store, account: str) -> str:
    """The case with a member."""
    found = store.log.views("members")
    return next(
        key for key, one in found.items() if account in {m["account"] for m in one["members"]}
    )
