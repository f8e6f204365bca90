"""Months go to the archive and come back, and nothing is lost or told wrongly meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from archive_helpers import (
    FEB,
    LATE,
    MARCH,
    add,
    at,
    by_days,
    facts_of,
    held,
    make_year,
    moved,
    stated,
    told,
)
from faults_table import Survived, note
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.archive import before_of, horizon
from graph.archive_folder import MonthDraft, columns_of, frames, open_month, read_manifest
from graph.backup import restore
from graph.backup_folder import FolderBackup, write_backup
from graph.by_day import by_day
from graph.embedded import ledger
from graph.errors import DamagedError, UserError
from graph.snapshot import snapshot
from graph.store import FORMAT, HOLDINGS_RULES, Store, init_store, open_store


def _allow(month: str) -> None:
    """No month has to stay."""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.mark.parametrize("rule", HOLDINGS_RULES)
def test_months_go_and_come_back_as_they_were(url: str, archive: Path, rule: str) -> None:
    store = init_store(url, holdings_rule=rule)
    make_year(store)
    before, days = told(store), by_days(store, MARCH)
    gone = store.archive(MARCH, archive, _allow)
    assert [one.month for one in gone] == ["2026-01", "2026-02"]
    assert horizon(store.archived()) == MARCH
    assert by_days(store, MARCH) == days
    uids = {row[0] for kind in before["facts"] for row in facts_of(store, kind)}
    # t3 was corrected into March and goes with it; t7 has no time; t9 is withdrawn
    assert uids == {"t3", "t5", "t7", "s2", "h1", "h2", "l1"}
    assert held(store, MARCH) == before["holdings"][MARCH]
    assert held(store, LATE) == before["holdings"][LATE]
    assert store.check().problems == []
    assert store.archive(MARCH, archive, _allow) == []
    back = store.unarchive([archive / "2026-01", archive / "2026-02"])
    assert [one.month for one in back] == ["2026-02", "2026-01"]
    assert told(store) == before
    assert store.archived() == []
    assert store.check().problems == []
    assert told(open_store(url)) == before


def test_what_is_in_the_folder_can_be_read_by_anybody(store: Store, archive: Path) -> None:
    make_year(store)
    store.archive(FEB, archive, _allow)
    january = pl.read_parquet(archive / "2026-01" / "transfers.parquet").sort("uid", "revision")
    assert january.select("uid", "revision", "batch", "src", "dst", "amount").rows() == [
        ("t1", 1, 1, "ann", "bob", Decimal("10.5")),
        ("t1", 2, 2, "ann", "bob", Decimal("11")),
        ("t2", 1, 1, "bob", "cyd", Decimal("3")),
        ("t6", 1, 1, "dan", "dan", Decimal("7")),
        ("t8", 1, 2, "fay", "ann", Decimal("5")),
    ]
    manifest = json.loads((archive / "2026-01" / "manifest.json").read_text())
    assert manifest["store"] == store.properties.key_fingerprint
    assert {file["path"]: file["rows"] for file in manifest["files"]} == {
        "transfers.parquet": 5,
        "purchases.parquet": 1,
        "sightings.parquet": 1,
    }
    assert manifest["batches"] == {"1": 3, "2": 2, "3": 1, "4": 1}


def test_the_past_is_refused_and_the_archive_named(store: Store, archive: Path) -> None:
    make_year(store)
    last = store.batches()[-1].batch
    store.archive(MARCH, archive, _allow)
    with pytest.raises(UserError, match=r"archived.*2026-01 to .*2026-02 \(2 folders\)"):
        snapshot(store, at("02-28"))
    with pytest.raises(UserError, match=f"known at batch {last} are archived"):
        snapshot(store, LATE, last)
    with pytest.raises(UserError, match=f"known at batch {last} are archived"):
        store.facts("transfers", last)
    assert store.facts("transfers", 0).collect().is_empty()
    taken = snapshot(store)
    assert taken.horizon == MARCH
    assert taken.as_of == at("03-09")


def test_asked_without_a_time_where_all_is_archived(store: Store, archive: Path) -> None:
    add(store, "transfers", [moved("t1", "ann", "bob", "1", "01-05")])
    store.archive(LATE, archive, _allow)
    assert snapshot(store).as_of == FEB


def test_a_load_with_archived_rows_is_neither_withdrawn_nor_brought_back(
    store: Store, archive: Path
) -> None:
    make_year(store)
    store.archive(FEB, archive, _allow)
    with pytest.raises(UserError, match=r"3 rows of batch 1 are archived in .*2026-01"):
        store.withdraw(1)
    hidden = next(batch.batch for batch in store.batches() if batch.withdrawn)
    store.reinstate(hidden)  # its row was hidden, and stayed
    assert "t9" in {row[0] for row in facts_of(store, "transfers")}
    store.unarchive([archive / "2026-01"])
    store.withdraw(1)


def test_what_came_late_goes_to_a_folder_of_its_own(store: Store, archive: Path) -> None:
    make_year(store)
    store.archive(FEB, archive, _allow)
    add(store, "transfers", [moved("late", "ann", "bob", "1", "01-20")])
    before = told_facts(store)
    [late] = store.archive(FEB, archive, _allow)
    assert (late.month, Path(late.folder).name) == ("2026-01", "2026-01-2")
    with pytest.raises(UserError, match=r"come back together: without .*2026-01 "):
        store.unarchive([archive / "2026-01-2"])
    store.unarchive([archive / "2026-01-2", archive / "2026-01"])
    assert set(before) < set(told_facts(store))


def test_a_month_that_a_killed_run_wrote_is_taken_in_whatever_order_its_rows_stand(
    store: Store, archive: Path, tmp_path: Path
) -> None:
    """A server gives rows in another order each time."""
    make_year(store)
    before = told(store)
    store.archive(FEB, archive, _allow)
    first, written = open_month(archive / "2026-01")
    turned = MonthDraft(tmp_path, first.store, first.month)
    for file in first.files:
        rows = pl.concat(frames(archive / "2026-01" / file.path, columns_of(file.kind)))
        turned.write(file.kind, rows.reverse())
    turned.finish()
    store.unarchive([archive / "2026-01"])
    shutil.rmtree(archive / "2026-01")
    shutil.copytree(tmp_path / "2026-01", archive / "2026-01")  # of a run that got no further
    [one] = store.archive(FEB, archive, _allow)
    assert [path.name for path in archive.iterdir()] == ["2026-01"]
    assert one.sha256 == read_manifest(archive / "2026-01")[1] != written
    store.unarchive([archive / "2026-01"])
    assert told(store) == before


def told_facts(store: Store) -> list[object]:
    return facts_of(store, "transfers")


def test_a_month_stays_where_something_needs_it(store: Store, archive: Path) -> None:
    make_year(store)

    def allow(month: str) -> None:
        if month == "2026-02":
            raise UserError("2026-02 stays.")

    with pytest.raises(UserError, match="2026-02 stays"):
        store.archive(MARCH, archive, allow)
    assert [one.month for one in store.archived()] == ["2026-01"]
    assert not (archive / "2026-02").exists()


def test_later_months_come_back_first(store: Store, archive: Path) -> None:
    make_year(store)
    store.archive(MARCH, archive, _allow)
    with pytest.raises(UserError, match=r"come back together: without .*2026-02 "):
        store.unarchive([archive / "2026-01"])
    store.unarchive([archive / "2026-02"])
    assert horizon(store.archived()) == FEB
    assert "t4" in {row[0] for row in facts_of(store, "transfers")}


def test_what_is_no_archive_of_this_store_is_refused(
    store: Store, archive: Path, tmp_path: Path
) -> None:
    make_year(store)
    other = init_store(str(tmp_path / "other"))
    make_year(other)
    other.archive(FEB, archive, _allow)
    with pytest.raises(UserError, match="is the archive of another store"):
        store.archive(FEB, archive, _allow)
    own = tmp_path / "own"
    store.archive(FEB, own, _allow)
    with pytest.raises(UserError, match="is of another store"):
        store.unarchive([archive / "2026-01"])
    with pytest.raises(UserError, match=r"has no manifest\.json"):
        store.unarchive([tmp_path])
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "letter.txt").write_text("x")
    with pytest.raises(UserError, match="holds something else"):
        store.archive(MARCH, tmp_path / "used", _allow)


def test_a_damaged_archive_is_not_brought_back(store: Store, archive: Path) -> None:
    make_year(store)
    store.archive(FEB, archive, _allow)
    before = told_facts(store)
    file = archive / "2026-01" / "transfers.parquet"
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:50] + bytes([whole[50] ^ 1]) + whole[51:]):
        file.write_bytes(damaged)
        with pytest.raises(DamagedError, match="not as it was written"):
            store.unarchive([archive / "2026-01"])
    file.unlink()
    with pytest.raises(DamagedError, match="is missing"):
        store.unarchive([archive / "2026-01"])
    assert told_facts(store) == before
    file.write_bytes(whole)
    store.unarchive([archive / "2026-01"])
    assert store.check().problems == []


def test_the_archive_may_be_elsewhere(store: Store, archive: Path, tmp_path: Path) -> None:
    make_year(store)
    before = told(store)
    store.archive(FEB, archive, _allow)
    shutil.move(archive, tmp_path / "elsewhere")
    assert any("not at hand" in note for note in store.check().notes)
    store.unarchive([tmp_path / "elsewhere" / "2026-01"])
    assert told(store) == before


def test_only_a_month_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCONCERT_NOW", "2026-03-15")
    assert before_of("2026-03") == before_of("2026-03-01") == MARCH
    for wrong, said in (("2026-03-02", "first of a month"), ("2026-13", "is no month")):
        with pytest.raises(UserError, match=said):
            before_of(wrong)
    with pytest.raises(UserError, match="is not over yet"):
        before_of("2026-04")


@pytest.mark.parametrize("rule", ["rolled", "replayed"])
def test_a_backup_carries_what_is_kept(url: str, archive: Path, tmp_path: Path, rule: str) -> None:
    store = init_store(url, holdings_rule=rule)
    make_year(store)
    whole = told(store)
    store.archive(FEB, archive, _allow)
    before = {kind: facts_of(store, kind) for kind in ("transfers", "holdings")}
    write_backup(store.backup(), tmp_path / "backup")
    again = restore(FolderBackup.open(tmp_path / "backup"), store.key, str(tmp_path / "again"))
    again = open_store(again.url)
    assert {kind: facts_of(again, kind) for kind in before} == before
    assert held(again, LATE) == whole["holdings"][LATE]
    assert again.check().problems == []
    assert again.properties.format == FORMAT
    again.unarchive([archive / "2026-01"])
    assert told(again) == whole


def test_a_ledger_of_before_the_archive_is_brought_up_to_date(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its table of batches allows no move to the archive, and has to be made anew."""
    before = ledger.SCHEMA.replace(ledger.ACTIONS_NOW, ledger.ACTIONS).replace(ledger.ARCHIVES, "")
    assert "archive" not in before
    monkeypatch.setattr(ledger, "SCHEMA", before)
    store = init_store(str(tmp_path / "store"))
    make_year(store)
    with store.loading("transfers", "abandoned"):
        pass  # a number that is in no batch that counts
    whole, batches = told(store), store.batches()
    assert store.archived() == []
    [gone] = store.archive(FEB, archive, _allow)
    assert gone.batch == batches[-1].batch + 2
    assert store.batches()[:-1] == batches
    assert store.check().problems == []
    with pytest.raises(UserError, match="is withdrawn already"):
        store.withdraw(next(batch.batch for batch in batches if batch.withdrawn))
    store.unarchive([archive / "2026-01"])
    assert told(store) == whole
    store.set_supply(Decimal(10**6), LATE)
    assert len(store.supplies()) == 1


