"""A detection that takes over what was kept gives the result of one that does not."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from engine_helpers import BEGIN, FIVE_PERCENT, RING, Town, act_as_one, crowd, load_frames
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from long_form import examples

from detectors.engine.detect import detect
from detectors.engine.request import Request
from detectors.family import detectors
from detectors.kept import Kept
from detectors.kept.changes import Changes
from graph.store import Store, init_store, open_store
from inconcert.keeping import kept_in
from loaders.files import inputs
from loaders.kinds import sources
from loaders.load import load
from loaders.plan import Options

PEOPLE = 200
NEW = [f"{letter}new{number}" for letter in "aez" for number in range(6)]
"""New accounts before, among and after the others: all numbers move."""

STEPS = (
    "transfers",
    "late",
    "newcomers",
    "payroll",
    "sightings",
    "referrals",
    "purchases",
    "holdings",
    "roles",
    "links",
    "correct",
    "withdraw",
    "undo",
    "supply",
    "earlier",
    "compact",
)


def small_town() -> Town:
    """Strangers, a ring that acts as one, a shop that pays back, a payroll, referrals."""
    town = Town()
    people = crowd(town, PEOPLE, 900, holding=188)
    act_as_one(town, RING, rounds=5)
    town.hold(RING, 300)
    for week, person in itertools.product(range(3), people[:10]):
        town.pay("employer", person, 70, 7 * week + 1)
    for turn in range(6):
        town.pay(people[turn], "shop", 31 + turn, turn)
        town.pay("shop", people[turn + 20], 31 + turn, turn + 1)
    for place, person in enumerate(people[1:60]):
        at = BEGIN + timedelta(hours=place * (1 if place < 20 else 9))
        town.add("referrals", referrer=people[place // 3], referred=person, at=at)
    town.add("accounts", account="shop", role="merchant")
    return town


def with_ids(frame: pl.DataFrame, ids: itertools.count[int]) -> pl.DataFrame:
    """Transfers that can be corrected."""
    return frame.with_columns(
        id=pl.Series([f"t{number}" for number in itertools.islice(ids, len(frame))])
    )


@dataclass
class Stream:
    """A store to which facts come, step by step."""

    store: Store
    folder: Path
    draw: np.random.Generator
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1_000_000))
    sent: int = 0
    withdrawn: list[int] = field(default_factory=list)

    def put(self, kind: str, rows: list[dict[str, Any]], **options: Any) -> None:
        """Load some rows."""
        frame = pl.DataFrame(rows, strict=False)
        path = self.folder / f"{kind}-{next(self.ids)}.parquet"
        frame.write_parquet(path)
        with inputs([str(path)], None) as readers:
            load(self.store, sources()[kind], readers, Options(**options))

    def some(self, count: int, among: list[str] | None = None) -> list[str]:
        """Accounts by chance."""
        known = among or [f"c{number:04}" for number in range(PEOPLE)] + RING
        return [known[place] for place in self.draw.integers(0, len(known), count).tolist()]

    def moves(self, ends: list[tuple[str, str]], first: float, last: float) -> None:
        """Transfers between some, on days from the first to the last."""
        days = self.draw.uniform(first, last, len(ends)).tolist()
        amounts = self.draw.integers(1, 90, len(ends)).tolist()
        rows = [
            {
                "src": src,
                "dst": dst,
                "amount": str(amount),
                "at": BEGIN + timedelta(days=day),
                "id": f"t{next(self.ids)}",
            }
            for (src, dst), amount, day in zip(ends, amounts, days, strict=True)
            if src != dst
        ]
        if rows:
            self.put("transfers", rows)

    def step(self, what: str) -> None:
        """Have something happen."""
        n = int(self.draw.integers(1, 30))
        both = list(zip(self.some(n), self.some(n), strict=True))
        now = BEGIN + timedelta(days=31)
        one, other = self.some(1)[0], self.some(1, RING)[0]
        match what:
            case "transfers":
                self.moves(both, 30, 31)
            case "late":
                self.moves(both, -3, 20)
            case "newcomers":
                self.moves(list(zip(self.some(n), self.some(n, NEW), strict=True)), 0, 31)
            case "payroll":
                paid = self.some(12)
                self.moves([("boss", person) for _ in range(3) for person in paid], 8, 8.01)
                self.moves([("boss", person) for person in paid], 15, 15.01)
                self.moves([("boss", person) for person in paid], 22, 22.01)
            case "sightings":
                value = f"new-{n}"
                seen = {"identifier_kind": "device", "value": value}
                self.put("sightings", [{"account": who, **seen} for who in self.some(n)])
            case "referrals":
                rows = [{"referrer": one, "referred": who, "at": now} for who in self.some(n)]
                self.put("referrals", rows, distinct=True)
            case "purchases":
                rows = [{"account": who, "amount": "5", "at": now} for who in self.some(n)]
                self.put("purchases", rows, distinct=True)
            case "holdings":
                rows = [{"account": who, "amount": str(n), "at": now} for who in {*self.some(n)}]
                self.put("holdings", rows)
            case "roles":
                self.put("accounts", [{"account": one, "role": "exchange"}])
            case "links":
                verdict = "same_owner" if n % 2 else "unrelated"
                if one != other:
                    self.put("links", [{"a": one, "b": other, "verdict": verdict}])
            case "correct":
                rows = [
                    {"src": one, "dst": "c0001", "amount": str(n), "at": now, "id": f"t{number}"}
                    for number in self.draw.integers(0, 100, 3).tolist()
                ]
                rows = list({row["id"]: row for row in rows}.values())
                self.put("transfers", rows, correct=True)
            case "withdraw":
                loads = [b for b in self.store.batches() if b.action == "load" and not b.withdrawn]
                chosen = loads[int(self.draw.integers(len(loads)))]
                if chosen.kind != "holdings":
                    self.store.withdraw(chosen.batch)
                    self.withdrawn.append(chosen.batch)
            case "undo":
                if self.withdrawn:
                    self.store.reinstate(self.withdrawn.pop())
            case "supply":
                self.store.set_supply(Decimal(50_000 + n), BEGIN)
            case "compact":
                if "://" not in self.store.url:
                    self.store.compact()


def request(**more: Any) -> Request:
    return Request(list(detectors().values()), None, [FIVE_PERCENT], permutations=9, **more)


def compared(store: Store, folder: Path, **more: Any) -> None:
    """The result with what is kept is that without."""
    kept = Kept(folder, store.properties.key_fingerprint)
    with_it = detect(store, request(**more), kept=kept).result
    without = detect(store, request(**more)).result
    assert with_it["result_sha256"] == without["result_sha256"]
    assert with_it["groups"] == without["groups"]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder with a store in it, by the rule of its holdings; made once each."""
    made: dict[str, Path] = {}

    def base(rule: str) -> Path:
        if rule not in made:
            made[rule] = tmp_path_factory.mktemp(rule)
            fill(init_store(str(made[rule] / "store"), holdings_rule=rule), made[rule])
        return made[rule]

    return base


