"""Histories to archive, and what a store says that archiving must not change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from graph.by_day import by_day
from graph.schema import KINDS
from graph.snapshot import holdings_as_of
from graph.store import Batch, Counts, Store

FEB = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
LATE = datetime(2026, 6, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    """A time of 2026: "01-05" or "01-05T12:00"."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def add(
    store: Store, kind: str, rows: Sequence[dict[str, Any]], *, complete: Sequence[datetime] = ()
) -> Batch:
    """Load rows: `uid`, accounts by id, and whatever else is not to be null."""
    stored = KINDS[kind]
    with store.loading(kind, "test") as load:
        blank: dict[str, Any] = dict.fromkeys(stored.stored)
        filled = []
        for row in rows:
            full = {**blank, "revision": 1, **row}
            ids = pl.Series([full[name] for name in stored.accounts], dtype=pl.String)
            full |= dict(zip(stored.accounts, load.number(ids).to_list(), strict=True))
            filled.append(full)
        frame = pl.DataFrame(filled, schema=stored.stored).drop("batch")
        load.append(kind, frame)
        return load.commit(Counts(read=len(rows), loaded=len(rows)), complete_at=complete)


def moved(
    uid: str, src: str, dst: str, amount: str, when: str | None, revision: int = 1
) -> dict[str, Any]:
    """A transfer."""
    return {
        "uid": uid,
        "src": src,
        "dst": dst,
        "amount": Decimal(amount),
        "at": at(when) if when else None,
        "revision": revision,
    }


def stated(uid: str, account: str, amount: str, when: str, revision: int = 1) -> dict[str, Any]:
    """A statement of holdings."""
    return {
        "uid": uid,
        "account": account,
        "amount": Decimal(amount),
        "at": at(when),
        "revision": revision,
    }


def make_year(store: Store) -> None:
    """Facts of January to March of every kind that goes, and of each that stays."""
    add(
        store,
        "transfers",
        [
            moved("t1", "ann", "bob", "10.5", "01-05"),
            moved("t2", "bob", "cyd", "3", "01-31T23:59:59.999999"),
            moved("t3", "ann", "cyd", "0.000000000000000001", "02-01"),
            moved("t4", "cyd", "ann", "1", "02-20"),
            moved("t5", "dan", "ann", "7", "03-02"),
            moved("t6", "dan", "dan", "7", "01-10"),
            moved("t7", "eve", "bob", "2", None),
        ],
    )
    add(
        store,
        "transfers",
        [
            moved("t1", "ann", "bob", "11", "01-06", 2),
            moved("t3", "ann", "cyd", "4", "03-05", 2),
            moved("t8", "fay", "ann", "5", "01-07"),
        ],
    )
    add(store, "purchases", [{"uid": "p1", "account": "ann", "at": at("01-09"), "receipt": "r1"}])
    add(
        store,
        "sightings",
        [
            {
                "uid": f"s{n}",
                "account": who,
                "identifier_kind": "device",
                "digest": "d" * 32,
                "at": at(when),
            }
            for n, (who, when) in enumerate([("ann", "01-09"), ("bob", "02-09"), ("cyd", "03-09")])
        ],
    )
    add(
        store, "referrals", [{"uid": "r1", "referrer": "ann", "referred": "bob", "at": at("02-03")}]
    )
    add(store, "holdings", [stated("h1", "ann", "100", "01-08"), stated("h2", "bob", "9", "02-02")])
    add(store, "links", [{"uid": "l1", "a": "ann", "b": "gus", "verdict": "same_owner"}])
    gone = add(store, "transfers", [moved("t9", "ann", "bob", "1000", "01-11")])
    store.withdraw(gone.batch)


def facts_of(store: Store, kind: str) -> list[Any]:
    """The visible facts of a kind, in a fixed order."""
    frame = store.facts(kind).collect()
    return sorted(frame.rows(), key=repr)


def held(store: Store, as_of: datetime) -> dict[str, Decimal]:
    """What each account holds, those with nothing left out."""
    taken = holdings_as_of(store, as_of)
    rows = taken.accounts.filter(pl.col("holdings") != 0).select("account", "holdings").rows()
    return {str(account): amount for account, amount in rows}


def by_days(store: Store, edge: datetime) -> dict[tuple[str, date], Any]:
    """What each account holds at the ends of days from a time on, in three time zones, and the
    base then."""
    found: dict[tuple[str, date], Any] = {}
    names = dict(store.accounts().select("ix", "account").collect().iter_rows())
    for zone in ("UTC", "Asia/Shanghai", "America/New_York"):
        told = by_day(store, ZoneInfo(zone))
        changes, base = told.changes(), told.base
        begin = edge.astimezone(ZoneInfo(zone)).date()
        for day in (begin + timedelta(days=number) for number in (0, 1, 9, 10, 19, 27, 28, 40, 70)):
            last = changes.filter(pl.col("day") <= day).group_by("ix").agg(pl.col("amount").last())
            amounts = {names[ix]: amount for ix, amount in last.iter_rows() if amount}
            bases = base.filter(pl.col("day") <= day)["amount"]
            found[zone, day] = amounts, bases[-1] if len(bases) else 0
    return found


def told(store: Store) -> dict[str, Any]:
    """All facts, rows and holdings that archiving and bringing back must leave as they were."""
    rows = {kind: sorted(store.every_row(kind).collect().rows(), key=repr) for kind in KINDS}
    facts = {kind: facts_of(store, kind) for kind in KINDS}
    holdings = {moment: held(store, moment) for moment in (FEB, MARCH, LATE)}
    return {"rows": rows, "facts": facts, "holdings": holdings, "counts": store.fact_counts()}