def test_what_was_kept_of_a_month_that_is_back_goes_a_day_later(
    tmp_path: Path, archive: Path
) -> None:
    """A reader that began when the month was in the archive still reads what was kept of it."""
    store = init_store(str(tmp_path / "store"), holdings_rule="replayed")
    make_year(store)
    [gone] = store.archive(FEB, archive, _allow)
    [kept] = (tmp_path / "store" / "archived").iterdir()
    _age(kept)
    begun = store.carried()
    store.compact()
    store.unarchive([Path(gone.folder)])
    store.compact()
    assert not begun.collect().is_empty()
    _age(kept)
    store.compact()
    assert not kept.exists()


def _age(path: Path) -> None:
    long_ago = path.stat().st_mtime - 48 * 3600
    os.utime(path, (long_ago, long_ago))


# -- holdings, whatever happened ------------------------------------------------------------

TIMES = st.sampled_from([f"0{month}-{day:02}" for month in (1, 2, 3) for day in (1, 10, 20, 28)])
WHO = st.sampled_from(["ann", "bob", "cyd", "dan"])
AMOUNT = st.sampled_from(
    ["1", "0.000000000000000001", "12345678901234567.123456789012345678", "2.5", "40"]
)
STEP = st.one_of(
    st.tuples(
        st.just("transfers"), st.lists(st.tuples(WHO, WHO, AMOUNT, TIMES), min_size=2, max_size=8)
    ),
    st.tuples(st.just("correct"), st.integers(0, 2), AMOUNT, TIMES),
    st.tuples(st.just("state"), WHO, AMOUNT, TIMES),
    st.tuples(st.just("list"), WHO, WHO, AMOUNT, TIMES),
    st.tuples(st.sampled_from(["withdraw", "reinstate"]), st.integers(1, 9)),
)


