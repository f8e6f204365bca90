"""Times in all their spellings; the unit of numbers is told by the whole column."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_helpers import facts, refused

from graph.errors import UserError
from graph.store import Store
from loaders.times import times

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00",
        "2026-03-01 12:00",
        "2026-03-01T12:00:00.000000999",
        "2026-03-01 12:00:00,0",
        "2026-03-01 14:00:00+02:00",
        "2026-03-01T14:00+0200",
        "2026-03-01t07:00:00-05",
        "2026-03-01 12:00:00.000 UTC",
        " 2026-03-01T12:00:00z ",
    ],
)
def test_iso_8601(text: str) -> None:
    parsed = times(pl.Series([text]), None)
    assert parsed.values.to_list() == [NOON]
    assert not any(fault.mask.any() for fault in parsed.faults)


def test_a_date_is_its_midnight() -> None:
    cells = (pl.Series(["2026-03-01"]), pl.Series([NOON.date()]))
    assert [times(c, None).values[0] for c in cells] == [NOON - timedelta(hours=12)] * 2


@pytest.mark.parametrize(
    "text",
    ["1.3.2026", "2026-13-01", "2026-03-01T25:00", "2026-3-1", "noon", "2026-03-01T12:00+99:00"],
)
def test_what_is_no_time(text: str) -> None:
    parsed = times(pl.Series([text]), "s")
    assert parsed.values[0] is None
    assert any(fault.mask[0] for fault in parsed.faults)


@given(st.datetimes(datetime(1974, 1, 1), datetime(2100, 1, 1)))
def test_a_moment_is_the_same_in_every_form(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    micros = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    forms = {
        "us": str(micros),
        "ms": f"{micros // 1000}.{micros % 1000:03}",
        "s": f"{micros // 10**6}.{micros % 10**6:06}",
    }
    for unit, text in forms.items():
        assert times(pl.Series([text]), unit).values[0] == aware
    assert times(pl.Series([moment.isoformat()]), None).values[0] == aware
    assert times(pl.Series([moment]), None).values[0] == aware
    assert (
        times(pl.Series([moment]).cast(pl.Datetime("ns", "Asia/Tokyo")), None).values[0]
        == (pl.Series([moment]).dt.replace_time_zone("UTC")[0])
    )


def numbers(values: list[int], name: str = "at") -> str:
    return f"src,dst,{name}\n" + "".join(f"a,b{i},{v}\n" for i, v in enumerate(values))


@pytest.mark.parametrize(
    ("unit", "scale"), [("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6)]
)
def test_the_unit_is_told_by_the_size_of_numbers(
    store: Store, put: Callable[..., str], loading: Any, unit: str, scale: int
) -> None:
    path = put("in.csv", numbers([1_772_366_400 * scale, 1_600_000_000 * scale]))
    loading(store, "transfers", path)
    assert NOON in {row[5] for row in facts(store, "transfers")}
    assert loading.said == [f"Numbers in 'at' are read as Unix {unit}; see --time-unit."]


def test_the_unit_is_that_of_most_numbers_of_all_files(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    one = put("1.csv", numbers([1_772_366_400_000], "when"))
    two = put("2.csv", numbers([1_772_366_400, 1_772_366_401, 1_772_366_402, 5], "when"))
    result = loading(store, "transfers", one, two, map=("at=when",))
    assert result.counts.loaded == 3
    assert {entry["reason"] for entry in refused(result)} == {
        "'when' is not of the size of Unix seconds, as its other numbers"
    }


def test_a_given_unit_holds_for_any_number(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    path = put("in.csv", numbers([0, 149]))
    with pytest.raises(UserError, match="from 0 to 149, too small for Unix times") as error:
        loading(store, "transfers", path)
    assert "--time-unit step" in str(error.value.hint)
    loading(store, "transfers", path, time_unit="s")
    assert {row[5].year for row in facts(store, "transfers")} == {1970}


def test_steps_are_an_order_without_dates(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    result = loading(
        store, "transfers", put("in.csv", numbers([0, 149]) + "a,b,1.5\n"), time_unit="step"
    )
    assert {row[5:7] for row in facts(store, "transfers")} == {(None, 0), (None, 149)}
    assert refused(result)[0]["reason"] == "'at' is not a step (a whole number)"


def test_an_end_may_lie_in_the_future_but_an_event_may_not(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    path = put("links.csv", "a,b,verdict,until\nx,y,unrelated,2030-01-01\n")
    assert loading(store, "links", path).counts.loaded == 1
    path = put("accounts.csv", "account,opened_at\nx,2030-01-01\n")
    assert loading(store, "accounts", path).counts.quarantined == 1
