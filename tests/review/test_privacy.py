"""Exports, revealing, erasure and retention: who may, what is logged, what stays whole."""

from __future__ import annotations

import json
from functools import partial

import pytest
from queue_world import SETTINGS, TWELVE, case_of, person

from graph.digest import mask
from graph.log import Event, digest_of, digest_of_words
from graph.log import Words as KeptWords
from review import desk as at
from review.log import act
from review.verify import verify

WHY = ("--purpose", "audit", "--reason", "The yearly audit.")


@pytest.fixture(autouse=True)
def _settings(named, tmp_path):
    (tmp_path / "inconcert.toml").write_text(SETTINGS)


@pytest.fixture
def full(full):
    ann = person("ann")
    key = case_of(full, "whale")
    for words in ("Her neighbour called.", "She lives in Elm Street."):
        act(full, ann, partial(at.comment, person=ann, key=key, words=words))
    return full


def logged(store):
    """What the log says of itself: action, user, role, facts."""
    return [(e.action, e.user, e.role, e.facts) for e in store.log.events("log")]


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def close(store, account, *, words="It cannot be told."):
    ann, key = person("ann"), case_of(store, account)
    act(store, ann, partial(at.claim, person=ann, key=key))
    act(store, ann, partial(at.move, person=ann, key=key, to="in_review", policy=None))
    act(store, ann, partial(at.decide, person=ann, key=key, verdict="inconclusive", words=words))
    return key


# Export


def test_an_export_can_be_checked_by_whoever_gets_it(call_as, full, tmp_path):
    head = full.log.head().number
    code, out, err = call_as("aud", "export", "--out", "log.jsonl", *WHY)
    assert (code, err) == (0, "")
    assert out == f"{head} events up to event {head} are in log.jsonl, with words.\n"
    assert (tmp_path / "log.jsonl").stat().st_mode & 0o777 == 0o600
    found = lines_of(tmp_path / "log.jsonl")
    assert [one["number"] for one in found] == list(range(1, head + 1))
    previous = None
    for one in found:
        text, salt = one.pop("words"), one.pop("salt")
        one["body"] = json.dumps(
            one["body"], sort_keys=True, ensure_ascii=False, separators=(",", ":")
        )
        event = Event(**one)
        assert digest_of(tuple(one.values())[:-1]) == event.digest
        assert previous in (None, event.previous)
        previous = event.digest
        if text:
            assert digest_of_words(KeptWords(event.number, salt, text)) == event.words_digest
    facts = {"purpose": "audit", "case": None, "until": head, "with_words": True}
    assert logged(full) == [("exported", "aud", "auditor", facts)]
    assert [one.text for one in full.log.words("log").values()] == ["The yearly audit."]
    assert not verify(full).problems


def test_one_case_and_no_words_for_an_investigator(call_as, full, tmp_path):
    key = case_of(full, "whale")
    out = call_as("ann", "export", "--case", key[:6], "--out", "case.jsonl", *WHY)[1]
    assert out.endswith("without words.\n")
    found = lines_of(tmp_path / "case.jsonl")
    assert {one["subject"] for one in found} == {f"case/{key}"}
    assert all("words" not in one and "salt" not in one for one in found)
    assert "neighbour" not in (tmp_path / "case.jsonl").read_text()
    assert logged(full)[-1][3]["with_words"] is False


@pytest.mark.parametrize("purpose", ["marketing", "sales"])
@pytest.mark.parametrize("command", ["export", "reveal"])
def test_marketing_is_refused_and_logged(call_as, masked, tmp_path, purpose, command):
    (tmp_path / "ids").write_text("t00\n")
    where = ("--out", "x.jsonl") if command == "export" else ("--candidates", "ids")
    code, out, err = call_as(
        "opa", command, *where, "--purpose", purpose, "--reason", "A campaign."
    )
    assert (code, out) == (1, "")
    assert f"Data of the review are not given out for {purpose}" in err
    assert err.count("\n") == 1
    [(action, user, _, facts)] = logged(masked)
    assert (action, user) == ("refused", "opa")
    assert facts["what"].endswith(f"for {purpose}")
    assert not (tmp_path / "x.jsonl").exists()