def fill(store: Store, folder: Path) -> None:
    frames = small_town().frames()
    frames["transfers"] = with_ids(frames["transfers"], itertools.count())
    load_frames(store, folder, frames)


def run_stream(stream: Stream, kept: Path, steps: list[str]) -> None:
    compared(stream.store, kept)
    for step in steps:
        stream.step(step)
        more = {"as_of": BEGIN + timedelta(days=17)} if step == "earlier" else {}
        compared(stream.store, kept, **more)


streams = {
    "seed": st.integers(0, 2**32),
    "steps": st.lists(st.sampled_from(STEPS), min_size=3, max_size=5),
    "rule": st.sampled_from(("stated", "rolled", "replayed")),
}
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def on_a_copy(base: Path, place: Path, seed: int, steps: list[str]) -> None:
    folder = place / f"stream-{len(list(place.iterdir()))}"
    shutil.copytree(base, folder)
    store = open_store(str(folder / "store"))
    run_stream(Stream(store, folder, np.random.default_rng(seed)), folder / "kept", steps)
    shutil.rmtree(folder)


@pytest.mark.timeout(900)
@settings(max_examples=2, suppress_health_check=SLOW)
@given(**streams)
def test_any_stream_of_facts_gives_the_result_of_a_detection_from_nothing(
    bases, tmp_path, seed, steps, rule
):
    on_a_copy(bases(rule), tmp_path, seed, steps)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=100, suppress_health_check=SLOW)
