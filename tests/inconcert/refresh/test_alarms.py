"""What is so unlikely that a person looks at it first, and what is only a platform's day."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.clock import iso
from inconcert.refresh.alarms import Seen, alarms
from inconcert.refresh.settings import AlarmSettings
from review.refreshes import INCREMENT, NIGHTLY, nights_before

NOW = datetime(2026, 5, 20, 2, tzinfo=UTC)


def delivery(refresh: int, read: int, feed: str = "transfers", **more: Any) -> dict[str, Any]:
    """Of the night that is `refresh`; the last night, number 10, was now."""
    at = iso(NOW - timedelta(days=10 - refresh))
    counts = {"read": read, "conflicts": 0, "quarantined": 0}
    return {"feed": feed, "refresh": refresh, "nightly": True, "complete": False, "at": at} | (
        counts | more
    )


def group(share: float, *members: str, line: float = 0.05, **more: Any) -> dict[str, Any]:
    each = [{"account": account, "share": share / len(members)} for account in members]
    return {"id": f"g{members[0]}", "line": line, "share": share, "members": each} | more


def said(
    deliveries: list[dict[str, Any]] | None = None,
    groups: list[dict[str, Any]] | None = None,
    before: list[dict[str, Any]] | None = None,
    supply: tuple[str, str] = ("1000", "1000"),
    evidence: tuple[dict[str, Any], dict[str, Any]] = ({}, {}),
    good: int = 9,
    nightly: bool = True,
    nights: Sequence[int] = range(1, 10),
    feeds: Collection[str] = ("transfers", "sightings", "accounts", "holdings"),
    **limits: Any,
) -> list[str]:
    """The names of the alarms."""
    seen = Seen(
        good,
        nightly,
        [night for night in nights if night <= good],
        feeds,
        NOW,
        deliveries or [],
        {"supply": supply[1], "groups": groups or []},
        evidence[1],
        {"supply": supply[0], "evidence": evidence[0]} if good else None,
        before or [],
        AlarmSettings(**limits),
    )
    return [one["alarm"] for one in alarms(seen)]


NIGHTS = [delivery(night, 1000) for night in range(1, 10)]


@pytest.mark.parametrize(("read", "alarm"), [(499, True), (500, False), (5000, False)])
def test_a_stream_that_shrinks(read: int, alarm: bool) -> None:
    assert said([*NIGHTS, delivery(10, read)]) == ["shrunk"] * alarm


def test_a_stream_that_brings_nothing_has_shrunk() -> None:
    assert said(NIGHTS) == ["shrunk"]
    assert said([*NIGHTS, delivery(10, 0)]) == ["shrunk"]


def test_what_came_in_the_day_belongs_to_the_night() -> None:
    day = [delivery(9, 100, nightly=False) for _ in range(9)]
    tonight = delivery(11, 100)
    assert said([*NIGHTS[:8], *day, tonight], good=10, nights=range(1, 9)) == []


def test_increments_may_bring_all_of_a_night() -> None:
    """A file of each evening is in before the night begins, which finds nothing new of it."""
    evenings = [delivery(night, 1000, nightly=False) for night in range(1, 20, 2)]
    cut = [*evenings[:-1], delivery(19, 10, nightly=False)]
    assert said(evenings, good=19, nights=range(2, 20, 2)) == []
    assert said(cut, good=19, nights=range(2, 20, 2)) == ["shrunk"]


def test_the_nights_before_are_found_past_what_came_between() -> None:
    """Each refresh names what it is measured by: a night, or an increment that was released."""
    measures = {1: None, 2: 1, 3: 1, 4: 3, 5: 4, 6: 5}
    released = 4
    sorts = {number: NIGHTLY if number in (1, 3, 5) else INCREMENT for number in measures}

    def get(_: str, key: str) -> dict[str, Any]:
        number = int(key)
        return {"number": number, "sort": sorts[number], "measure": measures[number]}

    assert nights_before(get, get("", "6"), 100) == [1, 3, 5]
    assert nights_before(get, get("", "6"), 2) == [3, 5]
    assert nights_before(get, get("", str(released)), 100) == [1, 3]
    assert nights_before(get, get("", "1"), 100) == []


def test_a_feed_of_each_week_is_measured_by_weeks() -> None:
    weeks = [delivery(night, 1000, "accounts") for night in range(1, 40, 7)]
    rhythm: dict[str, Any] = {"nights": range(1, 43), "stale_hours_of": {"accounts": 10_000}}
    assert said(weeks, good=38, **rhythm) == []
    assert said([*weeks, delivery(43, 499, "accounts")], good=42, **rhythm) == ["shrunk"]
    assert said([*weeks, delivery(43, 500, "accounts")], good=42, **rhythm) == []


def test_a_feed_of_working_days_is_not_missed_at_a_weekend() -> None:
    """Night 10 is the second Saturday's."""
    days = [delivery(night, 1000) for night in (1, 2, 5, 6, 7, 8, 9)]
    rhythm: dict[str, Any] = {"stale_hours_of": {"transfers": 10_000}}
    assert said(days, **rhythm) == []
    assert said([*days, delivery(10, 400)], **rhythm) == ["shrunk"]
    assert said([delivery(night, 1000) for night in range(1, 10)], **rhythm) == ["shrunk"]


