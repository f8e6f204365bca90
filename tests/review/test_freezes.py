"""A freeze ends: who is frozen, for which cases, by whose word, and until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from queue_helpers import (
    ANN,
    BOB,
    EVE,
    cases,
    group,
    hold,
    members,
    orders,
    person,
    run_of,
    the_case,
)

from graph.clock import iso, parse_time
from graph.errors import UserError
from graph.store import Store
from review import desk as at
from review import moves
from review.clock import tick
from review.intake import fill
from review.log import act
from review.people import Person, RefusedError
from review.people import person as who_acts
from review.policy import built_in
from review.policy_history import adopt
from review.settings import ReviewSettings
from review.verify import verify

Do = Callable[..., Any]
BEGIN = parse_time("2026-07-01T12:00:00Z")
TEN = members((0, 12))

PROVISIONAL = """
name = "p"
effective_from = 2026-01-01
[[rules]]
id = "account-freeze"
on = "account"
line = "5%"
action = "freeze"
level = "red"
[[rules]]
id = "group-letter"
on = "group"
line = "4%"
action = "letter"
level = "yellow"
[[rules]]
id = "group-freeze"
on = "group"
line = "5%"
action = "freeze"
level = "red"
provisional = true
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Do:
    """Sets the clock to so many hours after BEGIN."""

    def clock(hours: float) -> None:
        monkeypatch.setenv("INCONCERT_NOW", iso(BEGIN + timedelta(hours=hours)))

    clock(0)
    return clock


@pytest.fixture
def do(store: Store) -> Do:
    def do(who: Person, what: Callable[..., Any], *given: Any, **more: Any) -> Any:
        return act(store, who, lambda desk: what(desk, who, *given, **more))

    return do


