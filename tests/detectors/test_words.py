"""What findings say of themselves: words of the clique, one sentence for and one against."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from engine_helpers import lazy

from detectors.clique import DETECTOR
from detectors.doubts.case import Doubt
from detectors.engine.words import against, because
from detectors.family import Inside

TRANSFERS = [(0, 1, 10), (1, 0, 30), (0, 1, 20), (1, 2, 5), (2, 9, 7), (8, 9, 1), (3, 3, 4)]


def inside(**more: object) -> Inside:
    """Four accounts, of whom two pairs deal with each other."""
    moved = lazy("transfers", ({"src": a, "dst": b, "amount": x} for a, b, x in TRANSFERS))
    rows = pl.DataFrame(moved.collect().to_native())
    return Inside(np.arange(4, dtype=np.int32), ["p", "q", "r", "s"], rows, **more)  # type: ignore[arg-type]


def test_the_clique_says_how_many_pairs_deal_and_how_many_strangers_would():
    reason = DETECTOR.reason(inside(expected={"contacts": 1.2}))
    assert reason.text == (
        "2 of the 6 pairs of these 4 accounts deal with each other, where of as many strangers "
        "of their wealth, with as many counterparties, about 1 pair would"
    )
    assert reason.facts == ["transfers1", "transfers3"]  # the largest of each pair


@pytest.mark.parametrize(
    ("expected", "words"),
    [(0.01, "hardly one pair would"), (35.4, "about 35 pairs would"), (None, "with each other")],
)
def test_the_clique_says_strangers_in_round_figures(expected, words):
    about = inside(expected={"contacts": expected} if expected is not None else {})
    assert DETECTOR.reason(about).text.endswith(words)


def reason(source: str, bits: float, text: str) -> dict[str, object]:
    return {"source": source, "bits": bits, "text": text}


def test_one_sentence_for_it_names_two_sources_where_there_are():
    reasons = [
        reason("transfers", 90.0, "four of them deal. The closest: p and q"),
        reason("transfers", 50.0, "five pass it on"),
        reason("identifiers", 40.0, "three share a phone; and more"),
        reason("referrals", 2.0, "one was brought in"),
    ]
    assert because(4, reasons) == "They act as one: four of them deal; and three share a phone."
    assert because(4, reasons[:2]) == "They act as one: four of them deal; and five pass it on."
    assert because(4, [reasons[0], reasons[3]]) == "They act as one: four of them deal."
    assert because(4, []).startswith("Nothing in these facts says")


def test_one_sentence_against_it():
    reasons = [reason("transfers", 90.0, "")]
    first = Doubt("club", "They may be a club. They may not.", "Ask.")
    assert against(reasons, [first], "indication") == "They may be a club."
    assert against(reasons, [], "indication").startswith("One sort of fact alone ties them")
    nothing = "No innocent explanation that these facts could show is open."
    assert against(reasons, [], "corroborated") == nothing
