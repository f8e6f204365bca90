"""The walk through the queue, by keys from a pipe."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from queue_world import SETTINGS, TEN, TWELVE, case_of, person

from inconcert import walking
from inconcert.cli import run
from inconcert.settings import settings
from review import desk as at
from review.log import act
from review.verify import verify

pytestmark = pytest.mark.usefixtures("named")


@pytest.fixture
def type_(capsys, monkeypatch):
    """Types lines into `review work`: exit code, stdout, stderr."""

    def type_(*lines, words=(), user="ann"):
        capsys.readouterr()
        settings.cache_clear()
        monkeypatch.setenv("INCONCERT_USER", user)
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        code = run(["review", "work", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return type_


@pytest.fixture
def meanwhile(monkeypatch, full):
    """Has something done when a question with some words is asked for the first time."""

    def meanwhile(question, do):
        ask, done = walking.ask, []

        def asked(said):
            if question in said and not done:
                done.append(said)
                do()
            return ask(said)

        monkeypatch.setattr(walking, "ask", asked)

    return meanwhile


def case(store, account):
    return store.log.view("case", case_of(store, account))


def said_of(store, key):
    return [(event.action, event.user) for event in store.log.events(f"case/{key}")]


def in_review(store, key, who="ann"):
    someone = person(who)
    act(store, someone, lambda desk: at.claim(desk, someone, key))
    act(store, someone, lambda desk: at.move(desk, someone, key, "in_review", None))


def test_the_most_urgent_case_is_claimed_shown_and_decided(full, type_):
    keys = "r", "c", "They pass points round in waves.", "q"
    code, out, err = type_(*keys)
    assert (code, err) == (0, "")
    whale = case(full, "whale")  # the largest of the red ones
    assert whale["state"] == "pending_second_review"
    assert whale["pending"]["by"] == "ann"
    assert "Case " + whale["id"] in out
    assert "Questions to the holder" in out
    assert "2 cases were shown." in out
    [words] = full.log.words("case/" + whale["id"]).values()
    assert words.text == "They pass points round in waves."
    assert case(full, "t00")["owner"] == "ann"
    assert not verify(full).problems


def test_all_cases_once_and_then_none(full, type_):
    code, out, _ = type_("n", "n", "n", "n")
    assert code == 0
    assert "4 cases were shown." in out
    assert {one["owner"] for one in full.log.views("case").values()} == {"ann"}
    assert "No case waits for you." in type_(user="bob")[1]


def test_only_some_levels_or_only_what_is_named(full, type_):
    assert "2 cases were shown." in type_("n", "n", "n", words=["--level", "red"])[1]
    key = case_of(full, "u00")
    assert "1 cases were shown." in type_("n", "n", words=[key[:6]])[1]
    code, _, err = type_(words=["nothing"])
    assert code == 1
    assert "There is no case 'nothing'." in err


def test_the_end_of_the_pipe_is_the_end_of_the_walk(full, type_):
    code, out, err = type_("r")
    assert (code, err) == (0, "")
    assert "1 cases were shown." in out
    assert case(full, "whale")["state"] == "in_review"


def test_whole_words_are_understood_and_others_explained(full, type_):
    out = type_("confirm", "fly", "?", "REVIEW", "q")[1]
    assert "confirm is for a case that is in_review or awaiting_holder." in out
    assert "Nothing is called 'fly' here." in out
    assert "b  back" in out
    assert case(full, "whale")["state"] == "in_review"


def test_refute_for_a_reason_of_the_list(full, type_):
    key = case_of(full, "t00")
    code, out, _ = type_("r", "f", "luck", "f", "house", "One flat.", words=[key])
    assert code == 0
    assert "'luck' is no reason of the list." in out
    decision = case(full, "t00")["decision"]
    assert (decision["verdict"], decision["reason"]) == ("refuted", "household")
    assert [one.text for one in full.log.words("case/" + key).values()] == ["One flat."]


def test_other_ways_to_leave_a_case(full, type_):
    large, ten = case_of(full, "large"), case_of(full, "u00")
    assert type_("s", "soon", "s", "3", words=[ten])[0] == 0
    assert case(full, "u00")["snoozed_until"] == "2026-06-04T12:00:00Z"
    type_("b", words=[large])
    assert (case(full, "large")["state"], case(full, "large")["owner"]) == ("triaged", None)
    type_("r", "w", words=[large])
    assert case(full, "large")["state"] == "awaiting_holder"
    type_("i", "Nobody answers.", words=[large])
    assert case(full, "large")["decision"]["verdict"] == "inconclusive"
    out = type_("d", "", "d", "none", "d", large, "q", words=[ten])[1]
    assert f"Case {large} has none of the accounts of case {ten}" in out
    assert "decision" not in case(full, "u00")


def test_a_frozen_case_does_not_rest(full, type_):
    out = type_("s", "2026-07-01", "q", words=[case_of(full, "whale")])[1]
    assert "its clock does not stop" in out
    assert case(full, "whale")["state"] == "assigned"


def test_another_agrees_or_objects(full, type_):
    whale, twelve = case_of(full, "whale"), case_of(full, "t00")
    for key in (whale, twelve):
        type_("r", "c", "As one.", words=[key])
    assert "Case " + whale not in type_("q")[1]  # not by whom it is proposed
    out = type_("a", "", "o", "", "o", "A library's device.", "q", user="bob")[1]
    assert case(full, "whale")["decision"]["second"] == "bob"
    assert "Say why you object." in out
    assert case(full, "t00")["state"] == "in_review"


def test_a_comment_leaves_the_case_as_it_was_seen(full, type_):
    key = case_of(full, "whale")
    type_("m", "Asked for receipts.", "r", "m", "", "q", words=[key])
    assert said_of(full, key)[-2:] == [("commented", "ann"), ("moved", "ann")]
    assert [one.text for one in full.log.words("case/" + key).values()] == ["Asked for receipts."]


def test_a_stale_move_says_what_changed_and_keeps_the_words(full, type_, meanwhile):
    key = case_of(full, "whale")
    in_review(full, key)
    sue = person("sue", "senior")
    meanwhile(
        "Why is it confirmed?",
        lambda: act(full, sue, lambda desk: at.comment(desk, sue, key, "Look at May.")),
    )
    code, out, _ = type_("c", "They move as one.", "c", "", words=[key])
    assert code == 0
    assert "has changed since you looked at it" in out
    assert "sue  commented   “Look at May.”" in out
    assert "Your words are kept for the next try." in out
    assert "(Enter: “They move as one.”)" in out
    assert case(full, "whale")["pending"]["by"] == "ann"
    texts = [one.text for one in full.log.words("case/" + key).values()]
    assert texts == ["Look at May.", "They move as one."]


def test_a_comment_beside_anothers_does_not_hide_it(full, type_, meanwhile):
    key = case_of(full, "whale")
    in_review(full, key)
    sue = person("sue", "senior")
    meanwhile(
        "What is to be said?",
        lambda: act(full, sue, lambda desk: at.comment(desk, sue, key, "Look at May.")),
    )
    out = type_("m", "Asked.", "w", "w", words=[key])[1]
    assert "has changed since you looked at it" in out
    assert "“Look at May.”" in out
    assert case(full, "whale")["state"] == "awaiting_holder"


def test_words_that_cannot_be_recorded_are_printed(full, type_, meanwhile):
    key = case_of(full, "whale")
    in_review(full, key)
    sue = person("sue", "senior")

    def take():
        act(full, sue, lambda desk: at.assign(desk, sue, key, "bob"))

    meanwhile("Why is it confirmed?", take)
    out = type_("c", "All of it.", "q", words=[key])[1]
    assert f"Not recorded of case {key}: All of it." in out
    long = "x" * 5000
    out = type_("m", long, "q", words=[case_of(full, "t00")])[1]
    assert "5,000 characters" in out
    assert long in out


def test_a_case_that_another_claimed_first(full, type_, monkeypatch):
    bob = person("bob")
    real = at.claim

    def quicker(desk, person, key):
        if person.user == "ann":
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(at, "claim", real)
                real(desk, bob, key)
        return real(desk, person, key)

    monkeypatch.setattr(at, "claim", quicker)
    out = type_(words=[case_of(full, "whale")])[1]
    assert "is bob's." in out
    assert "No case waits for you." in out


def test_ones_own_group_is_left_to_others(full, type_):
    out = type_("n", "n", "n", user="t03")[1]
    assert "has an account of your own" in out
    assert "3 cases were shown." in out
    assert case(full, "t00")["owner"] is None


def test_who_only_audits_does_not_work_through_it(full, type_, tmp_path):
    (tmp_path / "inconcert.toml").write_text(SETTINGS)
    code, _, err = type_("n", user="aud")
    assert code == 1
    assert "aud may not work through the queue" in err
    assert [event.action for event in full.log.events("log")] == ["refused"]
    assert {one["owner"] for one in full.log.views("case").values()} == {None}


def test_a_masked_store_is_walked_through_as_well(type_, masked):
    out = type_("r", "f", "other", "", "f", "other", "A fund.", "q")[1]
    assert "Something else is said in words." in out
    assert not any(account in out for account in (*TEN, *TWELVE))
    assert any(one["state"] == "closed" for one in masked.log.views("case").values())


def test_a_real_pipe_with_bytes_that_are_no_text(full):
    words = [sys.executable, "-c", "from inconcert.cli import main; main()", "review", "work"]
    done = subprocess.run(
        words, input=b"m\nna\xc3\xafve \xff\n\x1b[A\nq\n", capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    [words] = full.log.words("case/" + case_of(full, "whale")).values()
    assert words.text.startswith("naïve ")
    assert b"\x1b" not in done.stdout