def test_a_feed_that_is_not_set_any_more_is_not_missed() -> None:
    old = [delivery(night, 1000, "old") for night in range(1, 8)]
    tonight = [*NIGHTS, delivery(10, 1000), *old]
    assert said(tonight, feeds=("transfers", "old")) == ["stale"]
    assert said(tonight, feeds=("transfers",)) == []


def test_the_first_nights_are_no_measure() -> None:
    assert said([delivery(8, 100_000), delivery(9, 1000), delivery(10, 1000)]) == []


def test_what_a_held_refresh_took_is_still_not_acted_on() -> None:
    stated = [delivery(8, 300, "holdings", complete=True)]
    cut = delivery(9, 150, "holdings", complete=True)
    assert said([*stated, cut], good=8) == ["shrunk"]
    assert said([*stated, cut, delivery(10, 1000)], good=8) == ["shrunk"]
    assert said([*stated, cut], good=9) == [], "a person has released it"


def test_an_increment_is_not_a_night() -> None:
    assert said([*NIGHTS, delivery(10, 3, nightly=False)], nightly=False) == []


def test_a_feed_that_came_each_night_and_comes_no_more_is_stale() -> None:
    silent = [one for one in NIGHTS if one["refresh"] < 8]
    others = [delivery(night, 10, "sightings") for night in range(1, 11)]
    assert "stale" in said([*silent, *others], nightly=False)
    assert said([*NIGHTS, *others], nightly=False) == []


def test_a_feed_that_came_once_has_no_rhythm_unless_the_settings_say_so() -> None:
    once = [delivery(2, 300, "accounts")]
    assert said(once, nightly=False) == []
    assert said(once, nightly=False, stale_hours_of={"accounts": 24}) == ["stale"]


@given(st.integers(1, 10**9), st.floats(0.2, 5))
def test_a_base_that_jumps(before: int, times: float) -> None:
    now = round(before * times)
    jumped = abs(now - before) > before * 0.1
    assert said(supply=(str(before), str(now))) == ["supply"] * jumped


def test_rows_refused() -> None:
    assert said([*NIGHTS, delivery(10, 1000, quarantined=10)]) == []
    assert said([*NIGHTS, delivery(10, 1000, quarantined=6, conflicts=5)]) == ["quarantined"]


def test_two_large_groups_that_become_one() -> None:
    before = [group(0.06, "a", "b"), group(0.04, "c", "d", line=0.03)]
    both = group(0.1, "a", "b", "c", "d")
    assert said(groups=[both], before=before) == ["merged"]
    assert said(groups=[group(0.07, "a", "b", "c")], before=before) == []
    assert said(groups=[both], before=[before[0], group(0.02, "c", "d")]) == [], "a small one"


def test_one_group_over_several_lines_is_no_second_one() -> None:
    more = [group(0.07, "a", "b", "c", line=0.03), group(0.065, "a", "b", "d", line=0.04)]
    before = [*more, group(0.06, "a", "b")]
    assert said(groups=before, before=before) == []


def test_a_group_that_is_suddenly_large() -> None:
    large = group(0.25, "a", "b", "c")
    assert said(groups=[large], before=[group(0.06, "a", "b")]) == ["large"]
    assert said(groups=[large], before=[group(0.22, "a", "b")]) == []
    assert said(groups=[large], good=0) == ["large"], "nothing is known of before"


def test_a_family_that_says_twice_as_much() -> None:
    def family(pairs: int, bits: float) -> dict[str, Any]:
        return {"identifier": {"pairs": pairs, "bits": bits}}

    assert said(evidence=(family(1000, 5000), family(9000, 10_001))) == ["evidence"]
    assert said(evidence=(family(1000, 5000), family(1900, 9_999))) == []
    assert said(evidence=(family(5, 25), family(50, 250))) == [], "few are tied"
    assert said(evidence=(family(5, 25), family(9000, 45_000))) == ["evidence"]


def test_a_quiet_night_is_none() -> None:
    groups = [group(0.06, "a", "b"), group(0.055, "c", "d", "e")]
    assert said([*NIGHTS, delivery(10, 950)], groups, groups, supply=("1000", "1010")) == []