def provisional(store: Store, text: str = PROVISIONAL) -> None:
    told, made = datetime(2025, 12, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    act(store, EVE, lambda desk: adopt(desk, EVE.anybody(), text, told, "no. 1", made))


def acknowledge(store: Store, action: str = "freeze", *, done: bool = True) -> None:
    for key, order in store.log.views("order").items():
        if order["action"] == action and "acknowledged" not in order:
            act(store, ANN, lambda desk, key=key: at.acknowledge(desk, ANN, key, done, None))


def review(do: Do, key: str, verdict: str, **said: Any) -> None:
    do(ANN, at.look, key)
    do(ANN, at.claim, key)
    do(ANN, at.move, key, moves.IN_REVIEW, built_in())
    do(ANN, at.decide, key, verdict, **said)


def confirm(do: Do, key: str) -> None:
    review(do, key, "confirmed", words="one will")
    do(BOB, at.look, key)
    do(BOB, at.second, key, True)


def whale(store: Store, *others: dict[str, Any], held: int = 5000) -> str:
    """The case of an account that holds 5 % alone; with other groups of the same run."""
    hold(store, {**members((0, 60)), "whale": held})
    run = run_of("w1", *others)
    store.save_run(run)
    fill(store, ANN, run)
    return next(key for key, case in cases(store).items() if case["on"] == "account")


def frozen(store: Store) -> dict[str, list[str]]:
    return {key: doc["accounts"] for key, doc in store.log.views("frozen").items()}


@pytest.mark.parametrize(
    ("verdict", "said"),
    [("inconclusive", {"words": "who knows"}), ("refuted", {"reason": "gift"})],
)
def test_whatever_closes_a_case_but_a_confirmation_frees(
    store: Store, do: Do, clock: Do, verdict: str, said: Any
) -> None:
    key = whale(store)
    acknowledge(store)
    review(do, key, verdict, **said)
    assert orders(store) == [("freeze", "whale"), ("unfreeze", "whale")]
    assert (frozen(store), cases(store)[key]["freeze"]) == ({}, "lifted")


def test_a_merged_case_hands_its_freeze_and_its_clock_on(
    store: Store, do: Do, clock: Do, take: Do
) -> None:
    provisional(store)
    take(group("g1", TEN), group("g2", members((20, 31))))
    acknowledge(store)
    keys = {case["group"]: key for key, case in cases(store).items()}
    clock(10)
    take(group("g3", {**TEN, **members((20, 31))}))
    assert set(frozen(store)) == {keys["g1"]}
    assert len(frozen(store)[keys["g1"]]) == 23
    clock(48)
    assert tick(store, ANN, built_in()) == {"expired": 1}
    assert frozen(store) == {}
    assert sorted(a for what, a in orders(store) if what == "unfreeze") == sorted(
        {**TEN, **members((20, 31))}
    )
    assert verify(store).problems == []


def test_a_second_freeze_expires_as_the_first_did(
    store: Store, do: Do, clock: Do, take: Do
) -> None:
    provisional(store)
    take(group("g1", TEN))
    acknowledge(store)
    clock(48)
    assert tick(store, ANN, built_in()) == {"expired": 1}
    acknowledge(store, "unfreeze")
    review(do, the_case(store)["id"], "inconclusive", words="no")
    take(group("g2", members((0, 16))))
    acknowledge(store)
    case = the_case(store)
    assert (case["state"], case["freeze"]) == (moves.REOPENED, "in_force")
    clock(48 + 48)
    assert tick(store, ANN, built_in()) == {"expired": 1}
    assert frozen(store) == {}


def test_what_was_not_carried_out_is_as_it_was_before(store: Store, do: Do, clock: Do) -> None:
    key = whale(store)
    acknowledge(store)
    do(ANN, at.lift, key, "a mistake", "f")
    acknowledge(store, "unfreeze", done=False)
    assert frozen(store) == {key: ["whale"]}
    do(ANN, at.lift, key, "once more", "f")
    acknowledge(store, "unfreeze")
    assert frozen(store) == {}
    assert verify(store).problems == []


def test_who_is_frozen_for_two_cases_is_free_when_both_give_it_up(
    store: Store, do: Do, clock: Do
) -> None:
    both = {**members((0, 3)), "whale": 5000}
    key = whale(store, group("g1", both))
    other = next(one for one in cases(store) if one != key)
    acknowledge(store)
    confirm(do, other)
    assert [account for what, account in orders(store) if what == "freeze"].count("whale") == 1
    do(ANN, at.look, other)
    do(ANN, at.reopen, other, "new papers")
    review(do, other, "refuted", reason="household")
    assert ("unfreeze", "whale") not in orders(store)
    assert frozen(store) == {key: ["whale"]}
    do(ANN, at.look, key)
    review(do, key, "refuted", reason="gift")
    assert ("unfreeze", "whale") in orders(store)
    assert (frozen(store), store.log.views("held")) == ({}, {})


def test_what_two_people_confirmed_does_not_expire_and_has_its_time_when_opened_again(
    store: Store, do: Do, clock: Do, take: Do
) -> None:
    take(group("g1", TEN))
    key = the_case(store)["id"]
    confirm(do, key)
    acknowledge(store)
    clock(500)
    assert tick(store, ANN, built_in()) == {}
    do(ANN, at.look, key)
    do(ANN, at.reopen, key, "an appeal came")
    assert the_case(store)["due"] == iso(BEGIN + timedelta(hours=548))
    assert tick(store, ANN, built_in()) == {}
    clock(548)
    assert tick(store, ANN, built_in()) == {"expired": 1}


def test_the_clock_of_a_freeze_does_not_begin_again_while_it_is_in_force(
    store: Store, clock: Do, take: Do
) -> None:
    provisional(store)
    take(group("g1", TEN))
    acknowledge(store)
    due = the_case(store)["due"]
    clock(20)
    take()
    take(group("g3", {**TEN, **members((12, 14))}))
    acknowledge(store)
    assert the_case(store)["due"] == due
    assert len(orders(store)) == 14  # who is frozen is not frozen again


def test_a_proposal_about_others_than_it_was_made_for_is_void(
    store: Store, do: Do, take: Do
) -> None:
    take(group("g1", members((0, 9))))
    key = the_case(store)["id"]
    review(do, key, "confirmed", words="one will")
    take(group("g2", members((0, 11))))
    case = the_case(store)
    assert (case["state"], "pending" in case) == (moves.IN_REVIEW, False)
    assert "other members" in case["void"]
    do(BOB, at.look, key)
    with pytest.raises(UserError, match="Nothing is proposed"):
        do(BOB, at.second, key, True)


def test_who_never_looked_at_a_case_seconds_nothing(store: Store, do: Do, take: Do) -> None:
    take(group("g1", TEN))
    key = the_case(store)["id"]
    review(do, key, "confirmed", words="one will")
    with pytest.raises(UserError, match="bob has not looked at case"):
        do(BOB, at.second, key, True)


def test_what_follows_is_what_the_policy_said_that_the_case_was_found_by(
    store: Store, do: Do, take: Do
) -> None:
    provisional(store)
    take(group("g1", members((0, 9)), grade="indication"))
    key = the_case(store)["id"]
    stricter = PROVISIONAL.replace("2026-01-01", "2026-06-01").replace(
        'line = "4%"\naction = "letter"', 'line = "4.8%"\naction = "freeze"'
    )
    provisional(store, stricter.replace('id = "group-letter"', 'id = "another"'))
    confirm(do, key)
    assert {what for what, _ in orders(store)} == {"letter"}


def test_who_left_a_group_is_proposed_for_unfreezing(store: Store, do: Do, take: Do) -> None:
    take(group("g1", TEN))
    key = the_case(store)["id"]
    confirm(do, key)
    take(group("g2", members((0, 11))))
    case = the_case(store)
    assert (case["proposed"], case["proposed_for"]) == ("unfreeze", ["a11"])
    do(ANN, at.lift, key, "left it", "f", ["a11"])
    assert ("unfreeze", "a11") in orders(store)
    assert len(frozen(store)[key]) == 11


def test_below_the_line_unfreezing_is_proposed_of_a_closed_case_too(
    store: Store, do: Do, take: Do
) -> None:
    take(group("g1", TEN))
    confirm(do, the_case(store)["id"])
    less = members((0, 12), each=400)
    take(group("g2", less))
    case = the_case(store)
    assert (case["state"], case["proposed"], case["proposed_for"]) == ("closed", "unfreeze", None)
    take(group("g3", TEN))
    assert "proposed" not in the_case(store)


def test_confirmed_after_an_expiry_is_frozen_again(store: Store, do: Do, clock: Do) -> None:
    key = whale(store)
    acknowledge(store)
    clock(48)
    tick(store, ANN, built_in())
    confirm(do, key)
    assert orders(store) == [("freeze", "whale")] * 2 + [("unfreeze", "whale")]
    assert frozen(store) == {key: ["whale"]}


def test_an_institution_is_looked_at_before_it_is_frozen(store: Store) -> None:
    from queue_helpers import load_roles

    load_roles(store, {"whale": "custodian"})
    whale(store)
    assert orders(store) == []
    assert not the_case(store)["may_order"]


# -- runs --------------------------------------------------------------------------------------


def test_a_run_of_before_what_the_queue_knows_is_refused(store: Store, take: Do) -> None:
    take(group("g1", TEN), as_of="2026-06-30T00:00:00Z")
    head = store.log.head()
    with pytest.raises(UserError, match="is of before run r1"):
        take(group("g2", TEN), as_of="2026-06-29T00:00:00Z")
    assert store.log.head() == head


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"detectors": ["flow"]}, "looked without clique"),
        ({"exact_lines": ["1/20"]}, "did not look at the line of 4.00%"),
    ],
)
def test_a_run_that_did_not_look_for_all_is_refused(store: Store, said: Any, sentence: str) -> None:
    provisional(store)
    hold(store, TEN)
    run = run_of("r1", group("g1", TEN))
    run.result["run"] |= said
    with pytest.raises(UserError, match=sentence):
        fill(store, ANN, run)
    assert cases(store) == {}


