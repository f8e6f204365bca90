"""Hand-made facts for families, and towns: small populations loaded into real stores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from detectors.contacts import Contacts
from detectors.engine.detect import detect
from detectors.engine.evidence import Evidence, FamilyPairs, _fuse, _millibits
from detectors.engine.request import Request
from detectors.engine.result import Result
from detectors.family import Facts, detectors
from detectors.meetings import Meetings
from graph.schema import KINDS
from graph.store import Store, init_store
from inconcert.simulate import World
from loaders.files import inputs
from loaders.kinds import sources
from loaders.load import load
from loaders.plan import Options

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
FIVE_PERCENT = Fraction(5, 100)
KINDS_OF_WORLDS = ("accounts", "transfers", "referrals", "sightings", "purchases", "holdings")
RING = [f"r{number}" for number in range(10)]


def lazy(kind: str, rows: Iterable[dict[str, Any]]) -> Any:
    """Facts of a kind as families get them; accounts by number, absent columns null."""
    stored = KINDS[kind].stored
    types = {**stored, **dict.fromkeys(KINDS[kind].accounts, pl.Int32())}
    listed = [
        {"uid": f"{kind}{place}", "revision": 1, "batch": 1, **row}
        for place, row in enumerate(rows)
    ]
    columns = {name: [row.get(name) for row in listed] for name in stored}
    frame = pl.DataFrame({name: pl.Series(columns[name]) for name in stored}).select(
        pl.col(name).cast(of) for name, of in types.items()
    )
    return nw.from_native(frame.lazy())


def facts_of(
    accounts: int,
    transfers: Iterable[tuple[int, int, Any]] = (),
    sightings: Iterable[tuple[int, str, str]] = (),
    links: Iterable[tuple[int, int, str]] = (),
    tiers: Sequence[int] | None = None,
) -> Facts:
    """Facts as a snapshot would give them, lazy frames of Polars under Narwhals."""
    moved = lazy("transfers", ({"src": a, "dst": b, "amount": x} for a, b, x in transfers))
    return Facts(
        accounts=accounts,
        transfers=moved,
        all_transfers=moved,
        referrals=lazy("referrals", ()),
        sightings=lazy(
            "sightings",
            ({"account": a, "identifier_kind": k, "digest": d} for a, k, d in sightings),
        ),
        purchases=lazy("purchases", ()),
        links=lazy("links", ({"a": a, "b": b, "verdict": v} for a, b, v in links)),
        tiers=np.array(tiers if tiers is not None else [0] * accounts, np.int32),
        contacts=Contacts.of(moved, accounts),
        holdings=np.zeros(accounts),
    )


def dated_facts(
    accounts: int,
    transfers: Iterable[tuple[int, int, Any, float | None]],
    institutions: Sequence[int] = (),
) -> Facts:
    """Facts of transfers (src, dst, amount, day after BEGIN or None); institutions are left
    out of the private ones."""
    rows = [
        {
            "uid": f"t{place}",
            "src": a,
            "dst": b,
            "amount": x,
            "at": None if day is None else BEGIN + timedelta(days=day),
        }
        for place, (a, b, x, day) in enumerate(transfers)
    ]
    public = set(institutions)
    private = lazy("transfers", (row for row in rows if not {row["src"], row["dst"]} & public))
    everything = lazy("transfers", rows)
    return replace(
        facts_of(accounts),
        transfers=private,
        all_transfers=everything,
        contacts=Contacts.of(private, accounts, everything),
        institutions=np.isin(np.arange(accounts), list(public)),
    )


def met(facts: Facts) -> Facts:
    """Facts with the meetings that their transfers and purchases make."""
    institutions = facts.institutions
    if not len(institutions):
        institutions = np.zeros(facts.accounts, np.bool_)
    meetings = Meetings.of(
        facts.all_transfers,
        facts.purchases,
        facts.exonerated.payments,
        institutions,
        facts.tiers,
    )
    return replace(facts, meetings=meetings)


def pairs_of(family: Any, facts: Facts) -> dict[tuple[int, int], int]:
    """A family's pairs and their strengths, each pair once."""
    lazily = family.pairs(facts)
    assert isinstance(nw.to_native(lazily), pl.LazyFrame)
    frame = pl.DataFrame(lazily.collect().to_native())
    assert frame.schema["strength"] == pl.Int32
    rows = frame.select("a", "b", "strength").rows()
    found = {(a, b): strength for a, b, strength in rows}
    assert len(found) == len(rows)
    assert all(a < b for a, b in found)
    return found


def bits_of(family: Any, facts: Facts) -> dict[tuple[int, int], int]:
    """The same pairs with the millibits that the engine gives them."""
    strengths = pairs_of(family, facts)
    values = np.array(list(strengths.values()), np.int32)
    weights = _millibits(family, values, facts.accounts)
    return dict(zip(strengths, weights.tolist(), strict=True))