@pytest.mark.parametrize(
    ("user", "words", "says"),
    [
        ("nobody", WHY, "nobody may not export the log: that needs the role auditor or senior"),
        ("aud", ("--purpose", "fun", "--reason", "x"), "'fun' is no purpose. One of supervision,"),
        ("aud", ("--purpose", "audit", "--reason", "  "), "Say for which reason."),
        ("aud", ("--purpose", "audit", "--reason", "x" * 5000), "5,000 characters"),
    ],
)
def test_an_export_that_is_refused_leaves_no_file(call_as, full, tmp_path, user, words, says):
    code, _, err = call_as(user, "export", "--out", "x.jsonl", *words)
    assert code == 1
    assert says in err
    assert not (tmp_path / "x.jsonl").exists()
    assert [one[0] for one in logged(full)] == (["refused"] if user == "nobody" else [])


def test_a_file_that_is_there_stays_as_it_is(call_as, full, tmp_path):
    (tmp_path / "x.jsonl").write_text("mine")
    code, _, err = call_as("aud", "export", "--out", "x.jsonl", *WHY)
    assert code == 1
    assert "it is left as it is" in err
    assert (tmp_path / "x.jsonl").read_text() == "mine"
    assert not logged(full)
    assert call_as("aud", "export", "--out", "no/x.jsonl", *WHY)[0] == 1
    assert not logged(full)


# Reveal


def test_who_of_some_candidates_is_a_member(call_as, masked, tmp_path):
    key = masked.key
    (tmp_path / "ids").write_text("\ufeff t00 \r\nwhale\nnobody\n\nc001\n", encoding="utf-8")
    words = ("reveal", "--candidates", "ids", "--format", "json", *WHY)
    code, out, err = call_as("sue", *words)
    assert (code, err) == (0, "")
    assert json.loads(out) == [
        {"account": name, "masked": mask(name, key), "cases": [case_of(masked, mask(name, key))]}
        for name in ("t00", "whale")
    ]
    facts = {"purpose": "audit", "case": None, "candidates": 4, "matched": 2}
    assert logged(masked) == [("revealed", "sue", "senior", facts)]
    case = case_of(masked, mask("t00", key))
    assert (
        call_as("sue", *words[:3], "--case", case, *WHY)[1] == f"t00  {mask('t00', key)}  {case}\n"
    )
    (tmp_path / "ids").write_text("c001\n")
    assert call_as("sue", *words[:3], *WHY)[1] == "None of them is a member of a case.\n"
    assert not verify(masked).problems


def test_an_investigator_reveals_nobody(call_as, masked, tmp_path):
    (tmp_path / "ids").write_text("t00\n")
    code, out, err = call_as("ann", "reveal", "--candidates", "ids", *WHY)
    assert (code, out) == (1, "")
    assert "ann may not reveal accounts" in err
    assert [one[0] for one in logged(masked)] == ["refused"]


def test_nothing_to_reveal_where_nothing_is_masked(call_as, full, tmp_path):
    (tmp_path / "ids").write_text("t00\n")
    assert "does not mask accounts" in call_as("sue", "reveal", "--candidates", "ids", *WHY)[2]
    (tmp_path / "ids").write_bytes(b"\xff\xfe")
    assert "are no text" in call_as("sue", "reveal", "--candidates", "ids", *WHY)[2]


# Erase


def test_erased_words_are_gone_and_the_log_is_whole(call_as, full, tmp_path):
    key = case_of(full, "whale")
    numbers = list(full.log.words(f"case/{key}"))
    code, out, err = call_as("opa", "erase", "--case", key, "--reason", "Asked for by letter.")
    assert (code, out, err) == (0, "The words of 2 events are erased.\n", "")
    assert not full.log.words(f"case/{key}")
    assert logged(full) == [("erased", "opa", "operator", {"numbers": numbers, "why": "asked"})]
    found = verify(full)
    assert not found.problems
    assert found.erased == 2
    assert "words of 2 erased" in call_as("opa", "verify")[1]
    assert "(erased)" in call_as("ann", "show", key)[1]
    call_as("aud", "export", "--case", key, "--out", "x.jsonl", *WHY)
    assert [one["words"] for one in lines_of(tmp_path / "x.jsonl") if one["words"]] == [
        "(erased)",
        "(erased)",
    ]
    again = call_as("opa", "erase", "--case", key, "--reason", "Again.")
    assert again == (0, "No words are left.\n", "")
    assert len([one for one in logged(full) if one[0] == "erased"]) == 1