@given(**streams)
def test_many_streams(bases, tmp_path, seed, steps, rule):
    on_a_copy(bases(rule), tmp_path, seed, steps)


@pytest.mark.timeout(900)
def test_on_a_server_too(neo4j_url, tmp_path):
    store = init_store(neo4j_url, holdings_rule="rolled")
    fill(store, tmp_path)
    stream = Stream(store, tmp_path, np.random.default_rng(5))
    run_stream(stream, tmp_path / "kept", ["newcomers", "correct", "withdraw", "undo", "earlier"])


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_step_once(bases, tmp_path):
    """Each kind of change after the other, whatever the streams above happen to draw."""
    on_a_copy(bases("rolled"), tmp_path, 11, list(STEPS))


def damaged(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "cut off":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = bytearray()
    elif how == "a bit of the header":
        content[20] ^= 1
    elif how == "a bit of the arrays":
        content[-100] ^= 1
    elif how == "a bit of the digest":
        content[-1] ^= 1
    elif how == "something else":
        content = bytearray(os.urandom(len(content)))
    path.write_bytes(content)


DAMAGE = (
    "cut off",
    "empty",
    "a bit of the header",
    "a bit of the arrays",
    "a bit of the digest",
    "something else",
)


@pytest.fixture(scope="module")
def kept_town(bases, tmp_path_factory) -> tuple[Store, Path]:
    """A store, and what a detection of it kept."""
    folder = tmp_path_factory.mktemp("kept-town")
    shutil.copytree(bases("stated"), folder / "town")
    store = open_store(str(folder / "town" / "store"))
    compared(store, folder / "kept")
    return store, folder / "kept"


def test_what_is_damaged_is_worked_out_anew(kept_town, tmp_path):
    store, kept = kept_town
    entries = sorted(path.name for path in kept.glob("*.kept"))
    assert entries == ["accounts.kept", "kin.kept", "shared-values.kept"]
    whole = Kept(kept, store.properties.key_fingerprint)
    header = (kept / "accounts.kept").read_bytes().split(b"\n")[0]
    assert b'"key": ""' in header
    assert whole.read("accounts", "") is not None
    for how in DAMAGE:
        mine = tmp_path / how
        shutil.copytree(kept, mine)
        for entry in entries:
            damaged(mine / entry, how)
        assert Kept(mine, store.properties.key_fingerprint).read("accounts", "") is None
    compared(store, tmp_path / "a bit of the arrays")
    (tmp_path / "cut off" / "accounts.kept").write_bytes((kept / "accounts.kept").read_bytes())
    compared(store, tmp_path / "cut off")


def test_entries_of_another_time_do_not_mix(kept_town, bases, tmp_path):
    """Accounts of one detection and the rest of another, as a crash between them leaves it."""
    _, kept = kept_town
    mine, folder = tmp_path / "mine", tmp_path / "later"
    shutil.copytree(kept, mine)
    shutil.copytree(bases("stated"), folder)
    later = open_store(str(folder / "store"))
    Stream(later, folder, np.random.default_rng(3)).step("newcomers")
    compared(later, mine)
    for entry in ("accounts", "kin"):
        shutil.copy(kept / f"{entry}.kept", mine / f"{entry}.kept")
        compared(later, mine)


def test_another_store_and_other_settings(kept_town, bases, tmp_path):
    store, kept = kept_town
    mine = tmp_path / "kept"
    shutil.copytree(kept, mine)
    assert Kept(mine, "another").read("accounts", "") is None
    compared(store, mine, settings=replace_settings(margin_bits=60.0))
    compared(store, mine, seed=7)
    flow = replace(request(), families=[detectors()["flow"]], lines=[Fraction(1, 50)])
    of_store = Kept(mine, store.properties.key_fingerprint)
    with_it = detect(store, flow, kept=of_store).result
    assert with_it["result_sha256"] == detect(store, flow).result["result_sha256"]


def replace_settings(**values: Any) -> Any:
    return request().settings.model_copy(update=values)


def test_another_version_takes_nothing_over_and_one_that_is_replaced_keeps_nothing(
    kept_town, tmp_path, monkeypatch
):
    store, kept = kept_town
    mine = tmp_path / "kept"
    shutil.copytree(kept, mine)
    owner = store.properties.key_fingerprint
    assert Kept(mine, owner).read("accounts", "") is not None
    monkeypatch.setattr("detectors.kept.folder.PROGRAM", "that was here when this one began")
    assert Kept(mine, owner).read("accounts", "") is None
    before = {path.name: path.read_bytes() for path in mine.iterdir()}
    compared(store, mine)
    assert {path.name: path.read_bytes() for path in mine.iterdir()} == before


def test_a_look_at_the_past_does_not_replace_what_is_kept(kept_town, tmp_path):
    store, kept = kept_town
    mine = tmp_path / "kept"
    shutil.copytree(kept, mine)
    before = {path.name: path.read_bytes() for path in mine.iterdir()}
    past = request(known_at=2)
    found = detect(store, past, kept=kept_in(mine, store, past)).result
    assert found["result_sha256"] == detect(store, past).result["result_sha256"]
    assert {path.name: path.read_bytes() for path in mine.iterdir()} == before


def test_a_folder_that_cannot_be_written_to_does_no_harm(kept_town, tmp_path):
    store, _ = kept_town
    (tmp_path / "a file").write_text("in the way")
    compared(store, tmp_path / "a file" / "kept")


def test_nothing_unfinished_is_left(kept_town):
    _, kept = kept_town
    assert [path.name for path in kept.iterdir() if path.suffix != ".kept"] == []
    assert (kept.stat().st_mode & 0o777, (kept / "kin.kept").stat().st_mode & 0o777) == (
        0o700,
        0o600,
    )


names = st.text("abcd", min_size=1, max_size=3)
people = st.lists(names, min_size=1, max_size=12, unique=True)


@examples(150, suppress_health_check=SLOW)
@given(here=people, gone=people, come=people, renumbered=st.booleans(), late=st.booleans())
def test_accounts_are_known_again_by_what_never_changes(
    tmp_path_factory, here, gone, come, renumbered, late
):
    """`here`: whom facts name that stay the same, or do not (`late`); others come and go."""
    place, worked, ixs = tmp_path_factory.mktemp("k") / "kept", 0, dict[str, int]()
    for turn, others in enumerate((gone, come)):
        accounts = sorted({*here, *others})
        for who in accounts:
            ixs.setdefault(who, len(ixs))
        ix = [1_000 - ixs[who] if renumbered and turn else ixs[who] for who in accounts]
        folder = Kept(place, "test")
        changes = Changes.of(folder, pl.DataFrame({"account": accounts, "ix": ix}))
        named = np.array([accounts.index(who) for who in here], np.int32)

        def work(named: np.ndarray = named) -> dict[str, np.ndarray]:
            nonlocal worked
            worked += 1
            return {"named": named, "length": np.array([len(who) for who in here])}

        found = changes.remembered("e", str(bool(turn and late)), work, ("named",))
        folder.finish()
        assert found["named"].tolist() == named.tolist()
        assert found["length"].tolist() == [len(who) for who in here]
    assert worked == (2 if renumbered or late else 1)
