"""Any stream of commits, fetched at any moment and with crashes: each row once, none lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from long_form import examples

from graph.store import init_store
from inconcert.settings import parse
from loaders.feeds import feeds

OVERLAP = 3600
BEGIN = datetime(2026, 5, 1, tzinfo=UTC)

commits = st.tuples(st.just("commit"), st.integers(0, 1800), st.integers(0, OVERLAP))
"""A row is committed some seconds after what was before, with a time that is late by some."""
nights = st.tuples(st.just("night"), st.sampled_from(["done", "no load", "no mark", "twice"]))
"""A fetch, and how far its work gets before it is cut off."""
histories = st.lists(st.one_of(commits, commits, nights), min_size=1, max_size=25)


def replayed(history: list[Any], platform: Any, night: Any) -> list[str]:
    """Does it all; the names of the rows that were committed."""
    clock, numbers, committed = BEGIN, itertools.count(), []
    for what, *how in history:
        if what == "commit":
            seconds, late = how
            clock += timedelta(seconds=seconds)
            committed.append(f"t{next(numbers)}")
            platform.put(committed[-1], f"{clock - timedelta(seconds=late):%Y-%m-%d %H:%M:%SZ}")
        else:
            interrupted(night, how[0])
    night()
    return committed


def interrupted(night: Any, how: str) -> None:
    found = night.fetch()
    if how == "no load":
        return
    for delivery in found:
        night.load(delivery)
        if how == "twice":
            night.load(delivery)
        if how != "no mark":
            night.marks.append(delivery.mark)


@contextmanager
def a_night(platform: Any, make: Callable[..., Any]) -> Iterator[Any]:
    """A platform with an empty table, and a new store, for each history."""
    platform.execute("DROP TABLE IF EXISTS ledger")
    platform.create()
    with TemporaryDirectory(prefix="inconcert-nights-") as folder:
        (feed,) = feeds(
            parse(
                "[[feed]]\n" + platform.feed('watermark = "updated_at"', f'overlap = "{OVERLAP}s"')
            ).feed
        )
        yield make(init_store(str(Path(folder) / "store")), feed, Path(folder) / "staging")


@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=histories)
def test_the_store_has_exactly_the_rows_of_the_table(
    platform: Any, night_class: Any, history: list[Any]
) -> None:
    with a_night(platform, night_class) as night:
        committed = replayed(history, platform, night)
        stored = night.store.facts("transfers").collect()["uid"].to_list()
        assert sorted(stored) == sorted(f"transfers:{name}" for name in committed)
        assert night() == [], "and then there is nothing new"


def test_transactions_that_end_in_another_order_than_they_began(
    postgres: str, night: Callable[..., Any]
) -> None:
    """Two real transactions: the one that began first is committed last."""
    from adbc_driver_postgresql import dbapi

    insert = "INSERT INTO ledger VALUES ($1, 'ann', 'ben', 1)"
    with dbapi.connect(postgres, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE ledger (id text, src text, dst text, amount numeric, "
            "updated_at timestamptz DEFAULT now())"
        )
    night = night(
        f'name = "ledger"\nkind = "transfers"\ndatabase = "{postgres}"\ntable = "ledger"\n'
        'map = "id=id"\nwatermark = "updated_at"\noverlap = "5m"\n'
    )
    with dbapi.connect(postgres) as slow, dbapi.connect(postgres) as quick:
        with slow.cursor() as cursor:
            cursor.execute(insert, ("slow",))
        with quick.cursor() as cursor:
            cursor.execute(insert, ("quick",))
        quick.commit()
        (result,) = night()
        assert result.counts.loaded == 1
        slow.commit()
    (result,) = night()
    assert (result.counts.loaded, result.counts.known) == (1, 1)
    stored = night.store.facts("transfers").collect()["uid"].to_list()
    assert sorted(stored) == ["transfers:quick", "transfers:slow"]