class _Twin:
    """Does the same to two stores; one of them has an archive."""

    def __init__(self, *stores: Store) -> None:
        self.stores = stores
        self.transfers: dict[str, int] = {}
        self.loads: list[list[int]] = []

    def do(self, number: int, step: tuple[object, ...]) -> None:
        what, *rest = step
        if what == "transfers":
            rows = [moved(f"t{number}-{n}", *row) for n, row in enumerate(rest[0])]  # type: ignore
            self._load("transfers", rows)
            self.transfers |= {str(row["uid"]): 1 for row in rows}
        elif what == "correct":
            place, amount, when = rest
            uid = f"t0-{place}"
            if uid in self.transfers and not self._gone(uid):
                self.transfers[uid] += 1
                revision = self.transfers[uid]
                self._load("transfers", [moved(uid, "ann", "dan", amount, when, revision)])  # type: ignore[arg-type]
        elif what == "state":
            self._load("holdings", [stated(f"h{number}", *rest)])  # type: ignore[arg-type]
        elif what == "list":
            one, other, amount, when = rest
            rows = {who: stated(f"h{number}{who}", who, amount, when) for who in (one, other)}  # type: ignore[arg-type]
            self._load("holdings", list(rows.values()), complete=[at(str(when))])
        else:
            self._change(str(what), int(str(rest[0])))

    def _gone(self, uid: str) -> bool:
        with self.stores[0].loading("transfers", "look") as load:
            return not load.archived("transfers", pl.Series([uid])).is_empty()

    def _load(self, kind: str, rows: list[dict[str, object]], **more: object) -> None:
        try:
            done = [add(store, kind, rows, **more) for store in self.stores]  # type: ignore[arg-type]
        except UserError as refused:
            if "cannot be loaded: the transfers before" not in refused.sentence:
                raise
            return
        self.loads.append([batch.batch for batch in done])

    def _change(self, what: str, place: int) -> None:
        if place > len(self.loads):
            return
        try:
            for store, batch in zip(self.stores, self.loads[place - 1], strict=True):
                getattr(store, what)(batch)
        except UserError:  # archived, or in that state already; then the first store said so
            pass