def test_two_runs_at_once_make_no_case_twice(
    store: Store, take: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(group("g1", TEN))
    second, third = run_of("r8", group("g8", members((0, 13)))), run_of("r9", group("g9", TEN))
    from review import intake

    matching, meanwhile = intake._matched, [second]

    def matched(*given: Any) -> Any:
        found = matching(*given)
        if meanwhile:
            fill(store, BOB, meanwhile.pop())
        return found

    monkeypatch.setattr(intake, "_matched", matched)
    fill(store, ANN, third)
    assert len(cases(store)) == 1
    assert the_case(store)["group"] == "g9"


def test_a_group_whose_id_was_a_case_before_is_in_the_queue(store: Store, take: Do) -> None:
    take(group("g1", TEN), group("g2", members((20, 31))))
    take(group("g3", {**TEN, **members((20, 31))}))
    take(group("g1", TEN), group("g2", members((20, 31))))
    held = {
        case["group"]: case["state"] for case in cases(store).values() if case["state"] == "new"
    }
    assert held == {"g1": "new", "g2": "new"}
    assert verify(store).problems == []


# -- who ---------------------------------------------------------------------------------------


def test_one_operator_is_not_two_persons(
    store: Store, do: Do, take: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ReviewSettings(
        roles={"investigator": ("ann", "bob"), "operator": ("opa",)}, people={"opa": ("a03",)}
    )
    monkeypatch.setenv("INCONCERT_USER", "opa")
    ann, bob = who_acts(settings, "ann"), who_acts(settings, "bob")
    free = ReviewSettings(roles=settings.roles)
    take(group("g1", TEN), who=ann)
    key = the_case(store)["id"]
    do(ann, at.claim, key)
    with pytest.raises(RefusedError, match="member of the group"):
        do(ann, at.move, key, moves.IN_REVIEW, built_in())  # the account is the operator's
    ann, bob = who_acts(free, "ann"), who_acts(free, "bob")
    do(ann, at.move, key, moves.IN_REVIEW, built_in())
    do(ann, at.decide, key, "confirmed", words="one will")
    do(bob, at.look, key)
    with pytest.raises(RefusedError, match="bob may not second"):
        do(bob, at.second, key, True)
    logins = {event.login for event in store.log.events(f"case/{key}") if event.user == "ann"}
    assert all("opa" in login for login in logins)


def test_a_duplicate_shares_accounts_and_has_nothing_frozen(
    store: Store, do: Do, clock: Do, take: Do
) -> None:
    key = whale(store, group("g1", TEN), group("g2", members((0, 3), (30, 40))))
    one, other = (k for k, case in cases(store).items() if case["on"] == "group")
    with pytest.raises(UserError, match="none of the accounts"):
        do(BOB, at.decide, one, "duplicate", of=key)
    both = {**members((0, 3)), "whale": 5000}
    run = run_of("w2", group("g3", both))
    store.save_run(run)
    fill(store, ANN, run)
    third = next(k for k, case in cases(store).items() if case["group"] == "g3")
    with pytest.raises(UserError, match="frozen"):
        do(BOB, at.decide, key, "duplicate", of=third)
    do(BOB, at.decide, other, "duplicate", of=one)
    assert cases(store)[other]["state"] == moves.CLOSED


@pytest.mark.parametrize("step", [at.lift, at.reopen, at.snooze])
def test_nobody_moves_the_case_of_an_account_of_their_own(
    store: Store, clock: Do, step: Any
) -> None:
    key = whale(store)
    mole = person("mole", "whale")
    if step is at.reopen:
        review(partial(_do, store), key, "inconclusive", words="w")
    given = {at.lift: ("words", "f"), at.reopen: ("words",), at.snooze: (BEGIN,)}[step]
    with pytest.raises(RefusedError, match="member of the group"):
        act(store, mole, lambda desk: step(desk, mole, key, *given))


def _do(store: Store, who: Person, what: Any, *given: Any, **more: Any) -> Any:
    return act(store, who, lambda desk: what(desk, who, *given, **more))


def test_a_proposal_is_not_cancelled_by_the_holders_clock(
    store: Store, do: Do, clock: Do, take: Do
) -> None:
    take(group("g1", TEN))
    key = the_case(store)["id"]
    do(ANN, at.claim, key)
    do(ANN, at.move, key, moves.IN_REVIEW, built_in())
    do(ANN, at.move, key, moves.AWAITING, built_in())
    do(ANN, at.decide, key, "confirmed", words="one will")
    clock(500)
    assert tick(store, ANN, built_in()) == {}
    assert the_case(store)["state"] == moves.PENDING


def test_what_woke_can_be_claimed_by_anybody(store: Store, do: Do, clock: Do, take: Do) -> None:
    take(group("g1", TEN))
    key = the_case(store)["id"]
    do(ANN, at.claim, key)
    do(ANN, at.snooze, key, BEGIN + timedelta(hours=1))
    clock(1)
    tick(store, ANN, built_in())
    assert do(BOB, at.claim, key)["owner"] == "bob"
    with pytest.raises(UserError, match="Say whose"):
        do(BOB, at.assign, key, " ")