def evidence_of(facts: Facts, unrelated: Iterable[tuple[int, int]] = ()) -> Evidence:
    """Evidence of all families on hand-made facts, as `gather` makes it of a snapshot's."""
    facts = met(facts)
    weighed = []
    for family in detectors().values():
        bits = bits_of(family, facts)
        a = np.array([pair[0] for pair in bits], np.int32)
        b = np.array([pair[1] for pair in bits], np.int32)
        weighed.append(FamilyPairs(family, a, b, np.array(list(bits.values()), np.int32)))
    a, b, millibits = _fuse(weighed, facts.accounts)
    layers = [
        (one.family, layer)
        for one in weighed
        for layer in one.family.layers(facts, one.a, one.b, one.millibits)
    ]
    nowhere: Any = None  # only judging is tested here, and it never looks at the snapshot
    return Evidence(nowhere, facts, weighed, a, b, millibits, layers, frozenset(unrelated))


@dataclass
class Town:
    """Facts of a small population as rows of files, by kind."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, kind: str, **row: Any) -> None:
        """One row of a kind."""
        self.rows.setdefault(kind, []).append(row)

    def pay(self, src: str, dst: str, amount: Any = 50, day: float = 0.0) -> None:
        """A transfer on a day."""
        at = BEGIN + timedelta(days=day)
        self.add("transfers", src=src, dst=dst, amount=str(amount), at=at)

    def see(self, account: str, value: str, kind: str = "device") -> None:
        """A sighting."""
        self.add("sightings", account=account, identifier_kind=kind, value=value)

    def hold(self, accounts: Iterable[str], amount: Any) -> None:
        """The same holding for each account."""
        for account in accounts:
            self.add("holdings", account=account, amount=str(amount), at=BEGIN)

    def link(self, a: str, b: str, verdict: str = "same_owner", **more: Any) -> None:
        """A declared link."""
        self.add("links", a=a, b=b, verdict=verdict, **more)

    def frames(self) -> dict[str, pl.DataFrame]:
        """The rows of each kind as a frame."""
        return {kind: pl.DataFrame(rows, strict=False) for kind, rows in self.rows.items()}


def crowd(town: Town, count: int = 500, deals: int = 3000, holding: Any = 100) -> list[str]:
    """Strangers who deal at random over 30 days, each with a device of its own."""
    draw = np.random.default_rng(7)
    people = [f"c{number:04}" for number in range(count)]
    ends = draw.integers(0, count, (deals, 2))
    for place, (one, other) in enumerate(ends.tolist()):
        if one != other:
            town.pay(people[one], people[other], 1 + place % 90, 30 * place / deals)
    for person in people:
        town.see(person, f"own-{person}")
    town.hold(people, holding)
    return people


def act_as_one(town: Town, members: Sequence[str], rounds: int = 8) -> None:
    """Members pass points round, each to the next two, and share devices by five in a chain."""
    for day in range(rounds):
        for place, member in enumerate(members):
            for step in (1, 2):
                town.pay(member, members[(place + step) % len(members)], 50, 3 * day + place / 50)
    for place, member in enumerate(members):
        town.see(member, f"shared-{place // 5}")
        if place % 5 == 4:
            town.see(member, f"shared-{place // 5 + 1}")


def load_frames(
    store: Store, folder: Path, frames: dict[str, pl.DataFrame], kinds: Iterable[str] | None = None
) -> list[int]:
    """Load frames by the loaders, as files; returns the batches."""
    batches = []
    for kind in kinds or frames:
        path = folder / f"{kind}-{len(list(folder.glob('*.parquet')))}.parquet"
        frames[kind].write_parquet(path)
        with inputs([str(path)], None) as readers:
            done = load(store, sources()[kind], readers, Options())
        assert done.counts.loaded == done.counts.read == len(frames[kind])
        assert done.batch is not None
        batches.append(done.batch)
    return batches


def settle(town: Town, folder: Path, **properties: Any) -> Store:
    """A new store with a town in it."""
    folder.mkdir(parents=True, exist_ok=True)
    store = init_store(str(folder / "store"), **properties)
    load_frames(store, folder, town.frames())
    return store


def ask(store: Store, *names: str, lines: Sequence[Any] = (FIVE_PERCENT,), **more: Any) -> Result:
    """The result of a detection by the named families (none: all), few permutations."""
    chosen = [family for name, family in detectors().items() if not names or name in names]
    exact = sorted({Fraction(str(line)) for line in lines}, reverse=True)
    more.setdefault("permutations", 19)
    return detect(store, Request(chosen, None, exact, **more)).result


def members(group: dict[str, Any]) -> set[str]:
    """Who is in a group."""
    return {member["account"] for member in group["members"]}


def accused(result: Result, *accounts: str) -> list[dict[str, Any]]:
    """Groups of more than an indication that hold any of the accounts (none named: all)."""
    wanted = set(accounts)
    return [
        group
        for group in result["groups"]
        if group["grade"] != "indication" and (not wanted or members(group) & wanted)
    ]


def world_frames(world: World) -> dict[str, pl.DataFrame]:
    """The files of a simulated world."""
    others = {kind: getattr(world, kind) for kind in KINDS_OF_WORLDS if kind != "transfers"}
    return {"transfers": pl.concat(world.pieces()), **others}


def all_pairs(accounts: Sequence[int]) -> list[tuple[int, int]]:
    """Every pair, the smaller first."""
    return [(min(pair), max(pair)) for pair in combinations(accounts, 2)]
