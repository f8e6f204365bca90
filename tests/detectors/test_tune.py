"""What reviewers' decisions make of the families' bits, and of the line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from engine_helpers import FIVE_PERCENT
from hypothesis import given
from hypothesis import strategies as st

from detectors.engine.tune import (
    PRIOR_DECISIONS,
    Case,
    changes,
    compared,
    learn,
    one_each,
    proposed,
    worth,
)
from detectors.engine.tune_line import LINES, fewest_events, propose_line
from detectors.settings import LEAST_WEIGHT, MOST_WEIGHT, DetectionSettings

FAMILIES = ("flow", "identifier", "relay", "links")
BEGIN = datetime(2026, 5, 1, tzinfo=UTC)


def case(number: int, confirmed: bool, share: str = "0.06", **bits: float) -> Case:
    """A decided finding of two accounts of its own."""
    return Case(
        run="r1",
        group=f"g{number:05}",
        confirmed=confirmed,
        at=BEGIN + timedelta(hours=number),
        by="ann",
        members=frozenset({f"a{number}", f"b{number}"}),
        share=Fraction(share),
        bits=bits,
    )


bits = st.floats(0.001, 10_000)
decided = st.lists(
    st.tuples(st.booleans(), st.dictionaries(st.sampled_from(FAMILIES), bits, min_size=1)),
    max_size=30,
).map(lambda rows: [case(place, yes, **said) for place, (yes, said) in enumerate(rows)])


def weights_of(cases: list[Case]) -> dict[str, float]:
    return {family: one.weight for family, one in learn(cases).items()}


def exact_weights(cases: list[Case]) -> dict[str, float]:
    return {f: worth(one.confirmed, one.refuted) for f, one in learn(cases).items()}


def test_no_decision_changes_nothing() -> None:
    assert learn([]) == {}
    settings = DetectionSettings(weights={"flow": 0.8})
    assert proposed(settings, {}) == {"flow": 0.8}
    assert worth(0, 0) == 1.0


def test_a_weight_by_hand() -> None:
    """Ten refuted findings, three quarters flow: 50 / (50 + 7.5) = 0.87; the rest: 50 / (50 +
    2.5) = 0.95. Four confirmed ones of relay more: (50 + 4 x 3/2) / (50 + 4 + 2.5) = 0.99."""
    cases = [case(number, False, flow=300, relay=100) for number in range(10)]
    assert weights_of(cases) == {"flow": 0.87, "relay": 0.95}
    cases += [case(number, True, relay=7) for number in range(10, 14)]
    assert weights_of(cases) == {"flow": 0.87, "relay": 0.99}


def test_findings_confirmed_as_often_as_expected_change_nothing() -> None:
    cases = [case(number, number % 3 != 0, flow=80, identifier=20) for number in range(30)]
    assert weights_of(cases) == {"flow": 1.0, "identifier": 1.0}


@given(decided, st.dictionaries(st.sampled_from(FAMILIES), bits, min_size=1))
def test_one_more_decision_moves_no_weight_the_wrong_way(
    cases: list[Case], said: dict[str, float]
) -> None:
    before = exact_weights(cases)
    more, less = (exact_weights([*cases, case(99, yes, **said)]) for yes in (True, False))
    for family in set(said) - {"links"}:
        assert more[family] >= before.get(family, 1.0) - 1e-6  # parts are rounded to 1e-6
        assert less[family] <= before.get(family, 1.0) + 1e-6
    for family in set(before) - set(said):
        assert more[family] == less[family] == before[family]


@given(decided)
def test_more_evidence_never_speaks_against_a_finding(cases: list[Case]) -> None:
    assert all(LEAST_WEIGHT <= weight <= MOST_WEIGHT for weight in weights_of(cases).values())


@given(decided)
def test_few_decisions_change_almost_nothing(cases: list[Case]) -> None:
    most = len(cases) / (PRIOR_DECISIONS + len(cases))
    for weight in weights_of(cases).values():
        assert -most - 0.006 <= weight - 1 <= most / 2 + 0.006


@given(decided, st.randoms())
def test_the_order_of_decisions_does_not_matter(cases: list[Case], random: Any) -> None:
    shuffled = list(cases)
    random.shuffle(shuffled)
    assert learn(shuffled) == learn(cases)
    assert one_each(shuffled) == one_each(cases)


def test_documents_keep_their_weight_and_take_their_part() -> None:
    cases = [case(number, False, links=300, flow=100) for number in range(10)]
    assert weights_of(cases) == {"flow": 0.95}


def test_a_case_that_is_decided_again_counts_once_as_decided_last() -> None:
    first = case(1, True, flow=10)
    grown = Case(
        "r2",
        "other",
        False,
        first.at + timedelta(days=1),
        "bob",
        frozenset({"a1", "b1", "c1"}),
        first.share,
        {"flow": 12},
    )
    apart = case(2, True, flow=10)
    assert one_each([grown, apart, first]) == [apart, grown]
    same_time = Case(**{**vars(first), "confirmed": False, "group": "a"})
    assert one_each([first, same_time]) == [same_time]


def finding(name: str, members: str, strength: float, cost: float, **said: float) -> dict[str, Any]:
    """A group as results have it."""
    return {
        "id": name,
        "line": 0.05,
        "share": 0.06,
        "grade": "indication",
        "strength_bits": strength,
        "cost_bits": cost,
        "members": [{"account": account} for account in members],
        "reasons": [{"family": family, "bits": given} for family, given in said.items()],
    }


def result(*groups: dict[str, Any], **settings: Any) -> dict[str, Any]:
    run = {
        "id": "r1",
        "as_of": "2026-05-01T00:00:00Z",
        "settings": DetectionSettings(**settings).model_dump(mode="json"),
    }
    return {"run": run, "groups": list(groups)}


def test_what_would_have_changed_is_reckoned_from_saved_bits() -> None:
    """100 bits of flow at 0.8 and 20 of relay less 50 are 50, of 40 needed; at 0.6 they are
    30, and the finding falls. What was weighed then counts as it was before."""
    past = result(
        finding("x", "abcdefghij", 70, 50, flow=100, relay=20),
        finding("y", "k", 0, 0),
        margin_bits_a_member=4,
    )
    assert changes(past, {"flow": 0.8}, {})["below"] == []
    said = changes(past, {"flow": 0.6}, {"x": "refuted"})
    assert (said["findings"], said["decided"]) == (1, 1)
    (below,) = said["below"]
    assert (below["group"], below["verdict"]) == ("x", "refuted")
    assert (below["would_be_bits"], below["needed_bits"]) == (30, 40)
    weighed = result(
        finding("x", "abcdefghij", 50, 50, flow=80, relay=20),
        weights={"flow": 0.8},
        margin_bits_a_member=4,
    )
    assert changes(weighed, {"flow": 0.8}, {})["below"] == []
    assert changes(weighed, {"flow": 0.6}, {})["below"][0]["would_be_bits"] == 30


def test_documented_findings_do_not_fall() -> None:
    group = {**finding("x", "ab", 10, 50, links=60, flow=100), "grade": "conclusive"}
    assert changes(result(group), {"flow": 0.5}, {})["below"] == []


def test_two_detections_are_compared_by_their_members() -> None:
    same, gone = finding("same", "abcd", 1, 1), finding("gone", "stuv", 1, 1)
    small, large = finding("small", "efg", 1, 1), finding("large", "efgh", 1, 1)
    new = finding("new", "wxyz", 1, 1)
    said = compared(
        result(same, gone, small), result({**same, "grade": "corroborated"}, large, new)
    )
    assert [one["id"] for one in said["gone"]] == ["gone"]
    assert [one["id"] for one in said["new"]] == ["new"]
    (changed,), (graded,) = said["members_changed"], said["grade_changed"]
    assert (changed["before"]["id"], changed["after"]["id"]) == ("small", "large")
    assert (graded["before"]["grade"], graded["after"]["grade"]) == ("indication", "corroborated")


def events(*rows: tuple[int, bool, str]) -> list[Case]:
    """So many groups, confirmed or refuted, of a share."""
    flat = [(yes, share) for count, yes, share in rows for _ in range(count)]
    return [case(number, yes, share, flow=1) for number, (yes, share) in enumerate(flat)]


def test_a_line_is_proposed_where_refuted_groups_lie_below_it() -> None:
    cases = events((12, False, "0.0511"), (1, True, "0.0512"), (40, True, "0.0531"))
    said = propose_line(cases, FIVE_PERCENT)
    assert said["proposed"] == 0.0515
    assert "5.15 %" in said["says"]
    assert "right about 12" in said["says"]
    row = next(row for row in said["lines"] if row["line"] == 0.0515)
    assert (row["right"], row["wrong"]) == (12, 1)


def test_a_lower_line_is_proposed_where_confirmed_groups_lie_above_it() -> None:
    said = propose_line(events((10, True, "0.0471")), FIVE_PERCENT)
    assert said["proposed"] == 0.047


def test_a_few_events_say_nothing_of_the_line() -> None:
    fewest = fewest_events()
    assert fewest == 9
    for count in (0, 1, fewest - 1):
        said = propose_line(events((count, False, "0.051")), FIVE_PERCENT)
        assert said["proposed"] is None
        assert "do not speak for another line" in said["says"]
    assert propose_line(events((fewest, False, "0.051")), FIVE_PERCENT)["proposed"] == 0.0515


@pytest.mark.parametrize("yes", [True, False])
def test_groups_far_from_the_line_say_nothing_of_it(yes: bool) -> None:
    said = propose_line(events((500, yes, "0.08"), (500, not yes, "0.03")), FIVE_PERCENT)
    assert (said["proposed"], said["events"]) == (None, 0)


@given(st.lists(st.tuples(st.integers(1, 20), st.booleans(), st.sampled_from(LINES)), max_size=8))
def test_a_proposed_line_is_right_more_often_than_the_one_in_force(
    rows: list[tuple[int, bool, Fraction]],
) -> None:
    cases = events(*((count, yes, str(share)) for count, yes, share in rows))
    said = propose_line(cases, FIVE_PERCENT)
    if said["proposed"] is None:
        return
    (line,) = [line for line in LINES if float(line) == said["proposed"]]

    def right(at: Fraction) -> int:
        return sum((one.share >= at) == one.confirmed for one in cases)

    assert right(line) >= right(FIVE_PERCENT) + fewest_events()
