"""Any history of loads, corrections, withdrawals and supplies reads as a plain account of it
says, at every point of the past."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from long_form import examples

from graph.errors import UserError
from graph.store import Batch, Counts, Store, init_store, is_server, visible_batches

DAY = datetime(2026, 3, 1, tzinfo=UTC)
UIDS = [f"t{n}" for n in range(6)]

Step = tuple[str, Any]

STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("load"), st.dictionaries(st.sampled_from(UIDS), st.integers(1, 9), max_size=4)
        ),
        st.tuples(st.sampled_from(["withdraw", "reinstate"]), st.integers(1, 8)),
        st.tuples(st.sampled_from(["abandon", "overtaken", "upkeep"]), st.sampled_from(UIDS)),
    ),
    max_size=9,
)


@dataclass
class Account:
    """A plain account of a store: every change in order, and what each load brought."""

    changes: list[tuple[int, str, int]] = field(default_factory=list)
    rows: dict[int, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """Batch to uid to (revision, amount)."""

    def visible(self, upto: int) -> set[int]:
        """The loads that count after the first `upto` changes."""
        shown: set[int] = set()
        for _, action, target in self.changes[:upto]:
            if action in ("load", "reinstate"):
                shown.add(target)
            elif action == "withdraw":
                shown.discard(target)
        return shown

    def facts(self, upto: int) -> set[tuple[str, int, int]]:
        """uid, revision, amount of the highest visible revision of each uid."""
        best: dict[str, tuple[int, int]] = {}
        for batch in self.visible(upto):
            for uid, stated in self.rows[batch].items():
                best[uid] = max(best.get(uid, (0, 0)), stated)
        return {(uid, *stated) for uid, stated in best.items()}

    def next_revision(self, uid: str) -> int:
        """One above the highest there is, visible or not."""
        return 1 + max((rows[uid][0] for rows in self.rows.values() if uid in rows), default=0)


def _load(
    store: Store, account: Account, stated: dict[str, int], write: Callable[..., int]
) -> None:
    with store.loading("transfers", "test") as load:
        found = load.existing("transfers", pl.Series(list(stated), dtype=pl.String))
        highest = dict(found.group_by("uid").agg(pl.col("revision").max()).iter_rows())
        brought = {}
        for uid, amount in stated.items():
            revision = highest.get(uid, 0) + 1
            assert revision == account.next_revision(uid)
            brought[uid] = (revision, amount)
            write(load, [(uid, "ann", f"to {uid}", str(amount))], revision=revision)
        batch = load.commit(Counts(read=len(stated), loaded=len(stated)))
    account.rows[batch.batch] = brought
    account.changes.append((batch.batch, "load", batch.batch))


def _change(store: Store, account: Account, action: str, target: int) -> None:
    shown = account.visible(len(account.changes))
    allowed = target in account.rows and (target in shown) == (action == "withdraw")
    change: Callable[[int], Batch] = getattr(store, action)
    if allowed:
        account.changes.append((change(target).batch, action, target))
    else:
        with pytest.raises(UserError):
            change(target)


def _overtaken(store: Store, account: Account, uid: str, write: Callable[..., int]) -> None:
    """A load during which a supply is set."""
    with store.loading("transfers", "test") as load:
        revision = account.next_revision(uid)
        write(load, [(uid, "ann", "bob", "5")], revision=revision)
        account.changes.append((store.set_supply(Decimal(99), DAY).batch, "supply", 0))
        batch = load.commit(Counts(read=1, loaded=1)).batch
    account.rows[batch] = {uid: (revision, 5)}
    account.changes.append((batch, "load", batch))


def _take(store: Store, account: Account, step: Step, write: Callable[..., int]) -> None:
    action, what = step
    if action == "load":
        _load(store, account, what, write)
    elif action == "abandon":
        with store.loading("transfers", "test") as load:
            write(load, [(what, "ann", "nobody", "7")])
    elif action == "overtaken":
        _overtaken(store, account, what, write)
    elif action == "upkeep" and is_server(store.url):
        assert store.check().problems == []
    elif action == "upkeep":
        store.compact()
    else:
        _change(store, account, action, what)


@examples(12, few=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_every_past_reads_as_it_was(
    fresh_url: Callable[[], str],
    write_transfers: Callable[..., int],
    seen: Callable[..., Any],
    steps: list[Step],
) -> None:
    store, account = init_store(fresh_url()), Account()
    for step in steps:
        _take(store, account, step, write_transfers)
    assert [batch.batch for batch in store.batches()] == [n for n, _, _ in account.changes]
    for place, (known_at, _, _) in enumerate(account.changes, start=1):
        facts = {(row[0], row[1], row[4]) for row in seen(store, known_at)}
        assert facts == account.facts(place)
        shown = visible_batches(store.batches(), known_at)
        assert {batch.batch for batch in shown} == account.visible(place)
    now = {(row[0], row[1], row[4]) for row in seen(store)}
    assert now == account.facts(len(account.changes))
    assert store.check().problems == []
