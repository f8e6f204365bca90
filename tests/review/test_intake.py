"""From runs to cases, on both homes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from queue_helpers import ANN, BOB, cases, group, hold, members, orders, person, run_of, the_case

from graph.errors import UserError
from graph.log import Desk
from graph.store import RunRecord, Store
from review import desk as at
from review import moves
from review.intake import fill
from review.log import act
from review.policy import built_in
from review.settings import ReviewSettings
from review.verify import verify

Do = Callable[..., Any]


def close(store: Store, key: str, verdict: str = "refuted", **given: Any) -> None:
    given = given or {"reason": "household"}

    def work(desk: Desk) -> None:
        at.claim(desk, ANN, key)
        at.move(desk, ANN, key, moves.IN_REVIEW, built_in())
        at.decide(desk, ANN, key, verdict, **given)

    act(store, ANN, work)


def test_a_finding_begins_a_case_with_what_the_policy_says(store: Store, take: Do) -> None:
    filled = take(group("g1", members((0, 12))))
    case = the_case(store)
    assert filled.cases == {"born": 1}
    assert (case["rule"], case["level"], case["line"]) == ("group-freeze", "red", 0.05)
    assert (case["state"], case["owner"], case["change"]) == ("new", None, "born")
    assert case["base"] == {"supply": "100000", "rule": "stated", "as_of": "2026-06-30T00:00:00Z"}
    assert verify(store).problems == []


def test_exactly_the_line_is_over_it(store: Store, take: Do) -> None:
    take(group("g1", members((0, 10))), group("g2", members((20, 28))))
    found = {case["group"]: case["rule"] for case in cases(store).values()}
    assert found == {"g1": "group-freeze", "g2": "group-letter"}


def test_a_group_at_several_lines_is_one_case(store: Store, take: Do) -> None:
    held = members((0, 12))
    lines = [group(f"g{line}", held, line=line / 100) for line in (3, 4, 5)]
    wider = group("g3w", {**held, **members((12, 14))}, line=0.03)
    take(*lines, wider)
    assert the_case(store)["group"] == "g5"


@pytest.mark.parametrize(
    ("below", "grade", "rule", "ordered"),
    [
        ((0, 9), "corroborated", "group-letter", 9),  # 4.5 %: its letter goes out
        ((0, 9), "indication", "group-freeze", 0),
        ((0, 10), "corroborated", "group-freeze", 0),  # 5 % there, too: people look at the freeze
        ((0, 7), "conclusive", "group-notice", 7),
        ((0, 5), "corroborated", "group-freeze", 0),  # 2.5 %, half of it: no rule is about that
        ((4, 11), "corroborated", "group-notice", 7),
    ],
)
def test_a_group_that_is_only_an_indication_higher_up_is_what_it_is_below(
    store: Store, take: Do, below: tuple[int, int], grade: str, rule: str, ordered: int
) -> None:
    whole = group("g5", members((0, 11)), grade="indication")
    part = group("g4", members(below), line=0.03, grade=grade)
    take(whole, part)
    case = the_case(store)
    assert (case["rule"], case["group"]) == (rule, "g4" if ordered else "g5")
    action = rule.removeprefix("group-")
    assert orders(store) == [(action, account) for account in members(below)][:ordered]
    assert verify(store).problems == []


def test_what_is_sure_of_a_small_part_says_nothing_of_the_whole(store: Store, take: Do) -> None:
    take(
        group("g5", members((0, 20)), grade="indication"),
        group("g3", members((0, 7)), line=0.03),
    )
    assert (the_case(store)["group"], orders(store)) == ("g5", [])


def test_a_group_keeps_its_case_as_it_becomes_sure(store: Store, take: Do) -> None:
    take(group("g1", members((0, 11)), grade="indication"))
    first = the_case(store)["id"]
    take(
        group("g2", members((0, 11)), grade="indication"),
        group("g3", members((0, 9)), line=0.04),
    )
    case = the_case(store)
    assert (case["id"], case["rule"], case["grade"]) == (first, "group-letter", "corroborated")
    take(group("g4", members((0, 10))))
    case = the_case(store)
    assert (case["id"], case["rule"]) == (first, "group-freeze")
    assert {action for action, _ in orders(store)} == {"letter"}  # frozen after two people agree


def test_a_run_is_taken_in_once_and_a_pruned_one_never(store: Store, take: Do) -> None:
    take(group("g1", members((0, 12))))
    head = store.log.head()
    with pytest.raises(UserError, match="r1 is in the queue already"):
        fill(store, ANN, store.run("r1"))
    pruned = RunRecord("r9", store.run("r1").created_at, {"pruned": True, "groups": []})
    with pytest.raises(UserError, match="r9 was pruned"):
        fill(store, ANN, pruned)
    assert store.log.head() == head


def test_a_group_keeps_its_case_from_run_to_run(store: Store, take: Do) -> None:
    take(group("g1", members((0, 8))))
    first = the_case(store)
    take(group("g2", members((0, 12))))
    case = the_case(store)
    assert case["id"] == first["id"]
    assert (case["group"], case["groups"], case["change"]) == ("g2", ["g1", "g2"], "grew")
    assert (case["level"], case["rule"]) == ("red", "group-freeze")
    assert len(store.log.view("members", case["id"])["members"]) == 12  # type: ignore[index]


def test_letters_and_notices_go_out_at_once_and_once(store: Store, take: Do) -> None:
    """A notice once for an account ever; a letter once for a case until it is opened again."""
    take(group("g1", members((0, 7))))
    notices = [("notice", account) for account in members((0, 7))]
    assert orders(store) == notices
    take(group("g2", members((0, 7))))
    assert orders(store) == notices
    take(group("g3", members((0, 9))))
    letters = [("letter", account) for account in members((0, 9))]
    assert orders(store) == letters + notices
    take()
    take(group("g5", members((0, 9))))
    assert orders(store) == sorted(letters + notices)
    take(group("g6", members((0, 6)), line=0.03))
    assert orders(store) == sorted(letters + notices)


def test_a_group_that_is_not_found_again_stays_and_says_so(store: Store, take: Do) -> None:
    take(group("g1", members((0, 12))))
    filled = take()
    case = the_case(store)
    assert filled.cases == {"not_reproduced": 1}
    assert (case["change"], case["gone"], case["state"]) == ("not_reproduced", True, "new")
    assert take().cases == {}
    assert take(group("g3", members((0, 12)))).cases == {"unchanged": 1}
    assert "gone" not in the_case(store)


def test_a_merger_and_a_split(store: Store, take: Do) -> None:
    take(group("g1", members((0, 12))), group("g2", members((20, 31))))
    keys = {case["group"]: key for key, case in cases(store).items()}
    take(group("g3", {**members((0, 12)), **members((20, 31))}))
    assert cases(store)[keys["g2"]]["state"] == moves.CLOSED
    assert cases(store)[keys["g2"]]["decision"]["of"] == keys["g1"]
    assert cases(store)[keys["g1"]]["group"] == "g3"
    take(group("g4", members((0, 12))), group("g5", members((20, 31))))
    changes = {case["group"]: case["change"] for case in cases(store).values()}
    assert changes["g4"] == "shrank"
    assert changes["g5"] == f"split from {keys['g1']}"
    assert verify(store).problems == []


def test_a_closed_case_opens_again_only_where_it_changed_materially(store: Store, take: Do) -> None:
    take(group("g1", members((0, 8)), grade="indication"))
    key = the_case(store)["id"]
    close(store, key)
    assert take(group("g2", members((0, 8)), grade="indication")).cases == {
        "closed and as it was": 1
    }
    assert the_case(store)["state"] == moves.CLOSED
    filled = take(group("g3", members((0, 12)), grade="indication"))
    assert filled.cases["reopened"] == 1
    case = the_case(store)
    assert case["state"] == moves.REOPENED
    assert "over 5.00% now, and was over 4.00%" in case["reopened_for"]
    close(store, key)
    take(group("g4", members((0, 12)), grade="corroborated"))
    assert "corroborated now, and was indication" in the_case(store)["reopened_for"]
    close(store, key)
    take(group("g5", {**members((0, 6)), **members((40, 46))}))
    assert "of what it holds" in the_case(store)["reopened_for"]


def test_an_account_over_a_line_alone_is_a_case_and_is_frozen_at_once(
    store: Store, take: Do
) -> None:
    hold(store, {**members((0, 60)), "whale": 5000, "dolphin": 4000, "tuna": 3000})
    run = run_of("r1")
    store.save_run(run)
    fill(store, ANN, run)
    assert orders(store) == [("freeze", "whale"), ("letter", "dolphin"), ("notice", "tuna")]
    whale = next(case for case in cases(store).values() if case["share"] == 0.05)
    assert (whale["on"], whale["freeze"], whale["level"]) == ("account", "ordered", "red")


def test_unfreezing_is_proposed_where_a_group_falls_below_the_line(store: Store, take: Do) -> None:
    take(group("g1", members((0, 12))))
    key = the_case(store)["id"]
    mark = store.properties.key_fingerprint

    def agree(desk: Desk) -> None:
        at.claim(desk, ANN, key)
        at.move(desk, ANN, key, moves.IN_REVIEW, built_in())
        at.decide(desk, ANN, key, "confirmed", words="one will", fingerprint=mark)
        at.look(desk, BOB, key)
        at.second(desk, BOB, key, True, fingerprint=mark)

    act(store, ANN, agree)
    assert the_case(store)["freeze"] == "ordered"
    take(group("g2", members((0, 8))))
    case = the_case(store)
    assert case.get("proposed") == "unfreeze"
    act(store, ANN, lambda desk: at.lift(desk, ANN, key, "below the line", mark))
    case = the_case(store)
    assert (case["freeze"], "proposed" in case) == ("lifted", False)
    assert [action for action, _ in orders(store)].count("unfreeze") == 12
    with pytest.raises(UserError, match="Nothing is frozen"):
        act(store, ANN, lambda desk: at.lift(desk, ANN, key, "again", mark))


def test_who_is_nobody_fills_nothing(store: Store, take: Do) -> None:
    nobody = person("zoe", settings=ReviewSettings(roles={"investigator": ("ann",)}))
    with pytest.raises(UserError, match="zoe may not fill the queue"):
        take(group("g1", members((0, 12))), who=nobody)
    assert cases(store) == {}