@pytest.mark.long
@pytest.mark.parametrize("rule", ["rolled", "replayed"])
@given(before=st.lists(STEP, min_size=2, max_size=5), after=st.lists(STEP, max_size=3))
@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_holdings_are_what_they_would_be_without_an_archive(
    fresh_url: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
    rule: str,
    before: list[tuple[object, ...]],
    after: list[tuple[object, ...]],
) -> None:
    place = tmp_path_factory.mktemp("twin")
    store = init_store(fresh_url(), holdings_rule=rule)
    twin = init_store(str(place / "whole"), holdings_rule=rule)
    both = _Twin(store, twin)
    many = [
        ("ann", "bob", "3", "01-01"),
        ("bob", "cyd", "1", "01-20"),
        ("cyd", "ann", "2", "02-10"),
    ]
    both.do(0, ("transfers", many))
    for number, step in enumerate(before, start=1):
        both.do(number, step)
    store.archive(FEB, place / "archive", _allow)
    _assert_same_holdings(store, twin)
    for number, step in enumerate(after, start=len(before) + 1):
        both.do(number, step)
    _assert_same_holdings(store, twin)
    store.archive(MARCH, place / "archive", _allow)
    _assert_same_holdings(store, twin)
    assert store.check().problems == []
    store.unarchive([Path(one.folder) for one in store.archived()])
    _assert_same_holdings(store, twin)


def _assert_same_holdings(store: Store, twin: Store) -> None:
    edge = horizon(store.archived()) or FEB
    for moment in (FEB, at("02-10"), at("02-15"), MARCH, at("03-10"), LATE):
        if moment >= edge:
            assert held(store, moment) == held(twin, moment)
    assert by_days(store, edge) == by_days(twin, edge)


