"""Cases, moves and decisions, on both homes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
from queue_helpers import ANN, BOB, EVE, cases, group, members, orders, person, the_case

from graph.errors import UserError
from graph.log import Desk, Draft
from graph.store import Store
from review import desk as at
from review import moves
from review.cases import subject
from review.log import act, project
from review.people import Person, RefusedError
from review.policy import built_in, parse
from review.settings import ReviewSettings
from review.verify import verify

TEN = members((0, 12))
"""Twelve who hold 6 % together."""

Do = Callable[..., Any]


@pytest.fixture
def do(store: Store) -> Do:
    """Does something at the desk as somebody: do(ANN, at.claim, key)."""

    def do(who: Person, what: Callable[..., Any], *given: Any, **more: Any) -> Any:
        return act(store, who, lambda desk: what(desk, who, *given, **more))

    return do


def reviewed(store: Store, do: Do, take: Do, who: Person = ANN, **about: Any) -> str:
    """A case that somebody is reviewing."""
    take(group("g1", TEN, **about))
    key: str = the_case(store)["id"]
    do(who, at.claim, key)
    do(who, at.move, key, moves.IN_REVIEW, built_in())
    return key


def second(do: Do, who: Person, key: str, agrees: bool, **more: Any) -> None:
    """As somebody does who looked at the case first."""
    do(who, at.look, key)
    do(who, at.second, key, agrees, **more)


def confirmed(store: Store, do: Do, key: str) -> None:
    mark = store.properties.key_fingerprint
    do(ANN, at.decide, key, "confirmed", words="one will", fingerprint=mark)
    second(do, BOB, key, True, fingerprint=mark)


def put(store: Store, key: str, state: str) -> None:
    """Bring a case into a state, whatever the rules say."""
    pending = {"verdict": "confirmed", "reason": None, "of": None, "exclude": [], "to": state}
    draft = Draft(subject(key), "moved", {"to": state})
    if state == moves.PENDING:
        draft = Draft(subject(key), "decided", pending)
    if state == moves.CLOSED:
        draft = Draft(subject(key), "decided", pending)
    actor = EVE.anybody()
    store.log.write(lambda desk: desk.record(actor, draft), project)


# -- moves ------------------------------------------------------------------------------------


def test_every_pair_of_states_moves_as_the_table_says() -> None:
    for state, wanted in product(moves.STATES, moves.STATES):
        command = moves.MOVES[state].get(wanted)
        for by in ("move", "claim", "assign", "snooze", "decide", "second", "reopen"):
            if by == command:
                moves.refuse_move("c", state, wanted, by)
            else:
                with pytest.raises(UserError):
                    moves.refuse_move("c", state, wanted, by)


def test_every_state_is_left_and_reached_but_new() -> None:
    reached = {to for allowed in moves.MOVES.values() for to in allowed}
    assert reached == set(moves.STATES) - {moves.NEW}
    assert all(moves.MOVES.values())


@pytest.mark.parametrize("state", moves.STATES)
def test_a_case_moves_only_as_the_table_says(store: Store, do: Do, take: Do, state: str) -> None:
    take(group("g1", TEN))
    key = the_case(store)["id"]
    for wanted in moves.STATES:
        if state != the_case(store)["state"]:
            put(store, key, state)
        head = store.log.head().number
        if moves.MOVES[state].get(wanted) == "move":
            do(EVE, at.move, key, wanted, built_in(), seen=the_case(store)["version"])
            assert the_case(store)["state"] == wanted
        else:
            with pytest.raises(UserError):
                do(EVE, at.move, key, wanted, built_in())
            assert store.log.head().number == head
    assert verify(store).problems == []


def test_there_is_no_such_state_and_no_such_case(store: Store, do: Do, take: Do) -> None:
    take(group("g1", TEN))
    with pytest.raises(UserError, match="no state 'done'"):
        do(ANN, at.move, the_case(store)["id"], "done", built_in())
    with pytest.raises(UserError, match="no case 'nothing'"):
        do(ANN, at.claim, "nothing")


# -- claims -----------------------------------------------------------------------------------


def test_a_case_is_claimed_by_one(store: Store, do: Do, take: Do) -> None:
    take(group("g1", TEN))
    key = the_case(store)["id"]
    assert do(ANN, at.claim, key)["owner"] == "ann"
    assert do(ANN, at.claim, key)["version"] == the_case(store)["version"]  # once more: as it was
    with pytest.raises(UserError, match="is ann's"):
        do(BOB, at.claim, key)


def test_what_is_anothers_is_moved_by_a_senior_alone(store: Store, do: Do, take: Do) -> None:
    settings = ReviewSettings(roles={"investigator": ("ann", "bob"), "senior": ("sue",)})
    ann, bob, sue = (person(name, settings=settings) for name in ("ann", "bob", "sue"))
    take(group("g1", TEN), who=ann)
    key = the_case(store)["id"]
    do(ann, at.claim, key)
    with pytest.raises(RefusedError, match="bob may not"):
        do(bob, at.move, key, moves.IN_REVIEW, built_in())
    with pytest.raises(RefusedError, match="bob may not"):
        do(bob, at.assign, key, "bob")
    do(sue, at.assign, key, "bob")
    assert the_case(store)["owner"] == "bob"
    refused = [one for one in store.log.events() if one.action == "refused"]
    assert [(one.user, one.facts["about"]) for one in refused] == [("bob", key), ("bob", key)]


def test_a_stale_view_is_refused_with_what_changed(store: Store, do: Do, take: Do) -> None:
    take(group("g1", TEN))
    key = the_case(store)["id"]
    do(BOB, at.look, key)
    do(ANN, at.claim, key)
    with pytest.raises(at.StaleError, match=r"version 1, now 2\): it is assigned, ann's, at 6.00%"):
        do(BOB, at.move, key, moves.IN_REVIEW, built_in())
    do(BOB, at.look, key)
    do(BOB, at.move, key, moves.IN_REVIEW, built_in())
    with pytest.raises(at.StaleError):
        do(ANN, at.move, key, moves.AWAITING, built_in(), seen=2)
    do(ANN, at.move, key, moves.AWAITING, built_in(), seen=3)


# -- decisions --------------------------------------------------------------------------------


def test_a_group_is_frozen_after_two_people_agree(store: Store, do: Do, take: Do) -> None:
    key = reviewed(store, do, take)
    assert orders(store) == []
    do(ANN, at.decide, key, "confirmed", words="one device")
    assert the_case(store)["state"] == moves.PENDING
    assert orders(store) == []
    second(do, BOB, key, True)
    case = the_case(store)
    assert (case["state"], case["freeze"]) == (moves.CLOSED, "ordered")
    assert (case["decision"]["by"], case["decision"]["second"]) == ("ann", "bob")
    assert orders(store) == [("freeze", account) for account in sorted(TEN)]
    assert verify(store).problems == []


def test_nobody_seconds_what_they_proposed(store: Store, do: Do, take: Do) -> None:
    key = reviewed(store, do, take)
    do(ANN, at.decide, key, "confirmed", words="one device")
    with pytest.raises(RefusedError, match="ann may not second"):
        do(ANN, at.second, key, True)
    assert the_case(store)["state"] == moves.PENDING
    [refused] = [one for one in store.log.events() if one.action == "refused"]
    assert refused.user == "ann"


def test_a_member_of_the_group_decides_and_seconds_nothing(store: Store, do: Do, take: Do) -> None:
    key = reviewed(store, do, take)
    mole = person("mole", "a03")
    do(ANN, at.decide, key, "confirmed", words="one device")
    with pytest.raises(RefusedError, match="member of the group"):
        second(do, mole, key, True)
    second(do, BOB, key, False, words="look again")
    assert the_case(store)["state"] == moves.IN_REVIEW
    do(mole, at.look, key)
    with pytest.raises(RefusedError, match="member of the group"):
        do(mole, at.decide, key, "inconclusive", words="no")


def test_who_objects_says_why_and_the_case_goes_back(store: Store, do: Do, take: Do) -> None:
    key = reviewed(store, do, take)
    do(ANN, at.decide, key, "confirmed", words="one device")
    with pytest.raises(UserError, match="Say why you object"):
        second(do, BOB, key, False)
    second(do, BOB, key, False, words="a library's device")
    assert the_case(store)["state"] == moves.IN_REVIEW
    assert orders(store) == []
    assert "a library's device" in {one.text for one in store.log.words(subject(key)).values()}


def test_unrelated_accounts_need_a_second_person_and_a_household_does_not(
    store: Store, do: Do, take: Do
) -> None:
    key = reviewed(store, do, take)
    do(ANN, at.decide, key, "refuted", reason="unrelated")
    assert the_case(store)["state"] == moves.PENDING
    second(do, BOB, key, False, words="no")
    do(ANN, at.look, key)
    do(ANN, at.decide, key, "refuted", reason="household")
    assert the_case(store)["state"] == moves.CLOSED
    assert the_case(store)["decision"]["verdict"] == "refuted"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"verdict": "guilty"}, "'guilty' is no verdict"),
        ({"verdict": "refuted"}, "for a reason of the list"),
        ({"verdict": "refuted", "reason": "mood"}, "for a reason of the list"),
        ({"verdict": "refuted", "reason": "other"}, "said in words"),
        ({"verdict": "confirmed"}, "Say why"),
        ({"verdict": "confirmed", "words": "  "}, "no words"),
        ({"verdict": "confirmed", "words": "x" * 5000}, "5,000 characters"),
        ({"verdict": "inconclusive"}, "Say why"),
        ({"verdict": "duplicate"}, "names the case that it doubles"),
        ({"verdict": "duplicate", "of": "nothing"}, "no other case 'nothing'"),
        ({"verdict": "confirmed", "words": "w", "exclude": ["zoe"]}, "zoe is no member"),
    ],
)
def test_a_decision_without_what_it_needs_changes_nothing(
    store: Store, do: Do, take: Do, given: dict[str, Any], sentence: str
) -> None:
    key = reviewed(store, do, take)
    head = store.log.head()
    with pytest.raises(UserError, match=sentence):
        do(ANN, at.decide, key, **given)
    assert store.log.head() == head


def test_a_case_is_decided_when_it_was_reviewed(store: Store, do: Do, take: Do) -> None:
    take(group("g1", TEN))
    key = the_case(store)["id"]
    with pytest.raises(UserError, match="decided when it was reviewed"):
        do(ANN, at.decide, key, "refuted", reason="household")


def test_nothing_is_ordered_against_whom_the_decision_leaves_out(
    store: Store, do: Do, take: Do
) -> None:
    key = reviewed(store, do, take)
    do(ANN, at.decide, key, "confirmed", words="but not her", exclude=["a00"])
    second(do, BOB, key, True)
    assert ("freeze", "a00") not in orders(store)
    assert len(orders(store)) == len(TEN) - 1


def test_an_order_names_only_whom_the_finding_names(store: Store, do: Do, take: Do) -> None:
    unsure = group("g1", TEN)
    unsure["members"][4]["named"] = False
    take(unsure)
    key = the_case(store)["id"]
    do(ANN, at.claim, key)
    do(ANN, at.move, key, moves.IN_REVIEW, built_in())
    confirmed(store, do, key)
    assert ("freeze", "a04") not in orders(store)
    assert len(orders(store)) == len(TEN) - 1


def test_a_refuted_case_frees_what_was_frozen_for_the_time_being(
    store: Store, do: Do, take: Do
) -> None:
    """A policy may freeze a group provisionally, before two people agree."""
    text = (
        'name = "p"\neffective_from = 2026-01-01\n'
        '[[rules]]\nid = "g"\non = "group"\nline = "5%"\naction = "freeze"\nlevel = "red"\n'
        "provisional = true\n"
    )
    from review.policy_history import adopt

    adopting = partial(adopt, text=text, filed="no. 1", made=datetime(2027, 1, 1, tzinfo=UTC))
    announced = datetime(2025, 12, 1, tzinfo=UTC)
    act(store, EVE, lambda desk: adopting(desk, EVE.anybody(), announced=announced))
    key = reviewed(store, do, take)
    assert orders(store) == [("freeze", account) for account in sorted(TEN)]
    do(ANN, at.decide, key, "refuted", reason="household")
    assert orders(store)[len(TEN) :] == [("unfreeze", account) for account in sorted(TEN)]
    assert parse(text).rule("g").provisional


def test_an_indication_leads_to_nothing_before_people_agree(store: Store, do: Do, take: Do) -> None:
    take(group("g1", members((0, 7)), grade="indication"))  # 3.5 %: a notice
    assert orders(store) == []
    key = the_case(store)["id"]
    do(ANN, at.claim, key)
    do(ANN, at.move, key, moves.IN_REVIEW, built_in())
    confirmed(store, do, key)
    assert orders(store) == [("notice", account) for account in sorted(members((0, 7)))]


# -- time -------------------------------------------------------------------------------------


def test_a_frozen_case_does_not_rest(store: Store, do: Do, take: Do) -> None:
    key = reviewed(store, do, take)
    until = datetime.now(UTC) + timedelta(days=3)
    with pytest.raises(UserError, match="not in the future"):
        do(ANN, at.snooze, key, datetime(2020, 1, 1, tzinfo=UTC))
    do(ANN, at.snooze, key, until)
    assert the_case(store)["state"] == moves.SNOOZED
    do(ANN, at.claim, key)
    do(ANN, at.move, key, moves.IN_REVIEW, built_in())
    confirmed(store, do, key)
    do(ANN, at.look, key)
    do(ANN, at.reopen, key, "new papers")
    with pytest.raises(UserError, match="freeze in force"):
        do(ANN, at.snooze, key, until)


def test_a_killed_decision_is_wholly_there_or_not_at_all(store: Store, do: Do, take: Do) -> None:
    key = reviewed(store, do, take)
    before = store.log.head()

    def dies(desk: Desk) -> None:
        at.decide(desk, ANN, key, "confirmed", words="one device")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        act(store, ANN, dies)
    assert store.log.head() == before
    assert cases(store)[key]["state"] == moves.IN_REVIEW
    assert verify(store).problems == []


def test_what_goes_out_and_comes_back_makes_no_view_stale(store: Store, do: Do, take: Do) -> None:
    take(group("g1", members((0, 7))))
    key = the_case(store)["id"]
    do(ANN, at.look, key)
    order = next(iter(store.log.views("order")))
    do(BOB, at.acknowledge, order, True, None)
    do(ANN, at.move, key, moves.TRIAGED, built_in())


def test_whose_accounts_are_whose_is_known_in_a_masked_store(
    url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graph.digest import mask
    from graph.store import init_store
    from inconcert.manners import Manners
    from inconcert.reviewing import Queue

    store = init_store(url, masked=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INCONCERT_USER", "ann")
    (tmp_path / "inconcert.toml").write_text('[review.people]\nann = ["A-1"]\n')
    from inconcert.settings import settings

    settings.cache_clear()
    queue = Queue.of(Manners(url))
    settings.cache_clear()
    wanted = mask("A-1", store.key)
    with pytest.raises(RefusedError, match="member of the group"):
        queue.person.refuse_own("decide", "c", [wanted])


def test_a_load_that_runs_delays_nobody(store: Store, do: Do, take: Do) -> None:
    take(group("g1", TEN))
    key = the_case(store)["id"]
    with store.loading("transfers", "a long one"):
        assert do(ANN, at.claim, key)["owner"] == "ann"
    assert verify(store).problems == []