def test_single_events_even_the_reason_of_an_erasure(call_as, full):
    first, second = full.log.words()
    assert call_as("opa", "erase", "--event", first, "--reason", "Names Ms Roe.")[0] == 0
    assert list(full.log.words()) == [second, full.log.head().number]
    assert (
        call_as("opa", "erase", "--event", full.log.head().number, "--reason", "So did I.")[0] == 0
    )
    assert "Names Ms Roe." not in [one.text for one in full.log.words().values()]
    assert not verify(full).problems


@pytest.mark.parametrize(
    ("user", "words", "says"),
    [
        ("ann", ("--event", 1), "ann may not erase words: that needs the role operator."),
        ("sue", ("--event", 1), "sue may not erase words"),
        ("opa", ("--event", 1), "Event 1 never had words."),
        ("opa", ("--event", 9999), "There is no event 9999."),
        ("opa", ("--event", 0), "There is no event 0."),
        ("opa", ("--event", -3), "There is no event -3."),
        ("opa", ("--case", "none"), "There is no case 'none'."),
    ],
)
def test_an_erasure_that_is_refused_erases_nothing(call_as, full, user, words, says):
    before = full.log.words()
    code, _, err = call_as(user, "erase", *words, "--reason", "Because.")
    assert code == 1
    assert says in err
    assert full.log.words() == before


def test_one_wrong_number_and_none_is_erased(call_as, full):
    before = full.log.words()
    words = ("--event", next(iter(before)), "--event", 1)
    assert call_as("opa", "erase", *words, "--reason", "Because.")[0] == 1
    assert full.log.words() == before
    assert call_as("opa", "erase", "--reason", "Because.")[0] == 2
    assert call_as("opa", "erase", *words, "--case", "g", "--reason", "Because.")[0] == 2


def test_without_roles_nobody_erases(call_as, full, tmp_path):
    (tmp_path / "inconcert.toml").unlink()
    assert "needs the role operator" in call_as("opa", "erase", "--event", 1, "--reason", "x")[2]


# Retain


def test_words_of_cases_closed_long_ago_go_and_no_others(call_as, full, monkeypatch):
    early = close(full, "t00", words="Eleven of them are cousins.")
    monkeypatch.setenv("INCONCERT_NOW", "2031-05-01T00:00:00Z")
    late = close(full, "large")
    assert "0 cases have been closed for more than 1,825 days" in call_as("opa", "retain")[1]
    monkeypatch.setenv("INCONCERT_NOW", "2031-06-02T00:00:00Z")
    code, out, err = call_as("opa", "retain")
    assert (code, err) == (0, "")
    assert out.startswith("1 cases have been closed for more than 1,825 days: the words of 1 ")
    assert not full.log.words(f"case/{early}")
    assert full.log.words(f"case/{late}")
    assert len(full.log.words("case/" + case_of(full, "whale"))) == 2  # it is open
    head = full.log.head()
    assert call_as("opa", "retain")[1].startswith("0 cases")
    assert full.log.head() == head
    assert not verify(full).problems


def test_a_case_that_was_opened_again_keeps_its_words(call_as, full, monkeypatch):
    key = close(full, "t00")
    sue = person("sue", "senior")
    monkeypatch.setenv("INCONCERT_NOW", "2032-01-01T00:00:00Z")
    act(full, sue, partial(at.reopen, person=sue, key=key, words="New papers."))
    assert call_as("opa", "retain")[1].startswith("0 cases")
    assert len(full.log.words(f"case/{key}")) == 2


def test_only_an_operator_ends_the_time(call_as, full):
    close(full, "t00")
    assert "sue may not erase words" in call_as("sue", "retain")[2]


def test_no_command_shows_raw_ids_of_a_masked_store(call_as, masked, tmp_path):
    call_as("aud", "export", "--out", "log.jsonl", *WHY)
    text = (tmp_path / "log.jsonl").read_text()
    assert '"m_' in text
    assert not any(f'"{account}"' in text for account in (*TWELVE, "whale"))
