"""A queue of findings made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from graph.schema import KINDS
from graph.store import Counts, RunRecord, Store
from review.people import Person
from review.settings import ReviewSettings

AS_OF = "2026-06-30T00:00:00Z"
SUPPLY = 100_000
"""What all accounts hold together: a share of 1 % is 1,000."""

CROWD = 200

Held = Mapping[str, int]


def person(user: str, *accounts: str, settings: ReviewSettings | None = None) -> Person:
    """Somebody at the queue, by settings or as everybody is."""
    settings = settings or ReviewSettings()
    return Person(user, user, settings.roles_of(user), accounts)


ANN, BOB, EVE = person("ann"), person("bob"), person("eve")


def hold(store: Store, held: Held) -> None:
    """State the holdings of some accounts; a crowd holds what is left of SUPPLY."""
    rest = SUPPLY - sum(held.values())
    crowd = [f"r{one:03}" for one in range(CROWD)]
    rows = {**held, **dict.fromkeys(crowd, rest // CROWD)}
    rows[crowd[0]] += rest - CROWD * (rest // CROWD)
    frame = pl.DataFrame({"account": list(rows), "amount": list(rows.values())})
    columns = KINDS["holdings"].columns
    with store.loading("holdings", "test") as batch:
        numbers = batch.number(frame["account"])
        absent = {n: pl.lit(None, of) for n, of in columns.items() if n not in frame.columns}
        full = frame.with_columns(numbers.alias("account"), **absent).with_columns(
            at=pl.lit(datetime(2026, 1, 1, tzinfo=UTC))
        )
        uid = pl.format("h{}-{}", pl.lit(batch.batch), pl.int_range(pl.len()))
        batch.append(
            "holdings",
            full.select(
                uid.alias("uid"),
                pl.lit(1, pl.Int32).alias("revision"),
                *(pl.col(name).cast(of) for name, of in columns.items()),
            ),
        )
        batch.commit(Counts(read=len(frame), loaded=len(frame)))


def load_roles(store: Store, roles: Mapping[str, str]) -> None:
    """Say what some accounts are."""
    columns = KINDS["accounts"].columns
    frame = pl.DataFrame({"account": list(roles), "role": list(roles.values())})
    with store.loading("accounts", "test") as batch:
        numbers = batch.number(frame["account"])
        absent = {n: pl.lit(None, of) for n, of in columns.items() if n not in frame.columns}
        full = frame.with_columns(numbers.alias("account"), **absent)
        batch.append(
            "accounts",
            full.select(
                pl.format("r{}", pl.int_range(pl.len())).alias("uid"),
                pl.lit(1, pl.Int32).alias("revision"),
                *(pl.col(name).cast(of) for name, of in columns.items()),
            ),
        )
        batch.commit(Counts(read=len(frame), loaded=len(frame)))


def group(name: str, held: Held, **other: Any) -> dict[str, Any]:
    """A group of a run's result that holds so much."""
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
        "because": "They act as one.",
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
        **other,
    }


def run_of(name: str, *groups: dict[str, Any], as_of: str = AS_OF) -> RunRecord:
    """A saved detection with these groups."""
    result = {
        "schema": 1,
        "run": {"id": name, "as_of": as_of, "known_at": 0, "settings": {}, "seed": 0},
        "result_sha256": f"sha-{name}",
        "supply": str(SUPPLY),
        "base_rule": "stated",
        "excluded": [],
        "accounts": 100,
        "lines": [0.05],
        "message": None,
        "groups": list(groups),
    }
    return RunRecord(name, datetime(2026, 7, 1, tzinfo=UTC), result)


def members(*spans: tuple[int, int], each: int = 500) -> dict[str, int]:
    """Accounts a00, a01, … by spans of their numbers, each with a holding (500: 0.5 %)."""
    return {f"a{one:02}": each for begin, end in spans for one in range(begin, end)}


def cases(store: Store) -> dict[str, dict[str, Any]]:
    return store.log.views("case")


def the_case(store: Store) -> dict[str, Any]:
    """The only case there is."""
    [case] = cases(store).values()
    return case


def orders(store: Store) -> Sequence[tuple[str, str]]:
    """Each order's action and account."""
    return sorted((one["action"], one["account"]) for one in store.log.views("order").values())