def test_days_are_told_where_all_that_there_was_moved_nothing(
    tmp_path: Path, archive: Path
) -> None:
    store = init_store(str(tmp_path / "store"), holdings_rule="replayed")
    add(store, "transfers", [moved("t1", "ann", "ann", "1", "01-05")])
    store.archive(FEB, archive, _allow)
    told = by_day(store, ZoneInfo("UTC"))
    assert (told.first_day, len(told.changes())) == (FEB.date(), 0)


# -- killed ---------------------------------------------------------------------------------

DIES = """
import os, signal, sys
from pathlib import Path
from archive_helpers import MARCH
from graph.store import open_store

url, folder, action, last = sys.argv[1:]
store = open_store(url)
calls = 0

def count(frame, event, arg):
    global calls
    name = frame.f_code.co_filename
    if event == "call" and "/graph/" in name:
        calls += 1
        if calls == int(last):
            os.kill(os.getpid(), signal.SIGKILL)

sys.setprofile(count)
if action == "archive":
    store.archive(MARCH, Path(folder), lambda month: None)
else:
    store.unarchive([Path(folder) / "2026-02", Path(folder) / "2026-01"])
sys.setprofile(None)
print(calls)
"""

MOMENTS = 16
"""Kills of each action, evenly over the calls that an undisturbed one makes."""


def _calls(url: str, folder: Path, action: str, killed_at: int = 0) -> int | None:
    """Does it in a process of its own, which is killed at one of its calls, if at all; how many
    it made when it came to its end, else None."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", DIES, url, str(folder), action, str(killed_at)],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return int(done.stdout) if done.returncode == 0 else None


@pytest.mark.long
@pytest.mark.faults
@pytest.mark.parametrize("action", ["archive", "unarchive"])
def test_killed_at_any_moment_no_fact_is_lost(
    fresh_url: Callable[[], str], tmp_path: Path, action: str, request: pytest.FixtureRequest
) -> None:
    """Readers see either all of a month or none of it, and holdings as they were; the same
    command again ends as an undisturbed one."""

    def year(number: int) -> tuple[str, Path, dict[str, Any]]:
        """A store in which the action is still to be done."""
        url, archive = fresh_url(), tmp_path / f"archive-{number}"
        store = init_store(url, holdings_rule="rolled")
        make_year(store)
        whole = told(store)
        if action == "unarchive":
            store.archive(MARCH, archive, _allow)
        return url, archive, whole

    url, archive, _ = year(0)
    calls = _calls(url, archive, action)
    assert calls is not None
    killed = 0
    for number in range(1, MOMENTS + 1):
        url, archive, whole = year(number)
        killed += _calls(url, archive, action, 1 + calls * (number - 1) // MOMENTS) is None
        store = open_store(url)
        _assert_nowhere_lost(store, archive, whole)
        if action == "archive":
            store.archive(MARCH, archive, _allow)
            assert sorted(path.name for path in archive.iterdir()) == ["2026-01", "2026-02"]
            assert [one.month for one in store.archived()] == ["2026-01", "2026-02"]
        if store.archived():
            store.unarchive([Path(one.folder) for one in store.archived()])
        assert told(store) == whole
        assert store.check().problems == []
    assert killed >= MOMENTS - 2  # how many calls it makes may differ by a few
    happened = "a fact is in the store or in the archive, and the next one goes on"
    note(request, f"kill -9 at any step of {action}", killed, Survived(happened))


def _assert_nowhere_lost(store: Store, archive: Path, whole: dict[str, dict[str, list]]) -> None:  # type: ignore[type-arg]
    """As it stands: each row is in the store, or in a sound month of the archive."""
    assert store.check().problems == []
    edge = horizon(store.archived())
    for moment in (MARCH, LATE):
        assert held(store, moment) == whole["holdings"][moment]
    gone = {one.month for one in store.archived()}
    for kind in ("transfers", "sightings", "purchases", "referrals"):
        there = {(row[0], row[1]) for row in store.every_row(kind).collect().rows()}
        filed = {
            (uid, revision)
            for month in gone
            if (file := archive / month / f"{kind}.parquet").exists()
            for uid, revision in pl.read_parquet(file).select("uid", "revision").rows()
        }
        assert not there & filed
        assert there | filed == {(row[0], row[1]) for row in whole["rows"][kind]}
    assert edge is not None or not gone
